-- What calls in flight cost the other requests of an nginx worker. `make bench-nginx` runs it: wrk asks /ping of one
-- worker steadily while calls are in flight, and everything is compared with the idle worker of the same run.
--
-- Environment: ROUNDS (5), of which each figure is the median, or the worst if it is a longest wait; SECONDS (3) of
-- each measurement.

package.path = "./?.lua;" .. package.path

local cjson = require "cjson"
local host = require "spec.support.host"
local server = require "spec.support.server"
local worker = require "spec.support.worker"

host.clean_environment()

local ROUNDS = tonumber(os.getenv("ROUNDS")) or 5
local SECONDS = tonumber(os.getenv("SECONDS")) or 3
local CORES = tonumber((host.run("nproc")))
-- The worker, with the thread of its transfers, has one core; what asks and what answers share another.
local WORKER_CORE, OTHER_CORE = CORES > 1 and 1 or 0, 0

local LOCATIONS = [[
  location = /load { content_by_lua_block { require("spec.bench.load").start() } }
  location = /stop { content_by_lua_block { require("spec.bench.load").stop() } }
  location = /flying { content_by_lua_block { ngx.print(ngx.shared.load:get("flying") or 0) } }
  location = /done { content_by_lua_block { ngx.print(ngx.shared.load:get("done") or 0) } }
  location = /timed { content_by_lua_block { require("spec.bench.load").timed() } }
  location = /stall { content_by_lua_block { require("spec.bench.load").stall() } }
]]

