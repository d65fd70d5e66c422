-- probe: what surveys from here take, beside Debian's traceroute, mtr and scamper in the same lab and the same run:
-- wall time, CPU and memory for 1, 100 and 1,000 targets 15 hops away, 3 packets each. Root only.
--   make bench-probe RATE=2000 TARGETS="1 100 1000" PATHS="instant distant" SAMPLE=10 README=1
-- The paths are of two kinds: instant, where every router answers within microseconds, as none does out there; and
-- distant, where the answer takes up to 60 ms and two of the routers are silent. What is to be reached is judged on
-- the distant ones: a program that waits for nobody shows nothing. Those that trace one target at a time run for SAMPLE
-- targets at most, and their figures are multiplied. Memory is the peak of a program's largest process; of those that
-- trace one target, of one of them. README=1 puts the distant paths' figures into README.md, between its two marks.

local host = require "spec.support.host"
local lab = require "spec.support.lab"
local prober = require "spec.support.prober"

local RATE = tonumber(os.getenv("RATE") or "") or 2000
local SAMPLE = tonumber(os.getenv("SAMPLE") or "") or 10
local HOPS, PACKETS, MTR_SAMPLE = 15, 3, 5
local DELAY = 10 -- ms, three times on each way of a distant path

-- What is to be reached, for so many targets on distant paths.
local JUDGED = { targets = 100, scamper = 1.1, traceroute = 1 / 20, mtr = 1 / 4 }

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

-- Peak KiB of the largest process that a command runs, which writes nothing.
local function peak(command)
  local said, status = net:exec("source", "/usr/bin/time -q -f '=%M' " .. command)
  assert(status == 0, said)
  return tonumber(said:match("=(%d+)%s*$"))
end

-- mtr waits for its mtr-packet, whose share is in its figure: so much CPU takes one that is told the same.
local function packet_alone(address)
  local lines = {}
  for token = 1, HOPS * PACKETS do
    lines[token] = ("%d send-probe ip-4 %s ttl %d timeout 1"):format(token, address, (token - 1) % HOPS + 1)
  end
  -- At the end of its input it would spin until the last probe is lost. Nothing here but mtr-packet is a program.
  local _, cpu = timed(("{ printf '%%s\\n' \"$(<%s)\"; read -t 1.5 <> <(:); } | mtr-packet >/dev/null"):format(
    child:file(table.concat(lines, "\n") .. "\n")))
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

