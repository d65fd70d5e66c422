-- table: paths as aligned text for a terminal, in the manner of mtr. It must not know what a verdict
-- means, nor whether there is a terminal: width and colour are told.

local hops = require "traceroute.hops"
local invalid = require "traceroute.invalid"
local rows = require "traceroute.report.rows"
local text = require "traceroute.text"

local GAP = "  "
local MIN_HOST = 15
-- What leaves a table that is too wide, in this order, so that no address is cut.
local EXPENDABLE = { "asn", "stdev", "sent", "worst", "best" }
local OPTIONS = { columns = "table", wide = "boolean", width = "number", color = "boolean", notes = "boolean" }

local STYLE = {
  title = "\27[1m", head = "\27[4m", silent = "\27[2m",
  real = "\27[31m", target = "\27[31m", unknown = "\27[33m", rate_limited = "\27[36m",
}

local function paint(s, style, color)
  return color and style and s:find("%S") and style .. s .. "\27[0m" or s
end

-- Cells of all blocks, and how wide each column gets.
local function fill(blocks, names)
  local widths, address = {}, MIN_HOST
  for c, name in ipairs(names) do
    widths[c] = text.width(rows.COLUMNS[name].head)
  end
  for _, block in ipairs(blocks) do
    for _, row in ipairs(block.rows) do
      row.cells = {}
      address = math.max(address, row.node and #row.node.ip or 0)
      for c, name in ipairs(names) do
        local cell = rows.COLUMNS[name].cell(row.node, row.hop, row.first)
        row.cells[name] = cell
        widths[c] = math.max(widths[c], text.width(cell))
      end
    end
  end
  return widths, math.min(address, 45)
end

local function total(widths)
  local sum = #GAP * (#widths - 1)
  for _, width in ipairs(widths) do
    sum = sum + width
  end
  return sum
end

local function position(names, wanted)
  for c, name in ipairs(names) do
    if name == wanted then
      return c
    end
  end
end

-- Takes lesser columns away until the host column has room for an address.
local function drop_columns(names, widths, width, address)
  local host = position(names, "host")
  for _, name in ipairs(EXPENDABLE) do
    if total(widths) - widths[host] + math.min(widths[host], address) <= width then
      return
    end
    local c = position(names, name)
    if c then
      table.remove(names, c)
      table.remove(widths, c)
      host = position(names, "host")
    end
  end
end

-- A name with its address where both fit, else the name, cut.
local function fit_host(cell, node, width)
  if text.width(cell) <= width or not node then
    return text.cut(cell, width)
  end
  return text.cut(text.clean(node.name or node.ip), width)
end

local function styled(name, padded, row, color)
  if not row.node then
    return paint(padded, STYLE.silent, color)
  elseif name == "loss" and row.first or name == "verdict" then
    return paint(padded, STYLE[row.hop.verdict], color)
  end
  return padded
end

local function draw_row(row, names, widths, color)
  local cells = {}
  for c, name in ipairs(names) do
    local cell = row.cells[name]
    if name == "host" then
      cell = fit_host(cell, row.node, widths[c])
    end
    cells[c] = styled(name, text.pad(cell, widths[c], not rows.COLUMNS[name].left), row, color)
  end
  return table.concat(cells, GAP)
end

local function draw_head(names, widths, color)
  local cells = {}
  for c, name in ipairs(names) do
    local column = rows.COLUMNS[name]
    cells[c] = text.pad(column.head, widths[c], not column.left)
  end
  return paint(table.concat(cells, GAP), STYLE.head, color)
end

-- Breaks a line of words at the width; what follows is set in.
local function wrap(out, line, width)
  local indent = ""
  while width and text.width(indent .. line) > width do
    local head = text.cut(line, width - #indent + 1):gsub("…$", "")
    local cut = head:find(" [^ ]*$")
    if not cut or cut < 2 then
      break
    end
    out[#out + 1] = indent .. line:sub(1, cut - 1)
    line, indent = line:sub(cut + 1), "  "
  end
  out[#out + 1] = indent .. line
end

local function draw_block(out, block, names, widths, opts)
  local title = {}
  wrap(title, block.title, opts.width)
  for _, line in ipairs(title) do
    out[#out + 1] = paint(line, STYLE.title, opts.color)
  end
  if block.outcome ~= "" then
    wrap(out, block.outcome, opts.width)
  end
  if #block.rows > 0 then
    out[#out + 1] = draw_head(names, widths, opts.color)
  end
  for _, row in ipairs(block.rows) do
    out[#out + 1] = draw_row(row, names, widths, opts.color)
  end
  for _, note in ipairs(opts.notes ~= false and block.notes or {}) do
    wrap(out, note, opts.width)
  end
  out[#out + 1] = ""
end

local function choose_columns(opts)
  if opts.columns then
    return rows.check_columns(opts.columns)
  end
  local names = {}
  for c, name in ipairs(opts.wide and rows.WIDE or rows.DEFAULT) do
    names[c] = name
  end
  return names
end

local function check(result, opts)
  local checked, err = invalid.options(opts, OPTIONS, "opts")
  if not checked then
    return nil, err
  elseif checked.width and checked.width < 40 then
    return invalid.value("opts.width", "40 columns or more expected")
  end
  local paths
  paths, err = hops.paths(result)
  return paths and checked, err
end

-- Makes the columns fit the width that was asked for.
local function fit(names, widths, address, opts)
  local host = position(names, "host")
  if not opts.width or opts.wide or not host then
    return
  end
  if not opts.columns then
    drop_columns(names, widths, opts.width, address)
    host = position(names, "host")
  end
  local excess = total(widths) - opts.width
  if excess > 0 then
    widths[host] = math.max(math.min(widths[host], address), widths[host] - excess)
  end
end

local function draw(blocks, overviews, names, opts)
  local widths, address = fill(blocks, names)
  fit(names, widths, address, opts)
  local out = {}
  for _, block in ipairs(blocks) do
    draw_block(out, block, names, widths, opts)
  end
  for _, overview in ipairs(overviews) do
    for _, line in ipairs(overview) do
      wrap(out, line, opts.width)
    end
    out[#out + 1] = ""
  end
  if #blocks == 0 then
    out[1] = "no paths"
  end
  while out[#out] == "" do
    out[#out] = nil
  end
  return table.concat(out, "\n") .. "\n"
end

---A terminal table of each path.
---@param result traceroute.Result
---@param opts? {columns: string[], wide: boolean, width: integer, color: boolean, notes: boolean}
--- - `columns`: of ttl host ip name asn loss sent lost received best avg worst stdev share labels verdict
--- - `wide`: all columns that say something, nothing cut; default false
--- - `width`: columns of the terminal, 40 or more; names are cut and lesser columns left out to fit,
---   addresses never cut; default: no bound
--- - `color`: with ANSI colours; default false
--- - `notes`: sentences on loss and RTT below each path; default true
---@return string? table
---@return traceroute.Error? err
return function(result, opts)
  local checked, err = check(result, opts)
  if not checked then
    return nil, err
  end
  local names
  names, err = choose_columns(checked)
  if not names then
    return nil, err
  end
  local blocks, overviews = rows.blocks(result)
  return draw(blocks, overviews, names, checked)
end