local function median(values)
  table.sort(values)
  local middle = (#values + 1) / 2
  return (values[math.floor(middle)] + values[math.ceil(middle)]) / 2
end

-- Columns that are a longest wait: of these the worst round counts, or a stall in one of them would not show.
local LONGEST = { max = true, busy = true }

local function sum_up(list)
  local sums = {}
  for name in pairs(list[1]) do
    local values = {}
    for i, row in ipairs(list) do
      values[i] = row[name]
    end
    sums[name] = LONGEST[name] and math.max(unpack(values)) or median(values)
  end
  return sums
end

-- ---- processes and cores ----

local function pin(master, core, nice)
  local pids = master .. " " .. (host.read(("/proc/%d/task/%d/children"):format(master, master)) or "")
  for pid in pids:gmatch("%d+") do
    host.run(("{ taskset -a -p -c %d %s; renice -n %d -p %s; } >/dev/null 2>&1"):format(core, pid, nice, pid))
  end
end

-- Nanoseconds that each thread of the process has run: the first, and the others together.
local function cpu_of(pid)
  local first, others = 0, 0
  for tid in host.run(("ls /proc/%d/task"):format(pid)):gmatch("%d+") do
    local ran = tonumber((host.read(("/proc/%d/task/%s/schedstat"):format(pid, tid)) or "0"):match("^%d+"))
    if tonumber(tid) == pid then
      first = ran
    else
      others = others + ran
    end
  end
  return first, others
end

-- ---- wrk ----

local WRK_SCRIPT = [[
function delay() return %d end
function done(summary, latency)
  io.write(("\nresult %%.3f %%.3f %%.3f %%.3f %%d\n"):format(summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
      + summary.errors.timeout))
end
]]

-- Asks /ping over one connection, `pause` ms after each answer: requests/s, p50, p99 and max in ms.
local function wrk(nginx, pause, seconds)
  local script = nginx.directory .. "/wrk.lua"
  host.write(script, WRK_SCRIPT:format(pause))
  local output = host.run(("nice -n -10 taskset -c %d wrk -t1 -c1 -d%ds -s %s %s 2>/dev/null"):format(
    OTHER_CORE, seconds, host.quote(script), host.quote(nginx:url("/ping"))))
  local rate, p50, p99, max, errors = output:match("result (%S+) (%S+) (%S+) (%S+) (%S+)")
  assert(rate, "wrk said nothing")
  assert(tonumber(errors) == 0, "wrk got errors")
  return { rate = tonumber(rate), p50 = tonumber(p50), p99 = tonumber(p99), max = tonumber(max) }
end

-- Latency from a steady ask, one a millisecond, and what the worker ran meanwhile; requests/s from a greedy one.
local function measure(nginx, pid)
  local first, others = cpu_of(pid)
  local done, began = tonumber((nginx:get("/done"))), host.now()
  local row = wrk(nginx, 1, SECONDS)
  local first_after, others_after = cpu_of(pid)
  local seconds = host.now() - began
  row.calls = (tonumber((nginx:get("/done"))) - done) / seconds
  row.worker = (first_after - first) / 1e9 / seconds
  row.thread = (others_after - others) / 1e9 / seconds
  row.rate = wrk(nginx, 0, math.ceil(SECONDS / 2)).rate
  return row
end

-- ---- what is measured ----

local stand_in, nginx, pid

local function start()
  nginx = worker.start { locations = LOCATIONS, http = "lua_shared_dict load 1m;" }
  pid = tonumber((nginx:get("/pid")))
  pin(nginx:master_pid(), WORKER_CORE, 0)
end

local function path(location, base, query)
  query.base, query.ca = base, stand_in.ca_file
  return worker.path(location, query)
end

local function with_load(base, calls, stagger, targets)
  nginx:get(path("/load", base, { n = calls, stagger = stagger, targets = targets }))
  assert(worker.await(function()
    return tonumber((nginx:get("/flying"))) == calls
  end), "the calls did not take off")
  local row = measure(nginx, pid)
  assert(tonumber((nginx:get("/flying"))) == calls, "a call failed: see nginx's error log")
  nginx:get("/stop")
  assert(worker.await(function()
    return tonumber((nginx:get("/flying"))) == 0
  end), "the calls did not end")
  return row
end

local function curl()
  return ("curl -s --cacert %s -H 'Authorization: Bearer x' -H 'Content-Type: application/json'"):format(
    stand_in.ca_file)
end

local function url_of(behaviour)
  return host.quote(stand_in:url(behaviour) .. "/accounts/a/diagnostics/traceroute")
end

local BIG_TARGETS = "t1,t2,t3,t4,t5,t6,t7,t8,t9,t10"

-- The whole answer for ten targets and all colos, as a file: building it would keep the other core busy.
local function big_answer()
  local out = stand_in.directory .. "/big.json"
  host.run(("%s -d '{}' -o %s %s"):format(curl(), out, url_of("big/10/330/22")))
  local body = host.read(out)
  return stand_in:raw("big", body), #body
end

-- ms: in the location, and by curl over one connection.
local function call_of_200_ms(count)
  local here = cjson.decode((nginx:get(path("/timed", stand_in:url("slow/200"), { n = count }), 600)))
  local urls = (" -o /dev/null " .. url_of("slow/200")):rep(count + 1)
  local output = host.run(("taskset -c %d %s -d '{\"targets\":[\"one.example\"]}' -w '%%{time_total}\\n' %s"):format(
    WORKER_CORE, curl(), urls))
  local there = {}
  for seconds in output:gmatch("[%d.]+\n") do
    there[#there + 1] = tonumber((seconds:gsub("\n", ""))) * 1000
  end
  table.remove(there, 1) -- with the handshake
  return { here = median(here), there = median(there) }
end

-- ms that the worker's loop was away at the longest, without and with 100 handshakes in the thread.
local function new_connections()
  local idle = cjson.decode((nginx:get(path("/stall", stand_in:url("slow/300", "http11"), { n = 0 }))))
  local busy = cjson.decode((nginx:get(path("/stall", stand_in:url("slow/300", "http11"), { n = 100 }))))
  assert(busy.right == 100, "a call failed")
  return { idle = idle.longest, busy = busy.longest }
end

-- ---- the table ----

local function head(megabytes)
  print(("nginx %s, one worker on core %d with the thread of its transfers; wrk and the stand-in on core %d."):format(
    host.run("nginx -v 2>&1"):match("/(%S+)") or "?", WORKER_CORE, OTHER_CORE))
  print("/ping over one connection: latency from one request a millisecond, requests/s from as many as it takes.")
  print(("Medians of %d rounds of %d s, of max the worst; in parentheses the ratio to the idle worker."):format(
    ROUNDS, SECONDS))
  print(("Large answer: %.1f MB.\n"):format(megabytes))
  print(("%-22s %17s %16s %16s %16s %15s %15s"):format(
    "calls in flight", "requests/s", "p50 ms", "p99 ms", "max ms", "worker's CPU", "thread's CPU"))
end

local function line(name, row, idle)
  local function ratio(value, base)
    return ("(%.2f)"):format(value / base)
  end
  print(("%-22s %9.0f %7s %8.3f %7s %8.3f %7s %8.3f %7s %13.2f %% %13.2f %%"):format(
    name, row.rate, ratio(row.rate, idle.rate), row.p50, ratio(row.p50, idle.p50), row.p99,
    ratio(row.p99, idle.p99), row.max, ratio(row.max, idle.max), row.worker * 100, row.thread * 100))
end

local function verdict(name, value, unit, target)
  print(("%-58s %9.3f %-3s (at most %s) %s"):format(name, value, unit, target, value <= target and "" or "MISSED"))
end

local function main()
  stand_in = server.start()
  pin(tonumber(host.read(stand_in.directory .. "/nginx.pid")), OTHER_CORE, 10)
  local big, size = big_answer()
  local rows, timed, fresh = { {}, {}, {}, {} }, {}, {}
  for round = 1, ROUNDS do
    start()
    nginx:get(path("/timed", stand_in:url("ok"), { n = 5 }))
    rows[1][round] = measure(nginx, pid)
    rows[2][round] = with_load(stand_in:url("slow/2000"), 100, 2)
    rows[3][round] = with_load(stand_in:url("slow/2000"), 500, 2)
    rows[4][round] = with_load(big, 1, 0, BIG_TARGETS)
    timed[round] = call_of_200_ms(10)
    fresh[round] = new_connections()
    nginx:stop()
    io.stderr:write(("round %d of %d\n"):format(round, ROUNDS))
  end
  stand_in:stop()
  local idle, hundred, many, large = sum_up(rows[1]), sum_up(rows[2]), sum_up(rows[3]), sum_up(rows[4])
  head(size / 1e6)
  line("0", idle, idle)
  line("100, of 2 s each", hundred, idle)
  line("500, of 2 s each", many, idle)
  line("1, of 17 MB each", large, idle)
  print()
  for _, loaded in ipairs { { 100, hundred }, { 500, many } } do
    local calls, row = loaded[1], loaded[2]
    local more = row.worker + row.thread - idle.worker - idle.thread
    print(("%d in flight: %.4f %% of a core for each of them; %.1f calls/s, %.2f ms of CPU for each"):format(
      calls, more * 100 / calls, row.calls, more * 1000 / row.calls))
  end
  print(("17 MB answers taken in: %.1f a second\n"):format(large.calls))
  local call, handshakes = sum_up(timed), sum_up(fresh)
  verdict("p99 at 500 in flight, ratio to the idle worker's", many.p99 / idle.p99, "", 2.5)
  verdict(("p50 of a 200 ms call: 200 and what it takes beyond curl's %.3f"):format(call.there),
    200 + call.here - call.there, "ms", 201.5)
  verdict("longest wait of a ping through 17 MB, above the idle max", large.max - idle.max, "ms", 5)
  verdict(("longest away during 100 new TLS connections (idle %.1f)"):format(handshakes.idle), handshakes.busy,
    "ms", 30)
end

main()
