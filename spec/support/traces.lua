-- Makes the results that the stand-in answers: plausible traces that depend on nothing but what was
-- asked. Knows no HTTP, so a spec can make here what it expects.

local json = require "spec.support.json"

local traces = {}

traces.COLOS = { "den01", "sin02" }

local CITIES = { den01 = "Denver, CO, US", sin02 = "Singapore, SG", ams01 = "Amsterdam, NL" }
local DEFAULTS = { max_ttl = 15, packets_per_ttl = 3 }

-- A small number between 0 and `below` - 1 that stands for the text.
local function digest(text, below)
  local sum = 7
  for i = 1, #text do
    sum = (sum * 31 + text:byte(i)) % 65521
  end
  return sum % below
end

local function node(ip, name, asn, base, count)
  return {
    ip = ip,
    name = name,
    asn = asn,
    labels = json.array {},
    min_rtt_ms = base,
    mean_rtt_ms = base + 0.125,
    max_rtt_ms = base + 0.25,
    std_dev_rtt_ms = 0.125,
    packet_count = count,
  }
end

local SILENT = {
  ip = "", name = "NO RESPONSE", asn = "",
  min_rtt_ms = 0, mean_rtt_ms = 0, max_rtt_ms = 0, std_dev_rtt_ms = 0, packet_count = 0,
}

local function is_address(target)
  return target:find(":", 1, true) ~= nil or target:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
end

-- Where a target answers from: itself, or an address that stands for the name.
function traces.address(target)
  if is_address(target) then
    return target
  end
  return ("203.0.113.%d"):format(1 + digest(target, 250))
end

-- The nodes of the hops on the way, each a function of sent probes and a base RTT: a gateway, a silent
-- hop without a node, a silent hop with a NO RESPONSE node, two nodes that share the load, one that
-- loses a probe, the target.
local function way(target, colo)
  local seed = digest(target .. "@" .. colo, 200)
  local six = target:find(":", 1, true) ~= nil
  local function ip(n)
    return six and ("2001:db8:%x::%x"):format(seed, n) or ("198.51.%d.%d"):format(seed, n)
  end
  local base = 1 + seed / 8
  return {
    function(sent) return { node(ip(1), "_gateway", "AS13335", 0.5, sent) }, 0 end,
    function(sent) return {}, sent end,
    function(sent) return { SILENT }, sent end,
    function(sent)
      local first = math.ceil(sent / 2)
      local nodes = { node(ip(4), "a.core.example", "AS64500", base, first) }
      if sent > first then
        nodes[2] = node(ip(5), ip(5), "AS64500", base + 1, sent - first)
      end
      return nodes, 0
    end,
    function(sent)
      local lost = sent > 1 and 1 or 0
      return { node(ip(6), "edge.example", "*", base + 2, sent - lost) }, lost
    end,
    function(sent)
      return { node(traces.address(target), target, "AS64501", base + 3, sent) }, 0
    end,
  }
end

local function summary(target, hops, reached)
  local last = reached and hops[#hops].nodes[1]
  return {
    ip = traces.address(target),
    name = target,
    asn = "",
    min_latency_ms = last and last.min_rtt_ms or 0,
    mean_latency_ms = last and last.mean_rtt_ms or 0,
    max_latency_ms = last and last.max_rtt_ms or 0,
    std_dev_latency_ms = last and last.std_dev_rtt_ms or 0,
    packet_count = last and last.packet_count or 0,
  }
end

-- One element of colos[]. A target under "error-<n>." gets that error and no hops.
function traces.colo(target, colo, options)
  options = options or {}
  local code = target:match("^error%-(%d)%.")
  local answer = {
    colo = { name = colo, city = CITIES[colo] or "Somewhere" },
    error = code and "Could not gather traceroute data: Code " .. code or "",
    hops = json.array {},
    traceroute_time_ms = 100 + digest(target .. colo, 900),
  }
  local sent = options.packets_per_ttl or DEFAULTS.packets_per_ttl
  local steps = way(target, colo)
  local length = code and 0 or math.min(#steps, options.max_ttl or DEFAULTS.max_ttl)
  for ttl = 1, length do
    local nodes, lost = {}, 0
    if sent > 0 then
      nodes, lost = steps[ttl](sent)
    end
    answer.hops[ttl] = {
      packets_ttl = ttl,
      packets_sent = sent,
      packets_lost = lost,
      nodes = json.array(nodes),
    }
  end
  answer.target_summary = summary(target, answer.hops, length == #steps and sent > 0)
  return answer
end

-- The array `result` for a request's decoded body.
function traces.result(request)
  local result = json.array {}
  for i, target in ipairs(request.targets) do
    local colos = json.array {}
    for j, colo in ipairs(request.colos or traces.COLOS) do
      colos[j] = traces.colo(target, colo, request.options)
    end
    result[i] = { target = target, colos = colos }
  end
  return result
end

-- Turns the order of the targets and of each target's colos round, in place.
function traces.reverse(result)
  local function turn(list)
    for i = 1, math.floor(#list / 2) do
      list[i], list[#list + 1 - i] = list[#list + 1 - i], list[i]
    end
  end
  turn(result)
  for _, target in ipairs(result) do
    turn(target.colos)
  end
  return result
end

return traces
