-- A program for locale_spec.lua: prints all that a script may draw of two answers, in a locale that is set before the
-- module is loaded or after its first call. Arguments: the locale, before | after, the base URL, the file of CAs.

local locale, moment, base_url, ca_file = arg[1], arg[2], arg[3], arg[4]

local function set()
  assert(os.setlocale(locale), "no such locale")
end

if moment == "before" then
  set()
end

local json = require "traceroute.json"
local traceroute = require "traceroute"

local function ask(behaviour)
  local opts = { base_url = base_url:gsub("ok", behaviour), ca_file = ca_file, token = "secret", quota = 0 }
  local result, err, info = traceroute.create("023e105f4ecef8ad9ca31a8372d0c353", "a.example", opts)
  assert(result and not err and #info.dropped == 0, tostring(err))
  return result
end

ask "ok"
assert(assert(json.decode "[0.5]")[1] == 0.5)
if moment == "after" then
  set()
end
io.stderr:write(os.setlocale(nil, "numeric"))

local usual, unusual = ask "ok", ask "newer"
usual[2], unusual[2] = ask("ok")[1], ask("newer")[1]
print(json.encode { a_b = 1, aB = 2, ab = 3, b = 4, A = 5 })
for _, result in ipairs { usual, unusual } do
  assert(result[1].colos[1].hops[1].nodes[1].mean_rtt_ms % 1 > 0, "no fraction to look at")
  local other = assert(json.result(assert(json.encode(result))))
  assert(other[1].colos[1].hops[1].nodes[1].mean_rtt_ms == result[1].colos[1].hops[1].nodes[1].mean_rtt_ms)
  for _, target in ipairs(other) do
    for _, colo in ipairs(target.colos) do
      local last = colo.hops[#colo.hops]
      last.packets_lost = last.packets_sent - 1
      last.nodes[1].mean_rtt_ms = last.nodes[1].mean_rtt_ms + 80.5
      colo.target_summary.mean_rtt_ms = last.nodes[1].mean_rtt_ms
    end
  end
  for _, format in ipairs { "json", "jsonl" } do
    print(assert(traceroute.report[format](result)))
    print(assert(traceroute.report[format](other)))
  end
  for _, format in ipairs { "table", "markdown", "csv", "prometheus", "dot" } do
    print(assert(traceroute.report[format](result)))
    print(assert(traceroute.report[format](other)))
  end
  print(assert(traceroute.report.diff(traceroute.analysis.diff(result, other))))
  print(assert(traceroute.report.both_ways(result, other)))
end
