-- Many calls with faults mixed in, and what the process has grown by afterwards: `soak.lua CALLS`. Prints its figures;
-- the exit status is bad if a call did not end as it should, or memory or descriptors have grown.
--
-- What is judged are the calls after the first 2,000 (or two thirds of them, if there are fewer than 3,000). What
-- libc's heap has in use, all libraries' blocks but Lua's own, and what Lua has, are looked at before them and after
-- them, each time without a connection: they stay the same to within a few hundred bytes however many calls there are,
-- so that a block lost every hundred calls shows. The resident set is looked at every hundred calls, after full
-- collections: the most of the last quarter against the most of the first, for the calls between; allocators settle
-- for long, so that some growth is allowed however few the calls are, and a little for each call.
--
-- Where it was more, twice as many calls are made and judged by themselves, and if need be twice as many again: what
-- settles comes to an end, what leaks does not. A few descriptors are allowed, as a prober comes and goes; what leaks
-- one a round leaks dozens.

local host = require "spec.support.host"
host.clean_environment()

local built = require "spec.support.built"
local garbage = require "spec.support.garbage"
local server = require "spec.support.server"
local traceroute = require "traceroute"

io.stdout:setvbuf "no" -- its buffer is part of the heap

local CALLS_MIN, CALLS_STEP = 1000, 200
local CALLS = tonumber((...) or 20000)
if not CALLS or CALLS < CALLS_MIN or CALLS % CALLS_STEP ~= 0 then
  io.stderr:write(("CALLS has to be a multiple of %d, %d at the least\n"):format(CALLS_STEP, CALLS_MIN))
  os.exit(2)
end

local SETTLING_MAX = 256 * 1024 -- bytes
local BYTES_A_CALL_MAX = 16
local HEAP_MAX = 2048 -- bytes
local LUA_MAX = 16 * 1024 -- bytes; this program keeps its samples
local DESCRIPTORS_MAX = 4
local AGAIN_MAX = 2
local SAMPLE = 100
local WARM_UP = math.min(2000, math.floor(CALLS / 150) * SAMPLE)
local PROBE = 50 -- one call of these is a probe

local PAGE = tonumber((host.run("getconf PAGESIZE")))

local function resident()
  collectgarbage()
  collectgarbage()
  local pages = host.read("/proc/self/statm"):match("^%d+ (%d+)")
  return tonumber(pages) * PAGE
end

local function descriptors()
  local count = 0
  for _ in host.run("ls /proc/$PPID/fd"):gmatch("%d+") do
    count = count + 1
  end
  return count
end

local stand_in = server.start()
local refusing = server.free_port()

local function targets(count)
  local list = {}
  for i = 1, count do
    list[i] = "192.0.2." .. i
  end
  return list
end

local function options(behaviour, more)
  return stand_in:options(behaviour, { retries = 0, token = "secret", quota = 0, timeout = 30 }, more)
end

