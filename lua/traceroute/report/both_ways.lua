-- both_ways: the path from a colo and the path back side by side, as text for a terminal. It must not
-- know how either was traced.
--
-- The way back is drawn upside down, so that the colo's end of both paths is at the top and this end at
-- the bottom, and hops of the same node or AS stand on one line where their order allows it.

local decimal = require "traceroute.decimal"
local fields = require "traceroute.fields"
local hops = require "traceroute.hops"
local invalid = require "traceroute.invalid"
local loss = require "traceroute.analysis.loss"
local path = require "traceroute.analysis.path"
local rows = require "traceroute.report.rows"
local text = require "traceroute.text"

local OPTIONS = { width = "number" }
local COLUMNS = { "ttl", "host", "asn", "loss", "avg" }
local NARROW = { "ttl", "host", "loss", "avg" } -- the AS path is told below
local GAP, BAR = "  ", " | "
local MIN_HOST, MIN_WIDTH = 15, 80
-- What hops have in common, as weights: a shared node counts more than any number of shared ASes.
local SAME_AS, SAME_NODE = 1, 1000

local function paths_of(result, name)
  local next_path, err = hops.paths(result)
  if not next_path then
    err.path = name
    return nil, err
  end
  local found = {}
  for target, colo in next_path do
    found[#found + 1] = { target = target, colo = colo }
  end
  if #found == 0 then
    return invalid.value(name, "there is no path in it")
  end
  return found
end

-- A single path of one side stands beside each of the other; several are matched in their order.
local function pair(there, back)
  if #there ~= #back and #there ~= 1 and #back ~= 1 then
    return invalid.value("back", ("as many paths as there, or one, expected; got %d for %d"):format(#back, #there))
  end
  local pairs_found = {}
  for i = 1, math.max(#there, #back) do
    pairs_found[i] = { there[#there > 1 and i or 1], back[#back > 1 and i or 1] }
  end
  return pairs_found
end

-- The hops of a path with the cells of their nodes, in the order they are drawn.
local function lines_of(one, upside_down)
  local block = rows.block(one.target, one.colo)
  local out = {}
  for _, row in ipairs(block.rows) do
    local current = out[#out]
    if row.first then
      current = { hop = row.hop }
      out[#out + 1] = current
    end
    local cells = { node = row.node }
    for _, name in ipairs(COLUMNS) do
      cells[name] = rows.COLUMNS[name].cell(row.node, row.hop, row.first)
    end
    current[#current + 1] = cells
  end
  for i = 1, upside_down and math.floor(#out / 2) or 0 do
    out[i], out[#out + 1 - i] = out[#out + 1 - i], out[i]
  end
  return out, block
end

local function likeness(a, b)
  for _, x in ipairs(a.hop.nodes) do
    for _, y in ipairs(b.hop.nodes) do
      if x.key == y.key then
        return SAME_NODE
      end
    end
  end
  return a.hop.asn and a.hop.asn == b.hop.asn and SAME_AS or 0
end

-- Pairs of hops that stand on one line, either may be nil: the alignment with the most in common.
local function align(left, right)
  local best = {}
  for i = #left + 1, 1, -1 do
    best[i] = {}
    for j = #right + 1, 1, -1 do
      local here = 0
      if i <= #left and j <= #right then
        local like = likeness(left[i], right[j])
        here = math.max(best[i + 1][j], best[i][j + 1], like > 0 and best[i + 1][j + 1] + like or 0)
      end
      best[i][j] = here
    end
  end
  local out, i, j = {}, 1, 1
  while i <= #left or j <= #right do
    local like = i <= #left and j <= #right and likeness(left[i], right[j]) or 0
    if like > 0 and best[i][j] == best[i + 1][j + 1] + like then
      out[#out + 1] = { left[i], right[j] }
      i, j = i + 1, j + 1
    elseif i <= #left and (j > #right or best[i][j] == best[i + 1][j]) then
      out[#out + 1] = { left[i], nil }
      i = i + 1
    else
      out[#out + 1] = { nil, right[j] }
      j = j + 1
    end
  end
  return out
end

-- The width of each column, and how narrow that of hosts may get: a name can be cut, an address not.
local function widths_of(lines)
  local widths, least = {}, MIN_HOST
  for _, name in ipairs(COLUMNS) do
    widths[name] = text.width(rows.COLUMNS[name].head)
    for _, line in ipairs(lines) do
      for _, cells in ipairs(line) do
        widths[name] = math.max(widths[name], text.width(cells[name]))
      end
    end
  end
  for _, line in ipairs(lines) do
    for _, node in ipairs(line.hop.nodes) do
      least = math.max(least, node.name and node.name ~= node.ip and 0 or #node.ip)
    end
  end
  return widths, math.min(least, widths.host)
end

local function total(columns, widths)
  local sum = #GAP * (#columns - 1)
  for _, name in ipairs(columns) do
    sum = sum + widths[name]
  end
  return sum
end

-- Chooses columns and takes from the host columns, the wider one first, what is too much.
local function fit(left, least_left, right, least_right, width)
  local columns = COLUMNS
  local excess = (width and total(columns, left) + #BAR + total(columns, right) or 0) - (width or 0)
  if excess > left.host - least_left + right.host - least_right then
    columns = NARROW
    excess = total(columns, left) + #BAR + total(columns, right) - width
  end
  while excess > 0 and (left.host > least_left or right.host > least_right) do
    local is_left = right.host <= least_right or left.host > least_left and left.host >= right.host
    local wider = is_left and left or right
    wider.host, excess = wider.host - 1, excess - 1
  end
  return columns
end

local function draw_cells(cells, columns, widths)
  local out = {}
  for c, name in ipairs(columns) do
    local cell = cells and cells[name] or ""
    if name == "host" and text.width(cell) > widths.host then
      cell = text.cut(cells.node and text.clean(cells.node.name or cells.node.ip) or cell, widths.host)
    end
    out[c] = text.pad(cell, widths[name], not rows.COLUMNS[name].left)
  end
  return table.concat(out, GAP)
end

local function draw_lines(out, aligned, columns, left, right)
  local function put(l, r)
    out[#out + 1] = (draw_cells(l, columns, left) .. BAR .. draw_cells(r, columns, right)):gsub("%s+$", "")
  end
  local heads = {}
  for _, name in ipairs(columns) do
    heads[name] = rows.COLUMNS[name].head
  end
  put(heads, heads)
  for _, line in ipairs(aligned) do
    local l, r = line[1] or {}, line[2] or {}
    for n = 1, math.max(#l, #r) do
      put(l[n], r[n])
    end
  end
end

-- The ASes of a list that another has not, each once.
local function missing(from, other)
  local known, out = {}, {}
  for _, segment in ipairs(other) do
    known[segment.asn] = true
  end
  for _, segment in ipairs(from) do
    if not known[segment.asn] then
      known[segment.asn] = true
      out[#out + 1] = segment.asn
    end
  end
  return out
end

local function is_mirrored(there, back)
  local same = #there == #back
  for i = 1, same and #there or 0 do
    same = same and there[i].asn == back[#back + 1 - i].asn
  end
  return same
end

local function compare_ases(out, there, back)
  local ases_there, _, text_there = path.as_path(there.colo)
  local ases_back, _, text_back = path.as_path(back.colo)
  if not ases_there or not ases_back or #ases_there == 0 or #ases_back == 0 then
    return
  elseif is_mirrored(ases_there, ases_back) then
    out[#out + 1] = "AS path the same both ways: " .. text_there
    return
  end
  out[#out + 1] = ("AS path there %s, back %s"):format(text_there, text_back)
  for _, side in ipairs { { "there", ases_there, ases_back }, { "back", ases_back, ases_there } } do
    local alone = missing(side[2], side[3])
    if #alone > 0 then
      out[#out + 1] = ("only on the way %s: %s"):format(side[1], table.concat(alone, ", "))
    end
  end
end

local function tell_loss(out, name, one)
  local begin = loss.begins(one.colo, fields.text(one.target.target))
  if begin and begin.verdict == "unreached" then
    out[#out + 1] = ("no answer on the way %s from hop %d on%s"):format(name, begin.ttl,
      begin.from_asn and (", the last from %s"):format(begin.from_asn) or "")
  elseif begin then
    out[#out + 1] = ("loss on the way %s: %s%% from hop %d on%s"):format(name, decimal("%.1f", begin.loss), begin.ttl,
      begin.asn and " (" .. begin.asn .. ")" or "")
  end
end

local function draw_pair(out, there, back, width)
  local left, block_there = lines_of(there, false)
  local right, block_back = lines_of(back, true)
  for _, side in ipairs { { "there: ", block_there }, { "back:  ", block_back } } do
    local block = side[2]
    out[#out + 1] = side[1] .. block.title .. (block.outcome ~= "" and ": " .. block.outcome or "")
  end
  local left_widths, least_left = widths_of(left)
  local right_widths, least_right = widths_of(right)
  local columns = fit(left_widths, least_left, right_widths, least_right, width)
  draw_lines(out, align(left, right), columns, left_widths, right_widths)
  compare_ases(out, there, back)
  tell_loss(out, "there", there)
  tell_loss(out, "back", back)
end

---Forward and return path side by side, the way back upside down: the colo's end of both is at the top.
---Below stand the AS paths compared and where loss begins. Round trip times and loss of both sides hold
---the way of the probes and that of their answers.
---@param there traceroute.Result from a colo to this machine
---@param back traceroute.Result from this machine towards the colo: one path, or as many as there
---@param opts? {width: integer} columns of the terminal, 80 or more; names are cut and the ASN left out to
--- fit, addresses are never cut; default: no bound
---@return string? text
---@return traceroute.Error? err
return function(there, back, opts)
  local checked, err = invalid.options(opts, OPTIONS, "opts")
  if not checked then
    return nil, err
  elseif checked.width and checked.width < MIN_WIDTH then
    return invalid.value("opts.width", ("%d columns or more expected"):format(MIN_WIDTH))
  end
  local left, right, both
  left, err = paths_of(there, "there")
  if left then
    right, err = paths_of(back, "back")
  end
  if right then
    both, err = pair(left, right)
  end
  if not both then
    return nil, err
  end
  local out = {}
  for i, one in ipairs(both) do
    out[#out + 1] = i > 1 and "" or nil
    draw_pair(out, one[1], one[2], checked.width)
  end
  return table.concat(out, "\n") .. "\n"
end
