-- hops: walks through a result and picks from it. It must not judge what it finds (analysis does)
-- nor draw it (report does).

local address = require "traceroute.address"
local fields = require "traceroute.fields"
local invalid = require "traceroute.invalid"

local list, text, integer, number = fields.list, fields.text, fields.integer, fields.number
local find = string.find

---@class traceroute.Hops
local hops = {}

---@class traceroute.Record one node of one hop, or a hop without any; unknown fields are nil
---@field target string? as it was asked for
---@field colo string? name of the data centre
---@field city string?
---@field ttl integer?
---@field responded boolean
---@field ip string?
---@field name string?
---@field asn string? "AS13335"
---@field labels string[]? nil when there is none
---@field packets_sent integer? at this hop
---@field packets_lost integer? at this hop
---@field loss number? percent of the hop's packets, 0 to 100; nil when none was sent
---@field packet_count integer answers from this node
---@field min_rtt_ms number?
---@field mean_rtt_ms number?
---@field max_rtt_ms number?
---@field std_dev_rtt_ms number?

---@class traceroute.Range both ends included, either may be left out
---@field min number?
---@field max number?

---@class traceroute.Criteria all that are given must hold
---@field target? string|string[] one of these, as asked for
---@field colo? string|string[] one of these names
---@field ttl? integer|traceroute.Range
---@field ip? string|string[] one of these addresses or networks: "192.0.2.7", "2001:db8::/32"
---@field asn? string|integer|(string|integer)[] one of these: 13335, "AS13335"
---@field name? string a Lua pattern found in the node's name
---@field label? string|string[] the node carries one of these
---@field responded? boolean
---@field loss? traceroute.Range percent of the hop
---@field rtt? traceroute.Range mean of the node in ms; a silent node has none
---@field where? fun(record: traceroute.Record): any whatever else; what it raises is an error value

-- A part of a result, or what was made of one, has no paths: drawn as none, it would look like an answer.
local function fault(result)
  if type(result) ~= "table" then
    return "table expected, got " .. type(result)
  end
  local first = rawget(result, 1)
  if first == nil then
    return next(result) ~= nil and "the array of targets that create returns expected, got one part of it" or nil
  elseif type(first) ~= "table" then
    return "an array of targets expected, got one of " .. type(first) .. "s"
  elseif rawget(first, "colos") == nil and (rawget(first, "target") == nil or rawget(first, "responded") ~= nil) then
    return "the array of targets that create returns expected, got another one"
  end
end

---The paths of a result, in order. Read raw: no metamethod is called.
---@param result traceroute.Result
---@return (fun(): traceroute.TargetResult, traceroute.ColoResult)? iterator nil, err for what is no result
---@return traceroute.Error? err
function hops.paths(result)
  local unfit = fault(result)
  if unfit then
    return invalid.value("result", unfit)
  end
  local t, c = 0, 0
  local target, colos
  return function()
    while true do
      c = c + 1
      local colo = colos and rawget(colos, c)
      if type(colo) == "table" then
        return target, colo
      elseif colo == nil then
        t, c = t + 1, 0
        target = rawget(result, t)
        if target == nil then
          return nil
        end
        colos = list(rawget(list(target), "colos"))
      end
    end
  end
end

---Everything in a result, in order: `for target, colo, hop, node in hops.each(result) do`.
---The four are the result's own tables. A hop without nodes comes once, with node nil.
---For what is no table: nil and an error. Read raw: no metamethod is called.
---@param result traceroute.Result
---@return (fun(): traceroute.TargetResult, traceroute.ColoResult, traceroute.Hop, traceroute.Node?)? iterator
---@return traceroute.Error? err
function hops.each(result)
  local next_path, err = hops.paths(result)
  if not next_path then
    return nil, err
  end
  local target, colo, hop_list, hop, nodes
  local h, n = 0, 0
  return function()
    while true do
      if nodes then
        n = n + 1
        local node = rawget(nodes, n)
        if type(node) == "table" then
          return target, colo, hop, node
        elseif node == nil then
          nodes = nil
          if n == 1 then
            return target, colo, hop, nil
          end
        end
      elseif hop_list then
        h = h + 1
        hop = rawget(hop_list, h)
        if type(hop) == "table" then
          nodes, n = list(rawget(hop, "nodes")), 0
        elseif hop == nil then
          hop_list = nil
        end
      else
        target, colo = next_path()
        if not target then
          return nil
        end
        hop_list, h = list(rawget(colo, "hops")), 0
      end
    end
  end
