-- How fast the module is, beside what else people use, all of it measured in the same run. `make bench` runs it and
-- prints one table of ratios with their targets; README=1 puts that into README.md, between its two marks.
--
-- Environment: ROUNDS (5) of each measurement, one after the other so that what else the machine does hits all alike;
-- NODE_PATH where the Node SDK is; LOOP the program made of clients/loop.c.

package.path = "./?.lua;" .. package.path

local cjson = require "cjson"
local host = require "spec.support.host"
local service = require "spec.bench.service"

host.clean_environment()

local ROUNDS = tonumber(os.getenv("ROUNDS") or "") or 5
local LOOP = assert(os.getenv("LOOP"), "make bench runs this")
local LUA = arg[-1]
local CLIENTS = "spec/bench/clients/"
local RATE = 16 -- MB a second of a slow answer

local ANSWERS = {
  small = { targets = 1, colos = 1 },
  middle = { targets = 2, colos = 10 },
  big = { targets = 10, colos = 330 },
  newer = { targets = 10, colos = 330, is_newer = true },
  one = { targets = 1, colos = 330 },
  three = { targets = 3, colos = 330 },
  six = { targets = 6, colos = 330 },
}
for i = 0, 15 do
  ANSWERS["from" .. i * 10 + 1] = { targets = 10, colos = 2, before = i * 10 }
end

local PROGRAMS = {
  { name = "curl", says = "curl's own process", is_floor = true }, -- its command is made by ask_for
  { name = "module", command = LUA .. " " .. CLIENTS .. "module.lua", is_ours = true },
  { name = "script", command = LUA .. " " .. CLIENTS .. "script.lua", says = "the hand-written script" },
  { name = "jq", command = "sh " .. CLIENTS .. "jq.sh", says = "curl with jq" },
  { name = "node", command = "node " .. CLIENTS .. "sdk.js", says = "the Node SDK" },
  { name = "python", command = "env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt python3 " .. CLIENTS .. "sdk.py",
    says = "the Python SDK", is_optional = true },
}

local INSIDE = LUA .. " " .. CLIENTS .. "inside.lua "

local nginx

