-- rows: a path as a title, rows of cells and notes, which the terminal table and markdown lay out
-- each in its way. It must not know how wide a terminal is, nor any markup.

local decimal = require "traceroute.decimal"
local fields = require "traceroute.fields"
local hops = require "traceroute.hops"
local invalid = require "traceroute.invalid"
local loss = require "traceroute.analysis.loss"
local path = require "traceroute.analysis.path"
local rtt = require "traceroute.analysis.rtt"
local summary = require "traceroute.analysis.summary"
local text = require "traceroute.text"

local rows = {}

local SILENT_HOST = "???"

local VERDICTS = {
  real = "is real", rate_limited = "is rate limiting", target = "is the target's own", unknown = "is unclear",
}

local function ms(value)
  return value and decimal("%.2f", value) or ""
end

local function percent(value)
  return value and decimal("%.1f", value) .. "%" or ""
end

-- Counts from a file can be floats; "%d" refuses those with a fraction, and there are none here.
local function count(value)
  return value and ("%d"):format(value) or ""
end

local function first_only(format, field)
  return function(_, hop, first)
    return first and format(hop[field]) or ""
  end
end

local function of_node(format, field)
  return function(node)
    return node and format(node[field]) or ""
  end
end

local function plain(value)
  return value and text.clean(value) or ""
end

local function host(node)
  if not node then
    return SILENT_HOST
  elseif node.name and node.name ~= node.ip then
    return text.clean(node.name) .. " (" .. text.clean(node.ip) .. ")"
  end
  return text.clean(node.ip)
end