end

local function bad(name, message)
  return invalid.value("criteria." .. name, message)
end

-- What `convert` makes of one value, or of each in an array of them.
local function list_of(convert, what, value, name)
  local items = {}
  if type(value) ~= "table" then
    value = { value }
  elseif value[1] == nil then
    return bad(name, "an empty list matches nothing; leave it out to match all")
  end
  for i = 1, #value do
    items[i] = convert(value[i])
    if not items[i] then
      return bad(#value > 1 and name .. "[" .. i .. "]" or name, what .. " expected, got "
        .. invalid.shown(value[i]))
    end
  end
  return items
end

local function set_of(convert, what)
  return function(value, name)
    local items, err = list_of(convert, what, value, name)
    local set = {}
    for _, item in ipairs(items or {}) do
      set[item] = true
    end
    return items and set, err
  end
end

local function networks(value, name)
  return list_of(address.network, "address or network", value, name)
end

local function range(value, name)
  if type(value) ~= "table" then
    return bad(name, "a table with min, max or both expected, got " .. type(value))
  end
  local checked, err = invalid.options(value, { min = "number", max = "number" }, "criteria." .. name)
  if not checked then
    return nil, err
  elseif value.min == nil and value.max == nil then
    return bad(name, "min, max or both expected")
  end
  return { min = value.min or -math.huge, max = value.max or math.huge }
end

local function of_type(expected)
  return function(value, name)
    if type(value) ~= expected then
      return bad(name, expected .. " expected, got " .. type(value))
    end
    return value
  end
end

-- What each criterion compiles to; also the list of their names.
local COMPILE = {
  target = set_of(text, "a target"),
  colo = set_of(text, "a colo's name"),
  ttl = function(value, name)
    if type(value) == "number" then
      return { min = value, max = value }
    end
    return range(value, name)
  end,
  ip = networks,
  asn = set_of(fields.asn, "an AS number"),
  name = of_type "string",
  label = set_of(text, "a label"),
  responded = function(value, name)
    if type(value) ~= "boolean" then
      return bad(name, "boolean expected, got " .. type(value))
    end
    return value and "yes" or "no"
  end,
  loss = range,
  rtt = range,
  where = of_type "function",
}

local function compile(criteria)
  local wanted = {}
  if criteria == nil then
    return wanted
  elseif type(criteria) ~= "table" then
    return invalid.value("criteria", "table expected, got " .. type(criteria))
  end
  for name, value in next, criteria do
    local compiler = COMPILE[name]
    if not compiler then
      return invalid.unknown(name, COMPILE, "criteria")
    end
    local compiled, err = compiler(value, name)
    if not compiled then
      return nil, err
    end
    wanted[name] = compiled
  end
  return wanted
end

local compile_any = invalid.guarded("criteria", compile)

local function within(bounds, value)
  return value ~= nil and value >= bounds.min and value <= bounds.max
end

-- Few addresses appear in many paths: each is looked at once per filter.
local function ip_matches(wanted, ip, seen)
  local match = seen[ip]
  if match == nil then
    match = false
    local bytes = address.parse(ip)
    for i = 1, bytes and #wanted or 0 do
      match = match or address.contains(wanted[i], bytes)
    end
    seen[ip] = match
  end
  return match
end

local function label_matches(wanted, labels)
  for i = 1, #labels do
    if wanted[labels[i]] then
      return true
    end
  end
  return false
end

local function node_matches(wanted, node, responded, seen)
  if wanted.responded and (wanted.responded == "yes") ~= responded then
    return false
  elseif wanted.ip and not (responded and ip_matches(wanted.ip, node.ip, seen)) then
    return false
  elseif wanted.asn and not (responded and wanted.asn[fields.asn(node.asn) or ""]) then
    return false
  elseif wanted.label and not label_matches(wanted.label, list(node.labels)) then
    return false
  elseif wanted.rtt and not (responded and within(wanted.rtt, number(node.mean_rtt_ms))) then
    return false
  elseif wanted.name then
    local name = responded and text(node.name)
    return name and find(name, wanted.name) ~= nil
  end
  return true