-- What a command takes for the first targets of the list, one after another: wall and CPU seconds, and for how many.
local function one_by_one(list, most, command)
  local wall, cpu, sample = 0, 0, math.min(#list, most)
  for i = 1, sample do
    local seconds, spent = timed(command:format(list[i]))
    wall, cpu = wall + seconds, cpu + spent
  end
  return wall, cpu, sample
end

local function verdict(value, most)
  return value <= most and ("reached (at most %.2f)"):format(most) or ("missed (at most %.2f)"):format(most)
end

-- What README.md says of the distant paths: a row for each number of targets.
local readme = {
  "| targets | wall time | scamper | traceroute, one after another | CPU a probe | mtr's | peak memory | scamper, "
    .. "traceroute, mtr |",
  "|---|---|---|---|---|---|---|---|",
}

local function mib(kib)
  return ("%.1f"):format(kib / 1024)
end

local function run(kind, count)
  local list, file = list_of(count)
  local per_target = HOPS * PACKETS
  print(("\n%s paths, targets: %d, %d hops, %d packets, %d packets/s"):format(kind, count, HOPS, PACKETS, RATE))
  row("", "wall s", "CPU s", "probes", "us/probe", "MiB")
  local said = child:run(SURVEY:format(RATE, count, PACKETS, file), net:prefix("source"))
  local wall, own, theirs, sent, lost, memory, other = said:match(
    "^([%d.]+)%s+([%d.e-]+)%s+([%d.e-]+)%s+(%d+)%s+(%d+)%s+(%d+)%s+(%d+)")
  assert(wall, said)
  wall, own, theirs, sent = tonumber(wall), tonumber(own), tonumber(theirs), tonumber(sent)
  figures("traceroute.probe", wall, own, sent, tonumber(memory))
  figures("  its mtr-packet", wall, theirs, sent, tonumber(other))
  local scamper_command = ("scamper -p %d -c 'trace -P icmp-paris -q %d -Q -w 1' -o /dev/null -f %s"):format(
    RATE, PACKETS, file)
  local scamper, scamper_cpu = timed(scamper_command)
  local scamper_memory = peak(scamper_command)
  figures("scamper", scamper, scamper_cpu, count * per_target, scamper_memory)

  local function multiplied(name, seconds, cpu, sample, peak_memory)
    local note = count > sample and (" (%d, x %g)"):format(sample, count / sample) or ""
    figures(name .. note, seconds * count / sample, cpu * count / sample, count * per_target, peak_memory)
  end
  local command = ("sh -c 'exec traceroute -n -I -q %d -w 1 %%s >/dev/null'"):format(PACKETS)
  local each, each_cpu, sample = one_by_one(list, SAMPLE, command)
  local each_memory = peak(command:format(list[1]))
  multiplied("traceroute", each, each_cpu, sample, each_memory)
  each = each * count / sample
  local mtr, mtr_cpu, packet_cpu
  command = ("sh -c 'exec mtr -n --report -c %d -i 0.1 -G 0.5 %%s >/dev/null'"):format(PACKETS)
  mtr, mtr_cpu, sample = one_by_one(list, MTR_SAMPLE, command)
  local mtr_memory = peak(command:format(list[1]))
  packet_cpu = 0
  for i = 1, sample do
    packet_cpu = packet_cpu + packet_alone(list[i])
  end
  mtr_cpu = math.max(mtr_cpu - packet_cpu, 0)
  multiplied("mtr --report", mtr, mtr_cpu, sample, mtr_memory)
  multiplied("  its mtr-packet", mtr, packet_cpu, sample)

  local ratios = { scamper = wall / scamper, traceroute = wall / each,
    mtr = (own / sent) / (mtr_cpu / (sample * per_target)) }
  print(("wall: %.2f x scamper's, %.3f x traceroute's one after another; CPU a probe: %.2f x mtr's; lost %d"):format(
    ratios.scamper, ratios.traceroute, ratios.mtr, lost))
  if kind == "distant" then
    readme[#readme + 1] = ("| %d | %.2f s | %.2f s | %.1f s | %.1f µs | %.1f µs | %s MiB, mtr-packet %s MiB | "
      .. "%s, %s, %s MiB |"):format(count, wall, scamper, each, own / sent * 1e6, mtr_cpu / sample / per_target * 1e6,
      mib(memory), mib(other), mib(scamper_memory), mib(each_memory), mib(mtr_memory))
  end
  if kind == "distant" and count == JUDGED.targets then
    for _, name in ipairs { "scamper", "traceroute", "mtr" } do
      print(("  beside %s: %s"):format(name, verdict(ratios[name], JUDGED[name])))
    end
  end
end

local function into_readme()
  local text = host.read("README.md")
  local _, from = text:find("<!-- what make bench-probe printed last -->\n", 1, true)
  local to = text:find("<!-- until here -->", from, true)
  host.write("README.md", text:sub(1, from) .. "\n" .. table.concat(readme, "\n") .. "\n\n" .. text:sub(to))
end

local ok, why = lab.available()
if not ok then
  print(why)
  os.exit(1)
end
child = prober.start()
local done, said = pcall(function()
  for kind in (os.getenv("PATHS") or "instant distant"):gmatch("%a+") do
    net = lab.start { far = HOPS, delay = kind == "distant" and DELAY or nil }
    for count in (os.getenv("TARGETS") or "1 100 1000"):gmatch("%d+") do
      run(kind, tonumber(count))
    end
    net:stop()
    net = nil
  end
end)
if net then
  net:stop()
end
child:stop()
assert(done, said)
if (os.getenv("README") or "") ~= "" then
  into_readme()
end
