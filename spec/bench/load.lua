-- Runs in the nginx that is measured: keeps calls in flight, times calls, and watches how long the worker's loop is
-- away. Knows nothing of what the figures are compared with.

local caller = require "spec.support.caller"
local cjson = require "cjson"
local ffi = require "ffi"
local traceroute = require "traceroute"

ffi.cdef [[
  struct load_time { long seconds, nanoseconds; };
  int clock_gettime(int clock, struct load_time *time);
]]

local load = {}

local CLOCK_MONOTONIC = 1
local moment = ffi.new("struct load_time")

-- ms
local function now()
  ffi.C.clock_gettime(CLOCK_MONOTONIC, moment)
  return tonumber(moment.seconds) * 1e3 + tonumber(moment.nanoseconds) / 1e6
end

local function call_until_stopped(_, targets, opts)
  local shared = ngx.shared.load
  shared:incr("flying", 1, 0)
  while not shared:get("stop") do
    local _, err = traceroute.create("account", targets, opts)
    if err then
      ngx.log(ngx.ERR, "the load failed: ", tostring(err))
      break
    end
    shared:incr("done", 1, 0)
  end
  shared:incr("flying", -1)
end

--- Keeps the query's `n` calls in flight, begun over `stagger` seconds, each as a request of its own: a timer is one.
function load.start()
  local targets, opts = caller.query()
  local count, stagger = tonumber(ngx.var.arg_n), tonumber(ngx.var.arg_stagger)
  ngx.shared.load:delete("stop")
  for i = 1, count do
    assert(ngx.timer.at(stagger * i / count, call_until_stopped, targets, opts))
  end
end

function load.stop()
  ngx.shared.load:set("stop", true)
end

--- ms of each of `n` calls, one after the other, the first left out: it opens the connection.
function load.timed()
  local targets, opts = caller.query()
  local list = {}
  for i = 0, tonumber(ngx.var.arg_n) do
    local began = now()
    assert(traceroute.create("account", targets, opts))
    list[i] = now() - began
  end
  list[0] = nil
  ngx.print(cjson.encode(list))
end

--- The longest time, in ms, that the worker's loop was away while `n` calls began at once, each over a connection of
--- its own.
function load.stall()
  local targets, opts = caller.query()
  local longest, is_over = 0, false
  local probe = ngx.thread.spawn(function()
    local last = now()
    while not is_over do
      ngx.sleep(0.001)
      longest = math.max(longest, now() - last - 1)
      last = now()
    end
  end)
  ngx.sleep(0.05)
  local threads, right = {}, 0
  for i = 1, tonumber(ngx.var.arg_n) do
    threads[i] = ngx.thread.spawn(traceroute.create, "account", targets, opts)
  end
  for _, thread in ipairs(threads) do
    local _, result = ngx.thread.wait(thread)
    right = right + (result and 1 or 0)
  end
  ngx.sleep(0.3)
  is_over = true
  ngx.thread.wait(probe)
  ngx.print(cjson.encode { longest = longest, right = right })
end

return load
