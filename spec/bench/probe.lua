-- probe: what surveys from here take, beside Debian's traceroute, mtr and scamper in the same lab and the same run:
-- wall time, CPU and memory for 1, 100 and 1,000 targets 15 hops away, 3 packets each. Root only.
--   make bench-probe RATE=1000

local host = require "spec.support.host"
local lab = require "spec.support.lab"
local prober = require "spec.support.prober"

local RATE = tonumber(os.getenv("RATE") or "") or 1000
local HOPS, PACKETS, SAMPLE = 15, 3, 5

local SURVEY = [[
local uv = require "luv"
local RATE, COUNT, PACKETS, FILE = %d, %d, %d, %q
local targets = {}
for line in io.lines(FILE) do
  targets[#targets + 1] = line
end
-- Nanoseconds on a processor, of all threads.
local function spent(pid)
  local sum = 0
  for thread in io.popen("ls /proc/" .. pid .. "/task"):lines() do
    sum = sum + tonumber(read("/proc/" .. pid .. "/task/" .. thread .. "/schedstat"):match("^%%d+")) / 1e9
  end
  return sum
end
-- mtr-packet is started before, as in a process that has probed already.
traceroute.probe("127.0.0.1", { asn = false, resolve = false })
local child = children()[1].pid
local own, theirs, began = spent(own_pid()), spent(child), uv.hrtime()
local result, err = traceroute.probe(targets,
  { rate = RATE, packets_per_ttl = PACKETS, max_ttl = 30, asn = false, resolve = false })
local wall = (uv.hrtime() - began) / 1e9
own, theirs = spent(own_pid()) - own, spent(child) - theirs
assert(not err, tostring(err))
local sent, lost = 0, 0
for _, entry in ipairs(result) do
  assert(entry.colos[1].target_summary.packet_count > 0, entry.target)
  for _, hop in ipairs(entry.colos[1].hops) do
    sent, lost = sent + hop.packets_sent, lost + hop.packets_lost
  end
end
print(wall, own, theirs, sent, lost, read("/proc/self/status"):match("VmHWM:%%s+(%%d+)"),
  read("/proc/" .. child .. "/status"):match("VmHWM:%%s+(%%d+)"))
]]

local net, child

-- Runs a command in the lab: wall and CPU seconds of it and of those it waited for, peak KiB, what it printed.
local function timed(command)
  local said, status = net:exec("source", ("bash -c %s"):format(host.quote(
    "TIMEFORMAT='=%R %U %S'; time { " .. command .. "; }")))
  assert(status == 0, said)
  local wall, user, system = said:match("=([%d.]+) ([%d.]+) ([%d.]+)%s*$")
  return tonumber(wall), tonumber(user) + tonumber(system), said
end

-- mtr waits for its mtr-packet, whose share is in its figure: so much CPU takes one that is told the same.
local function packet_alone(address)
  local lines = {}
  for token = 1, HOPS * PACKETS do
    lines[token] = ("%d send-probe ip-4 %s ttl %d timeout 1"):format(token, address, (token - 1) % HOPS + 1)
  end
  local _, cpu = timed(("mtr-packet <%s >/dev/null"):format(child:file(table.concat(lines, "\n") .. "\n")))
  return cpu
end

local function list_of(count)
  local list = {}
  for i = 1, count do
    list[i] = net:far_address(i, 4)
  end
  return list, child:file(table.concat(list, "\n") .. "\n")
end

local function row(...)
  print(("%-34s %9s %9s %9s %9s %9s"):format(...))
end

local function figures(name, wall, cpu, probes, memory)
  row(name, ("%.3f"):format(wall), ("%.4f"):format(cpu), probes, ("%.1f"):format(cpu / probes * 1e6),
    memory and ("%.1f"):format(memory / 1024) or "-")
end

local function run(count)
  local list, file = list_of(count)
  local per_target = HOPS * PACKETS
  print(("\ntargets: %d, %d hops, %d packets, %d packets/s"):format(count, HOPS, PACKETS, RATE))
  row("", "wall s", "CPU s", "probes", "us/probe", "MiB")
  local said = child:run(SURVEY:format(RATE, count, PACKETS, file), net:prefix("source"))
  local wall, own, theirs, sent, lost, memory, other = said:match(
    "^([%d.]+)%s+([%d.e-]+)%s+([%d.e-]+)%s+(%d+)%s+(%d+)%s+(%d+)%s+(%d+)")
  assert(wall, said)
  wall, own, theirs, sent = tonumber(wall), tonumber(own), tonumber(theirs), tonumber(sent)
  figures("traceroute.probe", wall, own, sent, tonumber(memory))
  figures("  its mtr-packet", wall, theirs, sent, tonumber(other))
  local scamper, scamper_cpu = timed(("scamper -p %d -c 'trace -P icmp-paris -q %d -Q -w 1' -f %s >/dev/null"):format(
    RATE, PACKETS, file))
  figures("scamper", scamper, scamper_cpu, count * per_target)
  local sample = math.min(count, SAMPLE)
  local one_by_one, mtr, each_cpu, mtr_cpu, packet_cpu = 0, 0, 0, 0, 0
  for i = 1, sample do
    local seconds, cpu = timed(("traceroute -n -I -q %d -w 1 %s >/dev/null"):format(PACKETS, list[i]))
    one_by_one, each_cpu = one_by_one + seconds, each_cpu + cpu
    seconds, cpu = timed(("mtr -n --report -c %d -i 0.1 -G 0.5 %s >/dev/null"):format(PACKETS, list[i]))
    mtr, mtr_cpu, packet_cpu = mtr + seconds, mtr_cpu + cpu, packet_cpu + packet_alone(list[i])
  end
  mtr_cpu = math.max(mtr_cpu - packet_cpu, 0)
  local scale = count / sample
  local note = scale > 1 and (" (%d, x %g)"):format(sample, scale) or ""
  figures("traceroute" .. note, one_by_one * scale, each_cpu * scale, count * per_target)
  figures("mtr --report" .. note, mtr * scale, mtr_cpu * scale, count * per_target)
  figures("  its mtr-packet" .. note, mtr * scale, packet_cpu * scale, count * per_target)
  print(("wall: %.2f x scamper's, %.3f x traceroute's one after another; CPU a probe: %.2f x mtr's; lost %d"):format(
    wall / scamper, wall / (one_by_one * scale), (own / sent) / (mtr_cpu / (sample * per_target)), lost))
end

local ok, why = lab.available()
if not ok then
  print(why)
  os.exit(1)
end
net = lab.start { far = HOPS }
child = prober.start()
local done, said = pcall(function()
  for count in (os.getenv("TARGETS") or "1 100 1000"):gmatch("%d+") do
    run(tonumber(count))
  end
end)
child:stop()
net:stop()
assert(done, said)
