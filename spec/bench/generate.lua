-- generate: results of any size as JSON text, the same for the same seed on every Lua. It knows the
-- API's shape and what real paths look like: shared first hops, load-balanced nodes, silent hops,
-- loss; and nothing of the module.
--   lua spec/bench/generate.lua [targets [colos [hops [seed]]]] > result.json

local generate = {}

-- Park and Miller's generator: small enough for the doubles of every Lua.
local function random_from(seed)
  local state = seed % 2147483646 + 1
  return function(low, high)
    state = state * 16807 % 2147483647
    return low + math.floor(state / 2147483647 * (high - low + 1))
  end
end

-- As few digits as lead back to the same double, as the service writes them.
local function shortest(number)
  for digits = 15, 16 do
    local text = ("%%.%dg"):format(digits):format(number)
    if tonumber(text) == number then
      return text
    end
  end
  return ("%.17g"):format(number)
end

-- Of RTTs in whole microseconds, which makes means and deviations long. `name` is rtt or latency.
local function statistics(name, base, random, count)
  local sum, least, most, rtts = 0, math.huge, 0, {}
  for i = 1, count do
    local rtt = base * 1000 + random(0, 99) + (i > 1 and random(0, 2900) or 0)
    rtts[i], sum, least, most = rtt, sum + rtt, math.min(least, rtt), math.max(most, rtt)
  end
  local mean, squares = sum / count, 0
  for i = 1, count do
    squares = squares + (rtts[i] - mean) * (rtts[i] - mean) -- ^ is not the same on every Lua
  end
  local deviation = count > 1 and math.sqrt(squares / (count - 1)) / 1000 or 0
  return ('"max_%s_ms":%s,"mean_%s_ms":%s,"min_%s_ms":%s'):format(name, shortest(most / 1000), name,
    shortest(mean / 1000), name, shortest(least / 1000)), ('"std_dev_%s_ms":%s'):format(name, shortest(deviation))
end

local function node(ip, name, asn, base, random, count)
  local times, deviation = statistics("rtt", base, random, count)
  return ('{"asn":"%s","ip":"%s","labels":null,%s,"name":"%s","packet_count":%d,%s}'):format(asn, ip, times, name,
    count, deviation)
end

local SILENT = '{"asn":"","ip":"","labels":null,"max_rtt_ms":0,"mean_rtt_ms":0,"min_rtt_ms":0,' ..
  '"name":"NO RESPONSE","packet_count":3,"std_dev_rtt_ms":0}'

local function hop(target, colo, ttl, last, random)
  local nodes, lost = {}, 0
  local base = ttl * 4 + colo % 7
  local asn = "AS" .. (ttl < 4 and 13335 or ttl < last - 2 and 174 + colo % 5 or 64496 + target)
  if ttl == last then
    nodes[1] = node("203.0.113." .. target, "target" .. target .. ".example", asn, base, random, 3)
  elseif random(1, 12) == 1 then
    nodes[1], lost = SILENT, 3
  elseif random(1, 3) == 1 then
    for n = 1, 2 do
      local ip = ("10.%d.%d.%d"):format(colo % 256, ttl, n)
      nodes[n] = node(ip, ip, asn, base, random, 3 - n)
    end
  else
    lost = random(1, 10) == 1 and 1 or 0
    local ip = ("198.18.%d.%d"):format(ttl, colo % 256)
    nodes[1] = node(ip, ("ae%d.cr%d.colo%d.example.net"):format(ttl, colo % 9, colo), asn, base, random, 3 - lost)
  end
  return ('{"nodes":[%s],"packets_lost":%d,"packets_sent":3,"packets_ttl":%d}'):format(
    table.concat(nodes, ","), lost, ttl)
end

local function path(target, colo, hops, random)
  local parts = {}
  for ttl = 1, hops do
    parts[ttl] = hop(target, colo, ttl, hops, random)
  end
  local times, deviation = statistics("latency", hops * 4 + colo % 7, random, 3)
  return ('{"colo":{"city":"City %d, XX","name":"col%02d"},"error":"","hops":[%s],"target_summary":' ..
    '{"asn":"","ip":"203.0.113.%d",%s,"name":"target%d.example","packet_count":3,%s},"traceroute_time_ms":%d}'):format(
    colo, colo, table.concat(parts, ","), target, times, target, deviation, random(900, 9000))
end

---JSON text of the array of targets (what stands under "result" in the API's envelope).
---@param targets integer at most 254
---@param colos integer
---@param hops integer hops of each path, the last one being the target
---@param seed integer
---@param before? integer targets that others have: the first is called target1.example without it
---@return string
function generate.generate(targets, colos, hops, seed, before)
  local random = random_from(seed)
  local out = {}
  before = before or 0
  for i = 1, targets do
    local target = before + i
    local paths = {}
    for colo = 1, colos do
      paths[colo] = path(target, colo, hops, random)
    end
    out[i] = ('{"colos":[%s],"target":"target%d.example"}'):format(table.concat(paths, ","), target)
  end
  return "[" .. table.concat(out, ",") .. "]"
end

if arg and arg[0] and arg[0]:find("generate%.lua$") then
  io.write(generate.generate(tonumber(arg[1]) or 10, tonumber(arg[2]) or 330, tonumber(arg[3]) or 15,
    tonumber(arg[4]) or 1), "\n")
end

return generate
