local arguments = require "traceroute.cli.arguments"
local cli = require "traceroute.cli"
local host = require "spec.support.host"
local json = require "traceroute.json"
local report = require "traceroute.report"
local sample = require "spec.support.sample"
local traceroute = require "traceroute"

local node = sample.node

-- A machine of tables: what was written where, and what calls were made.
local function machine(f)
  f = f or {}
  local m = { output = "", errors = "", files = f.files or {}, env = f.env or {}, calls = {}, pauses = {} }
  m.out = function(s)
    m.output = m.output .. s
    return true
  end
  m.err = function(s) m.errors = m.errors .. s end
  m.read = function(name)
    if m.files[name] then
      return m.files[name]
    end
    return nil, name .. ": No such file or directory", 2
  end
  m.write = function(name, content)
    if f.full then
      return nil, name .. ": No space left on device"
    end
    m.files[name] = content
    return true
  end
  m.read_input = function() return m.files["-"] or "" end
  m.is_same = function(a, b) return a:gsub("^%./", "") == b:gsub("^%./", "") end
  m.is_terminal = function(stream) return f.terminal and f.terminal[stream] or false end
  m.columns = function() return f.columns end
  m.getenv = function(name) return m.env[name] end
  m.now = function() return "2025-01-31 12:00:00Z" end
  m.pause = function(seconds)
    m.pauses[#m.pauses + 1] = seconds
    return true
  end
  local answers = f.answers or {}
  local function job(...)
    m.calls[#m.calls + 1] = { ... }
    local given = answers[math.min(#m.calls, #answers)] or {}
    local opts = select(select("#", ...), ...)
    for _, progress in ipairs(opts.on_progress and f.progress or {}) do
      opts.on_progress(progress)
    end
    return { interrupted = given.interrupted, result = function() return given[1], given[2], given[3] or {} end }
  end
  m.traceroute = {
    VERSION = "9.8.7",
    plan = traceroute.plan,
    start = function(account, targets, opts) return job("start", account, targets, opts) end,
    survey = function(targets, opts) return job("survey", targets, opts) end,
    wait = function(started)
      if started.interrupted then
        error("interrupted!", 0)
      end
      return started:result()
    end,
  }
  return m
end

local function run(argv, f)
  local m = machine(f)
  local words = {}
  for word in argv:gmatch("%S+") do
    words[#words + 1] = word
  end
  return cli.main(words, m), m
end

local function result(ip, rtt)
  return sample.result("a.example", sample.path({ colo = "den01", ip = "203.0.113.1", mean = rtt or 30 }, {
    { 10, 0, node(ip or "10.0.0.1") }, { 10, 2, node("203.0.113.1", { mean = rtt or 30, count = 8 }) } }))
end

local GOOD = { answers = { { result() } } }

local function failure(kind, message)
  return setmetatable({ kind = kind, message = message }, {
    __tostring = function(e) return e.kind .. ": " .. e.message end,
  })
end

describe("cf-traceroute", function()
  it("traces from the data centres named, by the API's option names", function()
    local status, m = run("a.example 192.0.2.1 --account abc --from den01,sin02 --type tcp --port 443 --max-ttl 20 " ..
      "--packets 10 --wait 2 --timeout 90 --retries 1 --concurrency 8 --base-url https://x/ --ca-file ca.pem " ..
      "--proxy http://p/", GOOD)
    assert.equal(0, status)
    assert.same({ { "start", "abc", { "a.example", "192.0.2.1" }, {
      colos = { "den01", "sin02" }, packet_type = "tcp", port = 443, max_ttl = 20, packets_per_ttl = 10, wait_time = 2,
      timeout = 90, retries = 1, concurrency = 8, base_url = "https://x/", ca_file = "ca.pem", proxy = "http://p/",
    } } }, m.calls)
    assert.equal(report.table(result()), m.output)
    assert.equal("", m.errors)
  end)

  it("traces from here", function()
    local status, m = run("a.example --here --type udp", GOOD)
    assert.equal(0, status)
    assert.same({ { "survey", { "a.example" }, { packet_type = "udp" } } }, m.calls)
  end)

  it("joins the lists of an option that is given several times", function()
    local _, m = run("x --from den01 --from sin02,fra01 --targets one --targets two", { answers = GOOD.answers,
      files = { one = "a.example", two = "b.example" } })
    assert.same({ "den01", "sin02", "fra01" }, m.calls[1][4].colos)
    assert.same({ "x", "a.example", "b.example" }, m.calls[1][3])
    _, m = run("a.example --columns ttl --columns loss --no-notes", GOOD)
    assert.equal(report.table(result(), { columns = { "ttl", "loss" }, notes = false }), m.output)
  end)

  it("reads targets from a file", function()
    local _, m = run("first --targets hosts", { answers = GOOD.answers,
      files = { hosts = "# all\na.example b.example\r\n\n  c.example # the third\n" } })
    assert.same({ "first", "a.example", "b.example", "c.example" }, m.calls[1][3])
    assert.equal(2, (run("--targets hosts", { files = { hosts = "# none\n" } })))
    assert.equal(2, (run("--targets missing")))
  end)

  it("draws each format", function()
    for _, format in ipairs(arguments.FORMATS) do
      local status, m = run("a.example --format " .. format, GOOD)
      assert.equal(0, status)
      local name = ({ md = "markdown", wide = "table" })[format] or format
      assert.equal(report[name](result(), format == "wide" and { wide = true } or nil), m.output)
    end
  end)

  it("uses colours and the width of a terminal, and of nothing else", function()
    local on = { answers = GOOD.answers, terminal = { [1] = true }, columns = 60 }
    local _, m = run("a.example", on)
    assert.equal(report.table(result(), { color = true, width = 60 }), m.output)
    _, m = run("a.example --color never --width 70", on)
    assert.equal(report.table(result(), { width = 70 }), m.output)
    on.env = { NO_COLOR = "1" }
    _, m = run("a.example", on)
    assert.is_nil(m.output:find("\27", 1, true))
    _, m = run("a.example --color always", GOOD)
    assert.equal(report.table(result(), { color = true }), m.output)
  end)

  it("chooses columns and leaves notes out", function()
    local _, m = run("a.example --columns ttl,loss --no-notes", GOOD)
    assert.equal(report.table(result(), { columns = { "ttl", "loss" }, notes = false }), m.output)
    local status, other = run("a.example --columns hots", GOOD)
    assert.equal(2, status)
    assert.truthy(other.errors:find("no column hots, did you mean host?", 1, true))
  end)

  it("tells progress on a terminal alone", function()
    local on = { answers = GOOD.answers, terminal = { [2] = true },
      progress = { { requests = 2, requests_done = 1, colos = 7, bytes = 100, targets = 3, targets_done = 2 } } }
    local status, watched = run("a.example", on)
    assert.equal("0 \r1 of 2 requests, 7 paths\27[K\r\27[K", status .. " " .. watched.errors)
    status, watched = run("a.example --here", on)
    assert.equal("0 \r2 of 3 targets\27[K\r\27[K", status .. " " .. watched.errors)
    local _, m = run("a.example", GOOD)
    assert.is_nil(m.calls[1][4].on_progress)
    _, m = run("a.example --quiet", { answers = GOOD.answers, terminal = { [2] = true } })
    assert.is_nil(m.calls[1][4].on_progress)
    assert.equal("", m.output .. m.errors)
  end)

  it("reads a saved result, from a file or standard input", function()
    local saved = report.json(result())
    local status, m = run("--read saved", { files = { saved = saved } })
    assert.equal(0, status)
    assert.equal(report.table(result()), m.output)
    assert.same({}, m.calls)
    status, m = run("--read -", { files = { ["-"] = saved } })
    assert.equal("0 " .. report.table(result()), status .. " " .. m.output)
    status, m = run("--format csv", { files = { ["-"] = saved } })
    assert.equal("0 " .. report.csv(result()), status .. " " .. m.output)
    status, m = run("--read bad", { files = { bad = "{" } })
    assert.equal(2, status)
    assert.matches("^cf%-traceroute: bad is cut off\n", m.errors)
    assert.equal(2, (run("--read missing")))
    status, m = run("", { files = { ["-"] = "h" } })
    assert.equal(2, status)
    assert.matches("^cf%-traceroute: no target, and standard input holds no saved result\n", m.errors)
  end)

  it("reads the API's response as it is published", function()
    local status, m = run("--read published", { files = { published = host.read("spec/support/published.json") } })
    assert.equal(0, status)
    assert.truthy(m.output:find("one.one.one.one (1.1.1.1)", 1, true))
  end)

  it("saves what arrived", function()
    local status, m = run("a.example --save out", GOOD)
    assert.equal(0, status)
    assert.same(result(), json.result(m.files.out))
    status, m = run("a.example --save out", { answers = { { result(), failure("timeout", "too late") } } })
    assert.equal(3, status)
    assert.same(result(), json.result(m.files.out))
    status, m = run("a.example --save out", { answers = { { nil, failure("timeout", "too late") } } })
    assert.equal(3, status)
    assert.is_nil(m.files.out)
    status, m = run("a.example --save out", { answers = GOOD.answers, full = true })
    assert.equal(3, status)
    assert.equal("cf-traceroute: --save: out: No space left on device\n", m.errors)
    assert.equal(report.table(result()), m.output)
  end)

  it("shows what changed since a saved result", function()
    local files = { old = report.json(result("10.0.0.9", 10)) }
    local status, m = run("a.example --diff old", { answers = GOOD.answers, files = files })
    assert.equal(0, status)
    assert.equal([[
a.example from den01: changed at hop 1
  hop 1: 10.0.0.9 -> 10.0.0.1
  RTT 10.00 ms -> 30.00 ms (+20.00)
  loss 20.0% -> 20.0% (+0.00)
]], m.output)
    status, m = run("a.example --diff old --format json --fail-if path-changed",
      { answers = GOOD.answers, files = files })
    assert.equal(1, status)
    assert.equal("changed", json.decode(m.output).status)
    assert.equal("cf-traceroute: path-changed: a.example from den01: from hop 1 on\n", m.errors)
    assert.equal(2, (run("a.example --diff old --format csv", { answers = GOOD.answers, files = files })))
    assert.equal(2, (run("a.example --diff missing", GOOD)))
    assert.equal(2, (run("a.example --diff missing --save other", GOOD)))
  end)

  it("starts a chain of runs from nothing", function()
    local status, m = run("a.example --diff last --save last --fail-if path-changed", GOOD)
    assert.equal(0, status)
    assert.equal(report.table(result()), m.output)
    local again
    status, again = run("a.example --diff last --save last --fail-if path-changed",
      { answers = { { result("10.0.0.9") } }, files = m.files })
    assert.equal(1, status)
    assert.equal("10.0.0.9", json.result(again.files.last)[1].colos[1].hops[1].nodes[1].ip)
    status, m = run("a.example --diff ./last --save last --format json", GOOD)
    assert.equal(0, status)
    assert.same({ { target = "a.example", colo = "den01" } }, json.decode(m.output).added)
    assert.truthy(m.output:find('"paths":[]', 1, true))
  end)

  it("goes on comparing what arrives, and keeps what does not", function()
    local both = { result()[1], { target = "b.example", colos = result("10.0.0.2")[1].colos } }
    local late = failure("timeout", "late")
    late.targets = { "b.example" }
    local status, m = run("a.example b.example --watch 5 --times 4 --save last --fail-if path-changed",
      { answers = { { both }, { result(), late }, { result("10.0.0.9"), late } } })
    assert.equal(1, status)
    assert.equal(3, #m.calls)
    assert.matches("\ncf%-traceroute: path%-changed: a.example from den01: from hop 1 on\n$", m.errors)
    local kept = json.result(m.files.last)
    assert.equal("10.0.0.9", kept[1].colos[1].hops[1].nodes[1].ip)
    assert.same(both[2], kept[2])
    m = select(2, run("a.example b.example --save last --diff old",
      { answers = { { result(), late } }, files = { old = report.json(both) } }))
    assert.same(result(), json.result(m.files.last))
  end)

  it("exits with 1 when a condition holds, and says which", function()
    local status, m = run("a.example --fail-if loss>5 --fail-if rtt>100,unreached", GOOD)
    assert.equal(1, status)
    assert.equal("cf-traceroute: loss>5: a.example from den01: 20.0% loss\n", m.errors)
    assert.equal(0, (run("a.example --fail-if loss>20,rtt>100,unreached,error", GOOD)))
  end)

  it("exits with 2 for arguments that cannot be used", function()
    for _, argv in ipairs { "--frm x", "a.example --max-ttl x", "a.example --type sctp", "a.example --fail-if los>5",
      "a.example --read x", "a.example --fail-if path-changed", "--read x --watch 5", "a.example --times 3",
      "a.example --watch 0", "a.example --watch 5 --times 0", "a.example --save -",
      "a.example --width 10", "a.example --here --from den01", "a.example --here --account x",
      "a.example --here --dry-run", "a.example --format xml", "a.example --from ,", "a.example --timeout nan",
      "--read x --dry-run", "--dry-run", "--watch 5", "a.example --max-ttl" } do
      local status, m = run(argv,
        { answers = GOOD.answers, files = { x = "[]" }, env = { CLOUDFLARE_ACCOUNT_ID = "abc" } })
      assert.equal(2, status, argv)
      assert.same({}, m.calls)
      assert.truthy(m.errors:find("^cf%-traceroute: .+\nTry 'cf%-traceroute %-%-help'%.\n$"), argv)
      assert.equal("", m.output)
    end
    local _, m = run("a.example --max-ttl x")
    assert.equal("cf-traceroute: --max-ttl: a whole number expected, got 'x'", m.errors:match("^[^\n]*"))
    assert.equal(2, (run("", { terminal = { [0] = true } })))
    local status
    status, m = run("a.example", { answers = { { nil, failure("invalid_request", "account: missing") } } })
    assert.equal(2, status)
    assert.equal("cf-traceroute: invalid_request: account: missing\n", m.errors)
  end)

  it("exits with 3 when the call failed, wholly or in part", function()
    local status, m = run("a.example", { answers = { { nil, failure("connection", "refused\27[2J") } } })
    assert.equal(3, status)
    assert.equal("cf-traceroute: connection: refused?[2J\n", m.errors)
    assert.equal("", m.output)
    status, m = run("a.example b.example", { answers = { { result(), failure("timeout", "b.example: too late") } } })
    assert.equal(3, status)
    assert.equal(report.table(result()), m.output)
    status = run("a.example", { answers = { { result(), failure("timeout", "late") } } })
    assert.equal(3, status)
    status = run("a.example --fail-if loss>5", { answers = { { result(), failure("timeout", "late") } } })
    assert.equal(1, status)
  end)

  it("tells what the service said, besides an error or unless it is to be quiet", function()
    local info = { { messages = { { code = 4, message = "10.0.0.1 from ams01: refused\27" } } } }
    local status, m = run("a.example", { answers = { { result(), nil, info } } })
    assert.equal("0 cf-traceroute: message 4: 10.0.0.1 from ams01: refused?\n", status .. " " .. m.errors)
    status, m = run("a.example --quiet", { answers = { { result(), nil, info } } })
    assert.equal("0 ", status .. " " .. m.errors)
    status, m = run("a.example --quiet", { answers = { { nil, failure("api", "no"), info } } })
    assert.equal("3 cf-traceroute: api: no\ncf-traceroute: message 4: 10.0.0.1 from ams01: refused?\n",
      status .. " " .. m.errors)
  end)

  it("is quiet when an interrupt left nothing, and ends a watch", function()
    local status, m = run("a.example --watch 5", { answers = { { nil, failure("cancelled", "cancelled"),
      interrupted = true } } })
    assert.equal("130 \n", status .. " " .. m.errors)
    assert.equal(1, #m.calls)
    status, m = run("a.example --watch 5 --fail-if loss>5", { answers = { { result(),
      failure("cancelled", "cancelled"), interrupted = true } } })
    assert.equal(130, status)
    assert.equal("cf-traceroute: interrupted\ncf-traceroute: loss>5: a.example from den01: 20.0% loss\n", m.errors)
  end)

  it("prints the requests of a dry run, without credentials", function()
    local names = {}
    for i = 1, 11 do
      names[i] = "h" .. i
    end
    host.setenv("CLOUDFLARE_API_TOKEN", "secret-token")
    local status, m = run(table.concat(names, " ") .. " h1 --account abc --from den01 --type tcp --port 443 " ..
      "--max-ttl 20 --dry-run --base-url https://x.example/v4/")
    host.setenv("CLOUDFLARE_API_TOKEN", nil)
    assert.equal(0, status)
    local head = "POST https://x.example/v4/accounts/abc/diagnostics/traceroute\nContent-Type: application/json\n" ..
      "Accept: application/json\nAuthorization: ***\nUser-Agent: cloudflare-traceroute/" .. traceroute.VERSION .. "\n\n"
    local rest = ',"colos":["den01"],"options":{"packet_type":"tcp","max_ttl":20,"port":443}}\n'
    assert.equal(head .. '{"targets":["h1","h2","h3","h4","h5","h6","h7","h8","h9","h10"]' .. rest .. "\n" ..
      head .. '{"targets":["h11"]' .. rest, m.output)
    assert.equal("", m.errors)
  end)

  it("refuses in a dry run what a call would refuse", function()
    local function refused(argv, expected)
      local status, m = run(argv .. " --dry-run")
      assert.equal("2 cf-traceroute: invalid_request: " .. expected, status .. " " .. m.errors:match("^[^\n]*"))
      assert.equal("", m.output)
    end
    refused("h1", "--account: missing; give it, or set CLOUDFLARE_ACCOUNT_ID")
    refused("https://h1/ --account abc", 'targets[1]: "https://h1/" is a URL, not a host name or address; ' ..
      'did you mean "h1"?')
    refused("h1 --account abc --max-ttl 65", "--max-ttl: integer from 0 to 64 hops expected, got 65")
    refused("h1 --account abc --from den/01",
      "--from: the name of a colo expected, such as den01 (1 to 64 letters, digits, - _ .)")
    refused("h1 --account abc --base-url https://user:secret@x.example",
      "--base-url: must not hold a user name; set CLOUDFLARE_API_TOKEN, or CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY")
    host.setenv("CLOUDFLARE_EMAIL", "a@example")
    local status, m = run("h1 --account abc --dry-run")
    host.setenv("CLOUDFLARE_EMAIL", nil)
    assert.equal(3, status)
    assert.truthy(m.errors:find("^cf%-traceroute: authentication: "))
  end)

  it("watches until a condition holds, comparing with the run before", function()
    local status, m = run("a.example --watch 60 --fail-if path-changed",
      { answers = { { result() }, { nil, failure("timeout", "late") }, { result() }, { result("10.0.0.9") } } })
    assert.equal(1, status)
    assert.equal(4, #m.calls)
    assert.same({ 60, 60, 60 }, m.pauses)
    assert.equal("cf-traceroute: timeout: late\n" ..
      "cf-traceroute: path-changed: a.example from den01: from hop 1 on\n", m.errors)
    assert.equal(4, select(2, m.output:gsub("2025%-01%-31 12:00:00Z\n", "")))
  end)

  it("watches so many times, and no longer than makes sense", function()
    local status, m = run("a.example --watch 0.5 --times 3 --format jsonl", GOOD)
    assert.equal(0, status)
    assert.equal(3, #m.calls)
    assert.equal(report.jsonl(result()):rep(3), m.output)
    status, m = run("a.example --watch 5", { answers = { { nil, failure("invalid_request", "max_ttl: too much") } } })
    assert.equal(2, status)
    assert.equal(1, #m.calls)
    status, m = run("a.example --watch 5 --times 3 --fail-if loss>5 --save out",
      { answers = GOOD.answers, full = true })
    assert.equal(3, status)
    assert.equal(1, #m.calls)
    local ended = machine(GOOD)
    ended.pause = function() return false end
    assert.equal(130, cli.main({ "a.example", "--watch", "5" }, ended))
    assert.equal(1, #ended.calls)
  end)

  it("shows help and version, asked for together with anything", function()
    local status, m = run("--help", {})
    assert.equal(0, status)
    for _, group in ipairs(arguments.GROUPS) do
      for _, option in ipairs(group) do
        assert.truthy(m.output:find(option[1]:match("%-%-[%w-]+"), 1, true), option[1])
      end
    end
    local words = m.output:gsub("%s+", " ")
    assert.truthy(words:find("One of table, wide, md, csv, json, jsonl, prometheus, dot.", 1, true))
    assert.truthy(words:find("One of icmp, tcp, udp, gre, gre+icmp.", 1, true))
    assert.truthy(words:find("One of auto, always, never.", 1, true))
    for line in m.output:gmatch("[^\n]+") do
      assert.is_true(#line <= 80, line)
    end
    status, m = run("--version")
    assert.equal("0 cf-traceroute 9.8.7\n", status .. " " .. m.output)
  end)

  it("fails when its output cannot be written", function()
    local m = machine(GOOD)
    m.out = function() return nil, "No space left on device" end
    assert.equal(3, cli.main({ "a.example" }, m))
    assert.equal("cf-traceroute: standard output: No space left on device\n", m.errors)
    m.errors = ""
    assert.equal(3, cli.main({ "a.example", "--save", "out", "--fail-if", "loss>5" }, m))
    assert.matches("loss>5: a.example from den01: 20.0%% loss\n", m.errors)
    assert.same(result(), json.result(m.files.out))
  end)
end)

describe("cf-traceroute's manual and completions", function()
  local function check(command, content)
    local directory = host.private_directory("completion")
    host.write(directory .. "/_cf-traceroute", content)
    local output, status = host.run(command .. " " .. host.quote(directory .. "/_cf-traceroute") .. " 2>&1")
    host.remove(directory)
    return output, status
  end

  it("have every option", function()
    for _, argv in ipairs { "--man", "--completion bash", "--completion zsh" } do
      local status, m = run(argv)
      assert.equal(0, status)
      for _, group in ipairs(arguments.GROUPS) do
        for _, option in ipairs(group) do
          local name = option[1]:match("%-%-[%w-]+")
          assert.truthy(m.output:gsub("\\", ""):find(name, 1, true), argv .. " " .. name)
        end
      end
    end
  end)

  it("are good roff", function()
    local _, m = run("--man")
    assert.truthy(m.output:find('^%.TH CF%-TRACEROUTE 1 "" "cf%-traceroute 9%.8%.7"'))
    if select(2, host.run("command -v man >/dev/null")) ~= 0 then
      return pending("man is not installed")
    end
    local output, status = check(
      "env -u LD_PRELOAD MANROFFSEQ= man --warnings -E UTF-8 -l -Tutf8 -Z >/dev/null", m.output)
    assert.equal("", output)
    assert.equal(0, status)
  end)

  it("are good shell", function()
    local _, m = run("--completion bash")
    local output, status = check("bash -n", m.output)
    assert.equal("0 ", status .. " " .. output)
    if select(2, host.run("command -v zsh >/dev/null")) ~= 0 then
      return pending("zsh is not installed")
    end
    _, m = run("--completion zsh")
    output, status = check("zsh -n", m.output)
    assert.equal("0 ", status .. " " .. output)
  end)
end)