local function labels(node)
  local out = {}
  for _, label in ipairs(node and node.labels or {}) do
    out[#out + 1] = fields.text(label) and text.clean(label)
  end
  return table.concat(out, " ")
end

---@class traceroute.Column
---@field head string
---@field left boolean? aligned left
---@field cell fun(node: traceroute.PathNode?, hop: table, first: boolean): string

---Every column there is, by name.
---@type table<string, traceroute.Column>
rows.COLUMNS = {
  ttl = { head = "", cell = first_only(count, "ttl") },
  host = { head = "Host", left = true, cell = host },
  ip = { head = "Address", left = true, cell = function(node) return node and plain(node.ip) or SILENT_HOST end },
  name = { head = "Name", left = true, cell = of_node(plain, "name") },
  asn = { head = "ASN", left = true, cell = of_node(plain, "asn") },
  loss = { head = "Loss%", cell = first_only(percent, "loss") },
  sent = { head = "Snt", cell = first_only(count, "sent") },
  lost = { head = "Drop", cell = first_only(count, "lost") },
  received = { head = "Rcv", cell = of_node(count, "packet_count") },
  best = { head = "Best", cell = of_node(ms, "min_rtt_ms") },
  avg = { head = "Avg", cell = of_node(ms, "mean_rtt_ms") },
  worst = { head = "Wrst", cell = of_node(ms, "max_rtt_ms") },
  stdev = { head = "StDev", cell = of_node(ms, "std_dev_rtt_ms") },
  share = { head = "Share", cell = of_node(percent, "share") },
  labels = { head = "Labels", left = true, cell = labels },
  verdict = { head = "Verdict", left = true, cell = function(_, hop, first)
    return first and hop.verdict ~= "none" and hop.verdict or ""
  end },
}

rows.DEFAULT = { "ttl", "host", "asn", "loss", "sent", "best", "avg", "worst", "stdev" }
rows.WIDE = {
  "ttl", "host", "asn", "loss", "sent", "received", "share", "best", "avg", "worst", "stdev", "verdict", "labels",
}

local function check_columns(names)
  if names[1] == nil then
    return invalid.value("opts.columns", "at least one column expected")
  end
  for i = 1, #names do
    local name = names[i]
    if type(name) ~= "string" or not rows.COLUMNS[name] then
      local near = type(name) == "string" and invalid.nearest(name, rows.COLUMNS)
      return invalid.value("opts.columns[" .. i .. "]", ("no column %s%s"):format(invalid.shown(name),
        near and ", did you mean " .. near .. "?" or ""))
    end
  end
  return names
end

---Checks names of columns.
---@param names table
---@return string[]? names
---@return traceroute.Error? err
rows.check_columns = invalid.guarded("opts.columns", check_columns)

local function title_of(target, colo, read)
  local asked = fields.text(target.target) or "?"
  local ip = fields.summary(colo).ip
  local name, city = fields.colo(colo)
  local out = text.clean(asked)
  if ip and ip ~= asked then
    out = out .. " (" .. text.clean(ip) .. ")"
  end
  out = out .. " from " .. text.clean(name or "?") .. (city and " (" .. text.clean(city) .. ")" or "")
  local outcome
  if #read.hops == 0 then
    outcome = read.error and "" or "no hops"
  elseif read.reached then
    local at = read.hops[read.target_index]
    outcome = ("reached at hop %d"):format(at.ttl)
      .. (read.target_rtt_ms and ", " .. ms(read.target_rtt_ms) .. " ms" or "")
      .. (at.loss and ", " .. percent(at.loss) .. " loss" or "")
  elseif read.cut_off then
    outcome = ("cut off after hop %d, before the target: max_ttl may be too low"):format(read.hops[read.last].ttl)
  elseif read.last then
    outcome = (read.reached == false and "not reached, " or "") .. "last answer from hop " .. read.hops[read.last].ttl
  else
    outcome = (read.measured or read.error) and "nothing answered" or "nothing was sent"
  end
  if read.error then
    outcome = text.clean(read.error) .. (outcome ~= "" and "; " .. outcome or "")
  end
  return out, outcome
end

-- What routers said in refusal; without an address it is this machine that did.
local function refusal_of(hop)
  for _, node in ipairs(fields.list(hop.hop.nodes)) do
    if fields.refuses(node) and not fields.text(node.ip) then
      return "this machine has no route to the target, or may not send to it"
    end
  end
  return ("hop %d said: no route to the target, or refused"):format(hop.ttl)
end

local function notes_of(read, verdicts)
  local out = {}
  for _, hop in ipairs(read.hops) do
    out[#out + 1] = hop.refused and refusal_of(hop) or nil
  end
  for h, verdict in ipairs(verdicts) do
    -- A silent hop shows as such; nothing after the last answer can be judged one by one.
    if verdict.evidence and #read.hops[h].nodes > 0 and verdict.loss then
      out[#out + 1] = ("loss at hop %d %s: %s"):format(verdict.ttl, VERDICTS[verdict.verdict], verdict.evidence)
    end
  end
  for _, jump in ipairs(rtt.jumps_of(read)) do
    local crossing = jump.asn and jump.from_asn and jump.asn ~= jump.from_asn
      and (" (%s to %s)"):format(jump.from_asn, jump.asn) or ""
    out[#out + 1] = ("+%s ms from hop %d to hop %d%s, kept to the end"):format(ms(jump.kept_ms), jump.from_ttl,
      jump.ttl, crossing)
  end
  return out
end

---@class traceroute.Row
---@field node traceroute.PathNode? nil for a silent hop
---@field hop table the hop with its `verdict`
---@field first boolean the first row of its hop

---@class traceroute.Block
---@field title string
---@field outcome string
---@field rows traceroute.Row[]
---@field notes string[]

---One path.
---@param target traceroute.TargetResult
---@param colo traceroute.ColoResult
---@return traceroute.Block
function rows.block(target, colo)
  local read = path.read(colo, fields.text(target.target)) or { hops = {} }
  local verdicts = loss.verdicts_of(read)
  local title, outcome = title_of(target, colo, read)
  local block = { title = title, outcome = outcome, rows = {}, notes = notes_of(read, verdicts) }
  for h, hop in ipairs(read.hops) do
    hop.verdict = verdicts[h].verdict
    for n = 1, math.max(#hop.nodes, 1) do
      block.rows[#block.rows + 1] = { node = hop.nodes[n], hop = hop, first = n == 1 }
    end
  end
  return block
end

---What all colos of a target say together, in lines; none for fewer than two colos.
---@param target traceroute.TargetResult
---@return string[]
function rows.overview(target)
  local all = summary.summary(target)
  if not all or all.colos < 2 then
    return {}
  end
  local out = { ("%s: reached from %d of %d colos%s"):format(text.clean(all.target or "?"), all.reached, all.colos,
    all.failed > 0 and (", %d failed"):format(all.failed) or "") }
  if all.rtt_ms.median then
    out[2] = ("RTT: best %s ms (%s), median %s ms, worst %s ms (%s)"):format(ms(all.rtt_ms.best),
      text.clean(all.rtt_ms.best_colo), ms(all.rtt_ms.median), ms(all.rtt_ms.worst), text.clean(all.rtt_ms.worst_colo))
  end
  for _, group in ipairs(all.as_paths) do
    out[#out + 1] = ("%d x %s"):format(group.count, group.as_path ~= "" and group.as_path or "no AS known")
  end
  return out
end

---All paths of a result, and what each target's colos say together.
---@param result traceroute.Result
---@return traceroute.Block[] blocks
---@return string[][] overviews those that say something
function rows.blocks(result)
  local blocks, overviews, last = {}, {}, nil
  for target, colo in hops.paths(result) do
    blocks[#blocks + 1] = rows.block(target, colo)
    if target ~= last then
      local overview = rows.overview(target)
      overviews[#overviews + 1] = overview[1] and overview
      last = target
    end
  end
  return blocks, overviews
end

return rows
