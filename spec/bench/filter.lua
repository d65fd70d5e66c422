-- filter: how long hops.filter takes over a big result, beside lua-cjson's decoding of the same text
-- in the same run. Fails when a filter takes longer.
--   LUA_PATH="./lua/?.lua;./?.lua;;" lua spec/bench/filter.lua

local cjson = require "cjson"
local hops = require "traceroute.hops"
local generate = require "spec.bench.generate"

local RUNS = 5
local encoded = generate.generate(10, 330, 15, 1)

local function median(work)
  local times = {}
  for run = 1, RUNS do
    collectgarbage()
    collectgarbage()
    local start = os.clock()
    work()
    times[run] = os.clock() - start
  end
  table.sort(times)
  return times[math.ceil(RUNS / 2)]
end

local decode = median(function() return cjson.decode(encoded) end)
local result = cjson.decode(encoded)
local count = #hops.filter(result)
print(("%s: %.1f MB, %d nodes, decoded in %.0f ms"):format(jit and jit.version or _VERSION, #encoded / 1e6, count,
  decode * 1000))

local worst = 0
for _, case in ipairs {
  { "no criteria", nil },
  { "responded", { responded = true } },
  { "ip in 198.18.0.0/15", { ip = "198.18.0.0/15" } },
  { "asn", { asn = 13335 } },
  { "name pattern", { name = "colo7%." } },
  { "one colo", { colo = "col07" } },
  { "loss and RTT", { loss = { min = 1 }, rtt = { max = 20 } } },
  { "predicate", { where = function(record) return record.ttl == 3 end } },
} do
  local ratio = median(function() return assert(hops.filter(result, case[2])) end) / decode
  worst = math.max(worst, ratio)
  print(("  filter, %-20s %5.2f x decoding"):format(case[1], ratio))
end
os.exit(worst < 1 and 0 or 1)
