-- markdown: paths as pipe tables, for an issue or a wiki. It must not know what a verdict means.

local hops = require "traceroute.hops"
local invalid = require "traceroute.invalid"
local rows = require "traceroute.report.rows"

local OPTIONS = { columns = "table", notes = "boolean" }

-- What is markup in a line of text, or starts HTML, a link or a mention.
local function escape(s)
  return (s:gsub("[\\`*_%[%]<>|#&~@!]", {
    ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;", ["@"] = "&#64;",
    ["\\"] = "\\\\", ["`"] = "\\`", ["*"] = "\\*", ["_"] = "\\_", ["["] = "\\[", ["]"] = "\\]",
    ["|"] = "\\|", ["#"] = "\\#", ["~"] = "\\~", ["!"] = "\\!",
  }))
end

local function line_of(cells)
  return "| " .. table.concat(cells, " | ") .. " |"
end

local function draw_block(out, block, names, notes)
  out[#out + 1] = "### " .. escape(block.title)
  out[#out + 1] = ""
  if block.outcome ~= "" then
    out[#out + 1] = escape(block.outcome)
    out[#out + 1] = ""
  end
  local heads, rules = {}, {}
  for c, name in ipairs(names) do
    local column = rows.COLUMNS[name]
    heads[c] = column.head == "" and "#" or column.head
    rules[c] = column.left and "---" or "---:"
  end
  if #block.rows > 0 then
    out[#out + 1] = line_of(heads)
    out[#out + 1] = line_of(rules)
  end
  for _, row in ipairs(block.rows) do
    local cells = {}
    for c, name in ipairs(names) do
      cells[c] = escape(rows.COLUMNS[name].cell(row.node, row.hop, row.first))
    end
    out[#out + 1] = line_of(cells)
  end
  if #block.rows > 0 then
    out[#out + 1] = ""
  end
  for _, note in ipairs(notes and block.notes or {}) do
    out[#out + 1] = "- " .. escape(note)
  end
  if out[#out] ~= "" then
    out[#out + 1] = ""
  end
end

---A markdown section with a table for each path.
---@param result traceroute.Result
---@param opts? {columns: string[], notes: boolean} as of report.table
---@return string? markdown
---@return traceroute.Error? err
return function(result, opts)
  local checked, err = invalid.options(opts, OPTIONS, "opts")
  if not checked then
    return nil, err
  end
  local paths
  paths, err = hops.paths(result)
  if not paths then
    return nil, err
  end
  local names = rows.DEFAULT
  if checked.columns then
    names, err = rows.check_columns(checked.columns)
    if not names then
      return nil, err
    end
  end
  local out = {}
  local blocks, overviews = rows.blocks(result)
  for _, block in ipairs(blocks) do
    draw_block(out, block, names, checked.notes ~= false)
  end
  for _, overview in ipairs(overviews) do
    for _, line in ipairs(overview) do
      out[#out + 1] = "- " .. escape(line)
    end
    out[#out + 1] = ""
  end
  if #blocks == 0 then
    out = { "no paths", "" }
  end
  return table.concat(out, "\n")
end