local function median(values)
  table.sort(values)
  local middle = (#values + 1) / 2
  return (values[math.floor(middle)] + values[math.ceil(middle)]) / 2
end

-- ---- running things ----

local function body_of(answer)
  local names = {}
  for i = 1, ANSWERS[answer] and ANSWERS[answer].targets or 1 do
    names[i] = "target" .. i .. ".example"
  end
  return cjson.encode { targets = names }, #names
end

-- Everything that follows asks for the answer of that name, at `base` if that is another one.
local function ask_for(answer, base)
  local body, count = body_of(answer)
  host.setenv("BODY", body)
  host.setenv("TARGETS", tostring(count))
  host.setenv("BASE_URL", nginx:url(base or answer))
  PROGRAMS[1].command = ("curl -sf -o /dev/null -H 'Authorization: Bearer x' " ..
    "-H 'Content-Type: application/json' -d '%s' %s/accounts/account/diagnostics/traceroute"):format(
    body, nginx:url(base or answer))
end

local function run(command)
  local output, status = host.run(command)
  assert(status == 0, command .. " failed: " .. output)
  return output
end

local function figure(command)
  return assert(tonumber(run(command):match("%S+")), command .. " printed no number")
end

-- The median over all rounds of what each function gives, asked in turn.
local function in_turn(...)
  local lists, medians = {}, {}
  for round = 1, ROUNDS do
    for i, measure in ipairs { ... } do
      lists[i] = lists[i] or {}
      lists[i][round] = measure()
    end
  end
  for i, list in ipairs(lists) do
    medians[i] = median(list)
  end
  return (table.unpack or unpack)(medians)
end

local function figures_of(...)
  local measures = {}
  for i, command in ipairs { ... } do
    measures[i] = function() return figure(command) end
  end
  return in_turn((table.unpack or unpack)(measures))
end

-- Medians of both figures that the command prints.
local function two_figures_of(command)
  local first, second = {}, {}
  for round = 1, ROUNDS do
    local one, other = run(command):match("(%S+)%s+(%S+)")
    first[round], second[round] = tonumber(one), tonumber(other)
  end
  return median(first), median(second)
end

-- ---- whole processes ----

local programs, missing = {}, {}

local function find_programs()
  ask_for("small")
  for _, program in ipairs(PROGRAMS) do
    local output, status = host.run(program.command .. " 2>/dev/null")
    if status == 0 then
      programs[#programs + 1] = program
    else
      assert(program.is_optional, program.command .. " failed: " .. output)
      missing[#missing + 1] = program
    end
  end
end

-- A benchmark of programs that count differently is none.
local function check_counts()
  local count
  for _, program in ipairs(programs) do
    local output = not program.is_floor and run(program.command)
    count = count or output
    assert(not output or output == count, program.command .. " counts otherwise")
  end
end

-- ms by program, medians over all runs of all rounds.
local function whole_processes(answer, runs)
  local json, times, words = nginx.directory .. "/hyperfine.json", {}, {}
  ask_for(answer)
  check_counts()
  for i, program in ipairs(programs) do
    words[i], times[i] = host.quote(program.command), {}
  end
  for _ = 1, ROUNDS do
    run(("hyperfine -N --style none --warmup 1 --runs %d --export-json %s %s 2>&1"):format(
      runs, host.quote(json), table.concat(words, " ")))
    for i, result in ipairs(cjson.decode(host.read(json)).results) do
      for _, time in ipairs(result.times) do
        table.insert(times[i], time * 1e3)
      end
    end
  end
  local medians = {}
  for i, program in ipairs(programs) do
    medians[program.name] = median(times[i])
  end
  return medians
end

-- MB at the highest, of the process alone.
local function peak(command)
  return tonumber(run(("/usr/bin/time -f %%M -o %s/peak %s >/dev/null && cat %s/peak"):format(
    nginx.directory, command, nginx.directory))) / 1024
end

-- ---- instructions ----

local FEW, MORE = 20, 520 -- so many that the collector's cycles and Lua's seed weigh little

-- Instructions of the whole process, and by function with all that it called.
local function count_instructions(command)
  local out, by_name = nginx.directory .. "/callgrind.out", {}
  run(("valgrind --tool=callgrind --callgrind-out-file=%s %s 2>&1"):format(out, command))
  for line in run("callgrind_annotate --inclusive=yes --threshold=100 " .. out):gmatch("[^\n]+") do
    local count, name = line:match("^ *([%d,]+) %(.-%) +(.+)$")
    if count then
      name = name:match("/csrc/[%w_]+%.c:([%w_]+)") or name:match("^csrc/[%w_]+%.c:([%w_]+)") or name
      by_name[name] = math.max(by_name[name] or 0, tonumber((count:gsub(",", ""))))
    end
  end
  return by_name
end

-- Thousands for one more call in the same process, by function.
local function instructions_per_call(command)
  local few, more = count_instructions(command .. " " .. FEW), count_instructions(command .. " " .. MORE)
  local each = {}
  for name, count in pairs(more) do
    each[name] = (count - (few[name] or 0)) / (MORE - FEW) / 1e3
  end
  return each
end

-- ---- the last byte ----

-- ms from the last byte that reached a process that was waiting for it to the return of create.
local function after_last_byte()
  local trace = run(("strace -f -ttt -e trace=recvfrom,write %s once 2>&1"):format(INSIDE))
  local last, returned
  for line in trace:gmatch("[^\n]+") do
    local at, rest = line:match("(%d+%.%d+) (.*)")
    if rest and rest:find("^write%(2, \"returned") then
      returned = returned or tonumber(at)
    elseif rest and rest:find("^recvfrom") and tonumber(rest:match("= (%d+)$") or 0) > 100 then
      last = tonumber(at)
    end
  end
  return (assert(returned, trace) - last) * 1e3
end

-- ---- the table ----

local lines = {}

local function print_line(...)
  lines[#lines + 1] = string.format(...)
  print(lines[#lines])
end

local function table_head(...)
  print_line("| %s |", table.concat({ ... }, " | "))
  print_line("|%s", ("---|"):rep(select("#", ...)))
end

-- `relation` is "at most", "at least" or nil.
local function verdict(value, relation, target)
  if not relation then
    return ""
  end
  local is_met = relation == "at most" and value <= target or relation == "at least" and value >= target
  return ("%s %s%s"):format(relation, tostring(target), is_met and "" or " MISSED")
end

local function ratio(name, unit, ours, whose, theirs, relation, target)
  print_line("| %s | " .. unit .. " | %s, " .. unit .. " | %.3g | %s |", name, ours, whose, theirs, ours / theirs,
    verdict(ours / theirs, relation, target))
end

local function absolute(name, unit, ours, relation, target)
  print_line("| %s | " .. unit .. " | | | %s |", name, ours, verdict(ours, relation, target))
end

-- By answer and program.
local PROCESS_TARGETS = {
  small = { curl = 1.1, node = 0.033, python = 0.033 },
  middle = { curl = 1.2 },
  big = { script = 0.6, node = 0.25, python = 0.04 },
}

local function process_rows(answer, runs)
  local times = whole_processes(answer, runs)
  for _, program in ipairs(programs) do
    if not program.is_ours then
      local target = PROCESS_TARGETS[answer][program.name]
      ratio(answer .. ", whole process", "%.1f ms", times.module, program.says, times[program.name],
        target and "at most", target)
    end
  end
  for _, program in ipairs(missing) do
    local target = PROCESS_TARGETS[answer][program.name]
    if target then
      print_line("| %s, whole process | %.1f ms | %s: not installed here | | at most %s NOT MEASURED |", answer,
        times.module, program.says, tostring(target))
    end
  end
end

local function find(name)
  for _, program in ipairs(programs) do
    if program.name == name then
      return program.command
    end
  end
end

local function memory_rows()
  ask_for("big")
  for _, name in ipairs { "script", "node" } do
    local ours, theirs = in_turn(function() return peak(find("module")) end, function() return peak(find(name)) end)
    ratio("big, peak memory", "%.1f MB", ours, name == "node" and "the Node SDK" or "the hand-written script", theirs,
      name == "script" and "at most", 0.7)
  end
end

local function inside_rows()
  ask_for("big", "slow/big")
  absolute(("big at %d MB/s and under strace, from the last byte to create's return"):format(RATE), "%.1f ms",
    in_turn(after_last_byte), "at most", 25)
  ask_for("small")
  local ours, theirs = figures_of(INSIDE .. "one 1000", LOOP .. " one 1000")
  ratio("small, kept alive", "%.0f calls/s", ours, "a bare libcurl loop in C", theirs, "at least", 0.85)
  ask_for("small", "read/small")
  ours, theirs = figures_of(INSIDE .. "many 100", LOOP .. " many 100")
  ratio("small, 100 at once", "%.0f calls/s", ours, "the same with libcurl's multi handle", theirs)
  -- What is as usual is checked by the way; only what goes through lua-cjson can be had without.
  ask_for("newer")
  ours, theirs = two_figures_of(INSIDE .. "validation 3")
  ratio("big with an unknown field in each colo, so by lua-cjson: validation", "%.0f ms", ours, "`validate = false`",
    theirs, "at most", 1.15)
  host.setenv("ANSWER", nginx.directory .. "/answers/big.json")
  absolute("big, lua-cjson's decoding of the text alone", "%.0f ms", figures_of(INSIDE .. "cjson 1"))
  ours, theirs = two_figures_of(INSIDE .. "require")
  absolute('`require "traceroute"`', "%.1f ms", ours, "at most", 2)
  absolute("loading the core, by the first call", "%.1f ms", theirs)
end

-- Where a small call on a kept-alive connection goes, and what others take for a part of it.
local function profile_table()
  ask_for("small")
  host.setenv("ANSWER", nginx.directory .. "/answers/small.json")
  local ours = instructions_per_call(INSIDE .. "one")
  local total, rest = ours["PROGRAM TOTALS"], ours["PROGRAM TOTALS"]
  print_line("")
  table_head("a small call, kept alive", "thousands of instructions", "share")
  local function part(name, count)
    rest = rest - count
    print_line("| %s | %.0f | %.0f %% |", name, count, count / total * 100)
  end
  part("tables, checked, straight from the text", ours.tr_usual_push)
  part("libcurl, TLS included", ours.tr_reactor_run - ours.on_body)
  part("following the bytes for what is complete", ours.on_body)
  part("arguments and the beginning", ours.tr_create_start)
  part("the rest", rest)
  print_line("| all of it | %.0f | 100 %% |", total)
  for name, command in pairs {
    ["beside: a bare libcurl loop in C for the same bytes"] = LOOP .. " one",
    ["beside: lua-cjson alone, decoding the same text"] = INSIDE .. "cjson",
  } do
    local count = instructions_per_call(command)["PROGRAM TOTALS"]
    print_line("| %s | %.0f | %.0f %% |", name, count, count / total * 100)
  end
end

local FLAT = 1.2

local function nodes_of(answer)
  return select(2, host.read(("%s/answers/%s.json"):format(nginx.directory, answer)):gsub('"min_rtt_ms"', ""))
end

-- Time and memory beyond what a small call takes.
local function growth_table()
  print_line("")
  table_head("targets x colos", "nodes", "time", "peak memory", "for 1,000 nodes, beyond a small call")
  ask_for("small")
  local function now() return host.now() end
  local function seconds()
    local began = now()
    run(find("module"))
    return now() - began
  end
  local base_time, base_peak = in_turn(seconds, function() return peak(find("module")) end)
  print_line("| a small call | %d | %.0f ms | %.1f MB | |", nodes_of "small", base_time * 1e3, base_peak)
  local first, last
  for _, answer in ipairs { "one", "three", "six", "big" } do
    ask_for(answer)
    local nodes = nodes_of(answer)
    local time, top = in_turn(seconds, function() return peak(find("module")) end)
    last = { time = (time - base_time) * 1e6 / nodes, memory = (top - base_peak) * 1e3 / nodes }
    first = first or last
    print_line("| %d x 330 | %d | %.0f ms | %.1f MB | %.2f ms, %.2f MB |", ANSWERS[answer].targets, nodes,
      time * 1e3, top, last.time, last.memory)
  end
  local more_time, more_memory = last.time / first.time, last.memory / first.memory
  print_line("| the last beside the first | | | | %.2f x, %.2f x; at most %.1f x%s |", more_time, more_memory, FLAT,
    math.max(more_time, more_memory) > FLAT and " MISSED" or "")
end

local function concurrency_table()
  print_line("")
  table_head("`concurrency`", "160 targets, each answer after 0.1 s", "speed")
  host.setenv("BASE_URL", nginx:url("many"))
  local counts, commands = { 1, 2, 4, 8, 16 }, {}
  for i, count in ipairs(counts) do
    commands[i] = INSIDE .. "concurrency " .. count
  end
  local times = { figures_of((table.unpack or unpack)(commands)) }
  for i, count in ipairs(counts) do
    print_line("| %d | %.2f s | %.1f x |", count, times[i], times[1] / times[i])
  end
end

local function into_readme()
  local text = host.read("README.md")
  local from = select(2, text:find("<!-- what make bench printed last -->\n", 1, true))
  local to = text:find("<!-- until here -->", from, true)
  host.write("README.md", text:sub(1, from) .. "\n" .. table.concat(lines, "\n") .. "\n\n" .. text:sub(to))
end

local function main()
  nginx = service.start { answers = ANSWERS, rate = RATE .. "m" }
  nginx:trust()
  host.setenv("NODE_EXTRA_CA_CERTS", nginx.directory .. "/ca.pem")
  find_programs()
  local sizes = nginx.sizes
  print_line("%s, %s, %s, node %s with cloudflare %s, nginx on loopback with TLS; medians of %d rounds. Answers: " ..
    "small %.1f kB, middle %.0f kB, big %.1f MB.\n", jit and jit.version or _VERSION,
    run("curl --version"):match("libcurl/%S+"), run("jq --version"):match("%S+"), run("node --version"):match("%S+"),
    cjson.decode(host.read(os.getenv("NODE_PATH") .. "/cloudflare/package.json")).version, ROUNDS,
    sizes.small / 1e3, sizes.middle / 1e3, sizes.big / 1e6)
  table_head("", "the module", "beside", "ratio", "target")
  process_rows("small", 10)
  process_rows("middle", 10)
  process_rows("big", 2)
  memory_rows()
  inside_rows()
  profile_table()
  growth_table()
  concurrency_table()
  nginx:stop()
  if (os.getenv("README") or "") ~= "" then
    into_readme()
  end
end

main()