end

local SILENT = {}

local function record_of(target, colo, city, hop, loss, node, responded)
  local labels = node.labels
  local record = {
    target = target,
    colo = colo,
    city = city,
    ttl = integer(hop.packets_ttl),
    packets_sent = integer(hop.packets_sent),
    packets_lost = integer(hop.packets_lost),
    loss = loss,
    responded = responded,
    labels = type(labels) == "table" and labels[1] ~= nil and labels or nil,
    packet_count = 0,
    -- Named even where nil, so that the table is made in its full size at once.
    ip = responded and node.ip or nil,
    name = responded and text(node.name) or nil,
    asn = responded and fields.asn(node.asn) or nil,
    min_rtt_ms = responded and number(node.min_rtt_ms) or nil,
    mean_rtt_ms = responded and number(node.mean_rtt_ms) or nil,
    max_rtt_ms = responded and number(node.max_rtt_ms) or nil,
    std_dev_rtt_ms = responded and number(node.std_dev_rtt_ms) or nil,
  }
  if responded then
    record.packet_count = integer(node.packet_count)
  end
  return record
end

-- Appends the records of one hop that match.
local function pick_hop(found, wanted, target, colo, city, hop, seen)
  local loss = fields.loss(hop)
  if wanted.ttl and not within(wanted.ttl, number(hop.packets_ttl)) then
    return
  elseif wanted.loss and not within(wanted.loss, loss) then
    return
  end
  local nodes = list(hop.nodes)
  local where = wanted.where
  for n = 1, math.max(#nodes, 1) do
    local node = nodes[n] == nil and SILENT or nodes[n]
    if type(node) == "table" then
      local responded = fields.answered(node)
      if node_matches(wanted, node, responded, seen) then
        local record = record_of(target, colo, city, hop, loss, node, responded)
        if not where or where(record) then
          found[#found + 1] = record
        end
      end
    end
  end
end

local function pick(result, wanted)
  local found, seen = {}, {}
  for target, colo in hops.paths(result) do
    local asked = text(target.target)
    local name, city = fields.colo(colo)
    if not (wanted.target and not wanted.target[asked or ""]) and not (wanted.colo and not wanted.colo[name or ""]) then
      local hop_list = list(colo.hops)
      for h = 1, #hop_list do
        local hop = hop_list[h]
        if type(hop) == "table" then
          pick_hop(found, wanted, asked, name, city, hop, seen)
        end
      end
    end
  end
  return found
end

-- The same with a predicate, whose faults are values like all others.
local function pick_where(result, wanted)
  local where, is_inside = wanted.where, false
  wanted.where = function(record)
    is_inside = true
    local verdict = where(record)
    is_inside = false
    return verdict
  end
  local ran, found = pcall(pick, result, wanted)
  if ran then
    return found
  end
  if not is_inside then
    error(found, 0)
  end
  return bad("where", invalid.reason(found))
end

local function filter(result, criteria)
  local paths, wanted, err
  paths, err = hops.paths(result)
  if not paths then
    return nil, err
  end
  wanted, err = compile_any(criteria)
  if not wanted then
    return nil, err
  end
  local pick_from = wanted.where and pick_where or pick
  if not wanted.name then
    return pick_from(result, wanted)
  end
  -- A pattern shows that it is malformed only where it gets to: try it on every name beforehand.
  for _, _, _, node in hops.each(result) do
    local name = node and text(node.name)
    local fine, message = pcall(find, name or "", wanted.name)
    if not fine then
      return bad("name", (message:gsub("^.-:%d+: ", "")))
    end
  end
  return pick_from(result, wanted)
end

---Flat records of the nodes that meet all criteria, in the order of the result; without criteria
---every node once. A hop without nodes gives one record that did not respond, as a silent node does.
---@param result traceroute.Result
---@param criteria? traceroute.Criteria
---@return traceroute.Record[]? records
---@return traceroute.Error? err what cannot be read as a result; an unknown or malformed criterion
hops.filter = invalid.guarded({ "result", "criteria" }, filter)

return hops