-- A call, and the kind of error it ends with; "" for none.
local function create(count, behaviour, more)
  local result, err = traceroute.create(stand_in.account, targets(count), options(behaviour, more))
  assert(err or #result == count, "a result for each target")
  return err and err.kind or ""
end

-- What happens to a call that is under way.
local function started(count, behaviour, what)
  local job = assert(traceroute.start(stand_in.account, targets(count), options(behaviour)))
  job:step(0.002)
  what(job)
  local _, err = job:result()
  return err and err.kind or ""
end

local function cancel(job)
  job:cancel()
end

-- name, how often in a round, what is done, the kind of error expected
local MIX = {
  { "whole", 6, function() return create(2, "ok") end, "" },
  { "several requests", 2, function() return create(25, "ok") end, "" },
  { "HTTP/1.1", 2, function() return create(2, "ok", { listener = "http11" }) end, "" },
  { "compressed", 1, function() return create(2, "gzip") end, "" },
  { "tried again", 2, function()
    return create(12, "retry/1/503/ms:1/" .. stand_in:key(), { retries = 2 })
  end, "" },
  { "refused by the service", 1, function() return create(2, "status/403/10000") end, "permission" },
  { "an error of the service", 1, function() return create(2, "html/502") end, "server" },
  { "one request fails", 1, function() return create(12, "fail_target/192.0.2.12/500") end, "server" },
  { "wrong JSON", 2, function(n)
    local _, err = traceroute.create(stand_in.account, "192.0.2.1", options("garbage/" .. n % #garbage + 1))
    return (garbage[n % #garbage + 1].lenient and not err) and "invalid_response" or err and err.kind or ""
  end, "invalid_response" },
  { "wrong types", 1, function()
    return create(2, "wrong/result.1.colos.1.hops.1.packets_sent/string")
  end, "invalid_response" },
  { "cut off", 1, function() return create(2, "cut/700") end, "connection" },
  { "closed", 1, function() return create(2, "close") end, "connection" },
  { "bad compression", 1, function() return create(2, "bad_gzip") end, "invalid_response" },
  { "refused connection", 1, function()
    return create(2, "ok", { base_url = "https://127.0.0.1:" .. refusing })
  end, "connection" },
  { "no trust", 1, function() return create(2, "ok", { listener = "expired" }) end, "connection" },
  { "no time", 1, function() return create(2, "hang", { timeout = 0.02 }) end, "timeout" },
  { "cancelled", 1, function() return started(12, "hang", cancel) end, "cancelled" },
  { "cancelled in the answer", 1, function() return started(12, "hang_after/900", cancel) end, "cancelled" },
  { "cancelled with its descriptor", 1, function()
    return started(2, "slow/1000", function(job)
      assert(job:fd())
      job:cancel()
    end)
  end, "cancelled" },
  { "forgotten", 1, function()
    assert(traceroute.start(stand_in.account, targets(12), options("hang"))):step(0.002)
    collectgarbage()
    return ""
  end, "" },
  { "a bad argument", 1, function() return create(0, "ok") end, "invalid_request" },
  { "on_progress says no", 1, function()
    return create(12, "ok", { concurrency = 1, on_progress = function() return false end })
  end, "cancelled" },
  { "on_progress raises", 1, function()
    return create(12, "ok", { concurrency = 1, on_progress = function() error {} end })
  end, "cancelled" },
}

local PROBES = {
  { "a probe", 1, function()
    local result, err = traceroute.probe("127.0.0.1", { resolve = false, asn = false, packets_per_ttl = 1 })
    return err and err.kind or #result == 1 and "" or "nothing"
  end, "" },
  { "a cancelled probe", 1, function()
    local job = assert(traceroute.survey("127.0.0.1", { resolve = false, asn = false, rate = 1 }))
    job:step(0.002)
    job:cancel()
    return select(2, job:result()).kind
  end, "cancelled" },
}

local round = {}
for _, entry in ipairs(MIX) do
  for _ = 1, entry[2] do
    round[#round + 1] = entry
  end
end

local function most(samples, from, to)
  local value = 0
  for i = from, to do
    value = math.max(value, samples[i])
  end
  return value
end

-- Bytes a call, by the least squares of the samples.
local function slope(samples, from)
  local n, sx, sy, sxx, sxy = 0, 0, 0, 0, 0
  for i = from, #samples do
    local x, y = i * SAMPLE, samples[i]
    n, sx, sy, sxx, sxy = n + 1, sx + x, sy + y, sxx + x * x, sxy + x * y
  end
  return (n * sxy - sx * sy) / (n * sxx - sx * sx)
end

local in_use = assert(package.loadlib(built.program("soak/heap.so"), "luaopen_heap"))()

-- Bytes of libc's heap but for Lua's own, and those, once all connections are closed. LuaJIT's are not libc's.
local function held()
  debug.getregistry()["traceroute.reactor"] = nil
  collectgarbage()
  collectgarbage()
  local lua = collectgarbage("count") * 1024
  return in_use() - (rawget(_G, "jit") and 0 or lua), lua
end

local samples, wrong, opened = {}, 0, nil
local heap, lua_heap -- when what is judged began

local function call(from, to)
  for n = from, to do
    local entry = n % PROBE == 0 and PROBES[n / PROBE % 2 + 1] or round[n % #round + 1]
    local kind = entry[3](n)
    if kind ~= entry[4] then
      wrong = wrong + 1
      print(("call %d, %s: %q instead of %q"):format(n, entry[1], kind, entry[4]))
    end
    if n % SAMPLE == 0 then
      samples[#samples + 1] = resident()
      if n == SAMPLE then
        held() -- what the first time leaves is no growth
      elseif n == WARM_UP then
        heap, lua_heap = held()
        opened = descriptors()
      end
    end
    if n % 1000 == 0 then
      stand_in:reset()
    end
  end
end

-- Whether memory has grown since that sample, said in words.
local function has_grown(since)
  local first = since + 1
  local quarter = math.floor((#samples - first + 1) / 4)
  local before, after = most(samples, first, first + quarter - 1), most(samples, #samples - quarter + 1, #samples)
  local between = (#samples - first + 1 - quarter) * SAMPLE
  local growth, allowed = after - before, SETTLING_MAX + BYTES_A_CALL_MAX * between
  print(("resident: %.0f kB after %d calls, at most %.0f kB in the first quarter after them, %.0f kB in the last")
    :format(samples[since] / 1024, since * SAMPLE, before / 1024, after / 1024))
  print(("growth: %.0f kB in %d calls, at most %.0f kB allowed; slope: %.2f bytes a call"):format(
    growth / 1024, between, allowed / 1024, slope(samples, first)))
  local heap_now, lua_now = held()
  local heap_growth, lua_growth = heap_now - heap, lua_now - lua_heap
  print(("heap: %.0f bytes, then %+.0f, at most %d allowed"):format(heap, heap_growth, HEAP_MAX))
  print(("Lua's: %.0f bytes, then %+.0f, at most %d allowed"):format(lua_heap, lua_growth, LUA_MAX))
  heap, lua_heap = heap_now, lua_now
  return growth > allowed or heap_growth > HEAP_MAX or lua_growth > LUA_MAX
end

-- lua-cjson keeps the largest buffer that it needed.
for i = 1, #garbage do
  traceroute.create(stand_in.account, "192.0.2.1", options("garbage/" .. i))
end

local began = host.now()
call(1, CALLS)
local seconds, grown = host.now() - began, has_grown(WARM_UP / SAMPLE)
for again = 1, AGAIN_MAX do
  if grown then
    local since = #samples
    call(since * SAMPLE + 1, since * SAMPLE + (CALLS - WARM_UP) * 2 ^ again)
    grown = has_grown(since)
  end
end
local left = descriptors()
stand_in:stop()

print(("%d calls in %.0f s, %d of them not as they should be"):format(CALLS, seconds, wrong))
print(("descriptors: %d, then %d, at most %d allowed"):format(opened, left, opened + DESCRIPTORS_MAX))
local is_fine = wrong == 0 and not grown and left <= opened + DESCRIPTORS_MAX
print(is_fine and "fine" or "grown, or wrong")
os.exit(is_fine and 0 or 1, true)
