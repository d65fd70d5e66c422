-- Names, addresses' names and AS numbers against a real name server on loopback, through a program that
-- asks what it is told and prints what it is answered.

local dns = require "spec.support.dns"
local host = require "spec.support.host"

local uv = require "luv"

local RECORDS = {
  "address=/four.test/192.0.2.4",
  "address=/both.test/192.0.2.5",
  "address=/both.test/2001:db8::5",
  "address=/six.test/2001:db8::6",
  "host-record=real.test,192.0.2.7",
  "cname=alias.test,real.test",
  "ptr-record=9.2.0.192.in-addr.arpa,router.nine.test",
  "ptr-record=1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa,six.router.test",
  "ptr-record=11.2.0.192.in-addr.arpa,with space.test",
  "ptr-record=12.2.0.192.in-addr.arpa,under_score-1.test",
  "txt-record=1.1.1.1.origin.test,13335 | 1.1.1.0/24 | US | arin | 2010-07-14",
  "txt-record=2.1.1.1.origin.test,64501 64500 | 1.1.1.0/24 | US | arin | 2010-07-14",
  "txt-record=3.1.1.1.origin.test,64510 | 1.1.0.0/16 | US | arin |",
  "txt-record=3.1.1.1.origin.test,64511 | 1.1.1.0/24 | US | arin |",
  "txt-record=3.1.1.1.origin.test,64512 | 1.1.1.0/24 | US | arin |",
  "txt-record=4.1.1.1.origin.test,NA | 1.1.1.0/24 | US | arin |",
  "txt-record=5.1.1.1.origin.test,<script> | 1.1.1.0/24 | US",
  "txt-record=6.1.1.1.origin.test,4294967296 | 1.1.1.0/24 | US",
  "txt-record=7.1.1.1.origin.test,4294967295 | 1.1.1.0/24 | US",
  "txt-record=8.1.1.1.origin.test,64500",
  "txt-record=9.1.1.1.origin.test,64500 | 1.1.1.0/24 | " .. ("x"):rep(200),
  "txt-record=9.1.1.1.origin.test," .. ("y"):rep(250),
  "txt-record=9.1.1.1.origin.test," .. ("z"):rep(250),
  "txt-record=8.8.8.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.8.4.1.0.0.2.origin6.test,15169 | 2001:4860::/32 | US",
  "local=/test/",
  "local=/in-addr.arpa/",
  "local=/ip6.arpa/",
  "local-ttl=60",
}

local function driver()
  local out = os.getenv("OUT") or "build/lua5.4"
  local sanitize = os.getenv("SANITIZE") or ""
  local command = "cd %s && env -u MAKEFLAGS -u MAKELEVEL -u LD_PRELOAD "
    .. "make -s OUT=%s SANITIZE=%s %s/unit/names_driver 2>&1"
  local said, status = host.run(command:format(
    host.quote(host.root()), host.quote(out), host.quote(sanitize), host.quote(out)))
  assert(status == 0, said)
  return ("%s/%s/unit/names_driver"):format(host.root(), out)
end

-- A name server in this process's loop that answers after so many milliseconds with a code (3: there is no such name).
-- The names that it was asked for, in order, and what closes it.
local function slow_server(milliseconds, code)
  local socket, asked, waiting = uv.new_udp(), {}, {}
  assert(socket:bind("127.0.0.1", 0))
  socket:recv_start(function(_, question, from)
    if not question then
      return
    end
    asked[#asked + 1] = question:sub(13):match("^[^%z]*"):gsub("[%c]", "."):sub(2)
    local timer = uv.new_timer()
    waiting[timer] = true
    timer:start(milliseconds, 0, function()
      waiting[timer] = nil
      timer:close()
      socket:send(question:sub(1, 2) .. string.char(129, 128 + (code or 3)) .. question:sub(5), from.ip, from.port)
    end)
  end)
  return "127.0.0.1:" .. socket:getsockname().port, asked, function()
    -- What is still to be answered would be sent by the closed socket, at which libuv aborts.
    for timer in pairs(waiting) do
      timer:close()
    end
    socket:close()
    uv.run("nowait")
  end
end

-- As host.run, while this process's loop runs.
local function run_beside(command)
  local output, pipe, status = {}, uv.new_pipe(false), nil
  local child = assert(uv.spawn("sh", { args = { "-c", command }, stdio = { nil, pipe } }, function(code)
    status = code
  end))
  pipe:read_start(function(_, bytes)
    output[#output + 1] = bytes
    if not bytes then
      pipe:close()
    end
  end)
  while not status or not pipe:is_closing() do
    uv.run("once")
  end
  child:close()
  return table.concat(output), status
end

describe("names", function()
  local program, server

  setup(function()
    program = driver()
    server = dns.start(RECORDS)
  end)

  teardown(function()
    server:stop()
  end)

  -- The answers by their questions' numbers: {"now" or "later", text}. Each comes once.
  local function answers_of(text, status)
    assert.equal(0, status, text)
    local answers = {}
    for line in text:gmatch("[^\n]+") do
      local number, when, answer = line:match("^(%d+) (%l+) (.*)$")
      assert.is_string(number, text)
      answers[tonumber(number)] = answers[tonumber(number)] or {}
      table.insert(answers[tonumber(number)], when .. " " .. answer)
    end
    return answers
  end

  local function ask_at(address, timeout, lines, before, run)
    return answers_of((run or host.run)(("printf '%%s\\n' %s | env -u LD_PRELOAD timeout 60 %s %s %s %s 2>&1"):format(
      "'" .. table.concat(lines, "' '") .. "'", before or "", program, address, tostring(timeout))))
  end

  local function ask(lines, ...)
    return ask_at(server.address, 10, type(lines) == "table" and lines or { lines, ... })
  end

  local function answer(question)
    local answers = ask(question, "run")
    assert.equal(1, #answers)
    assert.equal(1, #answers[1])
    return (answers[1][1]:gsub("^%l+ ", ""))
  end

  it("finds addresses of the family asked for, IPv4 first", function()
    assert.equal("192.0.2.4", answer("resolve 4 four.test"))
    assert.equal("192.0.2.4", answer("resolve 0 four.test"))
    assert.equal("192.0.2.5", answer("resolve 0 both.test"))
    assert.equal("192.0.2.5", answer("resolve 4 both.test"))
    assert.equal("2001:db8::5", answer("resolve 6 both.test"))
    assert.equal("2001:db8::6", answer("resolve 0 six.test"))
    assert.equal("192.0.2.7", answer("resolve 0 alias.test"))
    assert.equal("no address of the family asked for", answer("resolve 6 real.test"))
    assert.equal("no such host", answer("resolve 0 nowhere.test"))
  end)

  it("tells a lack of memory from a name that is not there", function()
    local short = { "now refused", "later out of memory", "later out of memory" }
    for question, found in pairs {
      ["resolve 4 four.test"] = "192.0.2.4", ["reverse 192.0.2.9"] = "router.nine.test", ["origin 1.1.1.1"] = "AS13335",
    } do
      -- of the question, the query, and the resolver's
      for n, expected in ipairs(short) do
        assert.same({ { expected } }, ask({ "starve " .. n, question, "run" }), question .. n)
      end
      -- of its socket: there is a second try
      assert.same({ { "later " .. found } }, ask({ "starve 4", question, "run" }), question)
      assert.equal(found, answer(question))
    end
  end)

  local ENOMEM, ENOSPC = 12, 28

  it("says what the system lacks to ask anybody, at once, and keeps nothing of it", function()
    for errno, said in pairs { [ENOMEM] = "out of memory", [ENOSPC] = "No space left on device" } do
      for question, found in pairs {
        ["resolve 4 four.test"] = "192.0.2.4", ["resolve 0 four.test"] = "192.0.2.4",
        ["reverse 192.0.2.9"] = "router.nine.test", ["origin 1.1.1.1"] = "AS13335",
      } do
        local expected = errno == ENOSPC and not question:find "resolve" and "-" or said
        local answers = ask_at(server.address, 1000, {
          ("refuse %d 100"):format(errno), question, "run", "refuse 0 0", question, "run",
        })
        assert.same({ { "later " .. expected }, { "later " .. found } }, answers, question)
      end
    end
    -- of a host's two questions the first is never asked
    assert.same({ { "later out of memory" }, { "later 192.0.2.4" } },
      ask { "refuse 12 2", "resolve 0 four.test", "run", "resolve 0 four.test", "run" })
  end)

  it("blames the system for what it refused, and for nothing else", function()
    local silent, close = dns.silent()
    finally(close)
    local other, close_other = dns.silent()
    finally(close_other)
    -- the first server has no socket, the second does not answer; then neither does, having one
    assert.same({ { "later out of memory" }, { "later timed out" } }, ask_at(silent .. "," .. other, 0.3, {
      "refuse 12 1", "resolve 4 four.test", "run", "resolve 4 four.test", "run",
    }))
    assert.same({ { "later 192.0.2.4" } }, ask_at(silent .. "," .. server.address, 1000, {
      "refuse 12 1", "resolve 4 four.test", "run",
    }))
  end)

  it("takes addresses for themselves, and refuses what is no host name, without asking", function()
    local answers = ask("resolve 0 192.0.2.200", "resolve 6 2001:DB8::C8", "resolve 6 192.0.2.200", "resolve 4 ::1",
      "resolve 0 two..dots", "resolve 0 a b", "resolve 0 .", "resolve 0 " .. ("a"):rep(64) .. ".test",
      "resolve 0 " .. ("a."):rep(127) .. "b", "resolve 0 caf\195\169.test", "resolve 0 a\1b.test", "run")
    assert.same({ "now 192.0.2.200" }, answers[1])
    assert.same({ "now 2001:db8::c8" }, answers[2])
    assert.same({ "now an address of the other family" }, answers[3])
    assert.same({ "now an address of the other family" }, answers[4])
    for i = 5, 11 do
      assert.same({ "now not a host name" }, answers[i], "question " .. i)
    end
  end)

  it("knows /etc/hosts", function()
    assert.equal("127.0.0.1", answer("resolve 4 localhost"))
  end)

  it("finds the names of addresses, and refuses those with odd bytes", function()
    assert.equal("router.nine.test", answer("reverse 192.0.2.9"))
    assert.equal("six.router.test", answer("reverse 2001:db8::1"))
    assert.equal("under_score-1.test", answer("reverse 192.0.2.12"))
    assert.equal("-", answer("reverse 192.0.2.11"))
    assert.equal("-", answer("reverse 192.0.2.13"))
  end)

  it("finds AS numbers, those of the longest prefix, and no others than numbers", function()
    assert.equal("AS13335", answer("origin 1.1.1.1"))
    assert.equal("AS64500 AS64501", answer("origin 1.1.1.2"))
    assert.equal("AS64511 AS64512", answer("origin 1.1.1.3"))
    assert.equal("-", answer("origin 1.1.1.4"))
    assert.equal("-", answer("origin 1.1.1.5"))
    assert.equal("-", answer("origin 1.1.1.6"))
    assert.equal("AS4294967295", answer("origin 1.1.1.7"))
    assert.equal("-", answer("origin 1.1.1.8"))
    assert.equal("-", answer("origin 1.1.1.100"))
    assert.equal("AS15169", answer("origin 2001:4860::8888"))
  end)

  it("asks again over TCP where an answer is too long", function()
    assert.equal("AS64500", answer("origin 1.1.1.9"))
    assert.is_true(server:asked("9.1.1.1.origin.test", "TXT") >= 2)
  end)

  it("does not ask for the origin of what is not public", function()
    for _, address in ipairs { "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "169.254.1.1",
                               "100.64.0.1", "100.127.255.255", "0.0.0.0", "224.0.0.1", "255.255.255.255",
                               "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.0.0.8", "240.0.0.1",
                               "::1", "fe80::1", "fd00::1", "::", "ff02::1", "::ffff:1.1.1.1",
                               "2001:db8::1", "2002::1", "2001::1", "64:ff9b::101:101", "100::1" } do
      assert.same({ { "now -" } }, ask("origin " .. address, "run"), address)
    end
    for _, address in ipairs { "172.32.0.1", "172.15.0.1", "100.128.0.1", "11.0.0.1", "223.255.255.255" } do
      assert.same({ { "later -" } }, ask("origin " .. address, "run"), address)
    end
  end)

  it("asks once for what is asked at once, and answers the next from its cache", function()
    local before = { server:asked("four.test", "A"), server:asked("9.2.0.192.in-addr.arpa", "PTR"),
                     server:asked("7.1.1.1.origin.test", "TXT"), server:asked("nowhere.test", "A") }
    local lines = {}
    for _ = 1, 3 do
      for _ = 1, 20 do
        lines[#lines + 1] = "resolve 4 four.TEST"
        lines[#lines + 1] = "reverse 192.0.2.9"
        lines[#lines + 1] = "origin 1.1.1.7"
        lines[#lines + 1] = "resolve 4 nowhere.test"
      end
      lines[#lines + 1] = "run"
    end
    local answers = ask(lines)
    assert.equal(240, #answers)
    local expected = { "192.0.2.4", "router.nine.test", "AS4294967295", "no such host" }
    for i, answered in ipairs(answers) do
      assert.same({ (i <= 80 and "later " or "now ") .. expected[(i - 1) % 4 + 1] }, answered)
    end
    assert.equal(before[1] + 1, server:asked("four.test", "A"))
    assert.equal(before[2] + 1, server:asked("9.2.0.192.in-addr.arpa", "PTR"))
    assert.equal(before[3] + 1, server:asked("7.1.1.1.origin.test", "TXT"))
    assert.equal(before[4] + 1, server:asked("nowhere.test", "A"))
  end)

  it("answers many more than are out at once", function()
    local lines = {}
    for i = 1, 1000 do
      lines[i] = ("resolve 4 host%d.four.test"):format(i)
    end
    lines[1001] = "run"
    local answers = ask(lines)
    assert.equal(1000, #answers)
    for _, answered in ipairs(answers) do
      assert.same({ "later 192.0.2.4" }, answered)
    end
  end)

  -- There is room for 256, and memory for the next, but not for more room.
  it("finds questions for which there is no more room", function()
    local lines = {}
    for i = 1, 300 do
      lines[i] = ("resolve 4 host%d.four.test"):format(i)
    end
    table.insert(lines, 257, "starve 2")
    lines[302] = "run"
    local answers = ask(lines)
    assert.equal(300, #answers)
    for _, answered in ipairs(answers) do
      assert.same({ "later 192.0.2.4" }, answered)
    end
  end)

  it("gives up in time where nobody answers, waiting questions too", function()
    local address, close = dns.silent()
    finally(close)
    local lines = { "reverse 192.0.2.1", "origin 1.1.1.1" }
    for i = 3, 200 do
      lines[i] = ("resolve 0 host%d.test"):format(i)
    end
    lines[201] = "run"
    local began = host.now()
    local answers = ask_at(address, 0.3, lines)
    assert.is_true(host.now() - began >= 0.26)
    assert.is_true(host.now() - began < 5 * host.patience())
    assert.equal(200, #answers)
    assert.same({ "later -" }, answers[1])
    assert.same({ "later -" }, answers[2])
    for i = 3, 200 do
      assert.same({ "later timed out" }, answers[i])
    end
  end)

  it("gives each of several name servers its share of the time", function()
    local count, addresses, closes = {}, {}, {}
    for i = 1, 3 do
      count[i] = 0
      addresses[i], closes[i] = dns.silent(function()
        count[i] = count[i] + 1
      end)
    end
    finally(function()
      for i = 1, 3 do
        closes[i]()
      end
    end)
    assert.same({ { "later -" } }, ask_at(table.concat(addresses, ","), 3, { "reverse 192.0.2.1", "run" }))
    uv.run("nowait")
    assert.same({ 2, 2, 2 }, count)
  end)

  it("ends what is asked on somebody's behalf when his time is over", function()
    local address, asked, close = slow_server(400)
    finally(close)
    -- Each of the domains of the search list takes 0.4 s, so that the third is out when the time is over.
    local answers = ask_at(address, 1, { "resolve 4 host", "run", "reverse 192.0.2.1", "run" },
      "env LOCALDOMAIN='a.test b.test c.test d.test'", run_beside)
    assert.same({ { "later timed out" }, { "later -" } }, answers)
    local seen = {}
    for _, name in ipairs(asked) do
      seen[name] = true
    end
    assert.is_true(seen["host.a.test"], table.concat(asked, " "))
    assert.is_true(seen["1.2.0.192.in-addr.arpa"])
    assert.is_nil(seen["host.d.test"])
  end)

  it("does not keep that nobody answered", function()
    local address, close = dns.silent()
    finally(close)
    local answers = ask_at(address, 0.1, { "reverse 192.0.2.1", "run", "reverse 192.0.2.1", "run" })
    assert.same({ { "later -" }, { "later -" } }, answers)
  end)

  it("says so where no name server is", function()
    local address, close = dns.silent()
    close()
    assert.same({ { "later no name server answers, or they fail or refuse" } },
      ask_at(address, 10, { "resolve 0 four.test", "run" }))
  end)

  -- c-ares 1.18 says of a failure and of a refusal that nobody answered.
  for code, pattern in pairs { [1] = "makes no sense", [2] = "fail", [5] = "refuse" } do
    it(("says what became of a name when the name server answers %d"):format(code), function()
      local address, _, close = slow_server(0, code)
      finally(close)
      local answers = ask_at(address, 10, { "resolve 4 four.test", "reverse 192.0.2.1", "origin 1.1.1.1", "run" }, nil,
        run_beside)
      assert.matches("^later .*" .. pattern, answers[1][1])
      assert.same({ { "later -" }, { "later -" } }, { answers[2], answers[3] })
    end)
  end

  it("forgets askers, and tells the others", function()
    local answers = ask("reverse 192.0.2.9", "reverse 192.0.2.9", "reverse 192.0.2.9", "forget 2", "reverse 192.0.2.12",
      "forget 4", "run")
    assert.same({ "later router.nine.test" }, answers[1])
    assert.is_nil(answers[2])
    assert.same({ "later router.nine.test" }, answers[3])
    assert.is_nil(answers[4])
  end)

  it("does not ask what nobody waits for any more, once it is its turn", function()
    local lines = {}
    for i = 1, 70 do
      lines[i] = ("resolve 4 turn%d.four.test"):format(i)
    end
    lines[71], lines[72], lines[73], lines[74] = lines[70], "forget 69", "forget 70", "run"
    local answers = ask(lines)
    assert.same({ nil, nil, { "later 192.0.2.4" } }, { answers[69], answers[70], answers[71] })
    assert.same({ 1, 0, 1 }, { server:asked("turn68.four.test", "A"), server:asked("turn69.four.test", "A"),
      server:asked("turn70.four.test", "A") })
  end)

  -- Instructions between entering and leaving a function, all calls together; the lines go through a file, as there are
  -- more than a command may have. Nobody answers, nor is anybody waited for.
  local function work_of(name, lines)
    local directory = host.private_directory("traceroute-names")
    host.write(directory .. "/lines", table.concat(lines, "\n") .. "\n")
    local said, status = host.run(("cd %s && env -u LD_PRELOAD valgrind --tool=callgrind --callgrind-out-file=out "
      .. "--toggle-collect=%s %s 127.0.0.1:1 60 <lines 2>&1"):format(directory, name, program))
    host.remove(directory)
    assert.equal(0, status, said)
    return tonumber(said:match("Collected : (%d+)"))
  end

  -- Appends lines made from 1 to `count`.
  local function append(lines, count, line_of)
    for i = 1, count do
      lines[#lines + 1] = line_of(i)
    end
    return lines
  end

  local function resolve(i)
    return ("resolve 4 host%d.test"):format(i)
  end

  local function forget(i)
    return "forget " .. i
  end

  describe("does the same work for one question, however many are open:", function()
    if host.is_sanitized() then
      return -- it cannot be counted beside a sanitizer
    end

    it("forgetting it", function()
      local function forgetting(count)
        return work_of("tr_names_forget", append(append({}, count, resolve), count, forget)) / count
      end
      assert.is_true(forgetting(2000) < 1.5 * forgetting(250))
    end)

    it("finding that it is asked already", function()
      local function finding(count)
        local once = append({}, count, resolve)
        local work = work_of("tr_names_resolve", once)
        return (work_of("tr_names_resolve", append(once, count, resolve)) - work) / count
      end
      assert.is_true(finding(4000) < 1.1 * finding(500))
    end)
  end)

  it("may be asked from within an answer", function()
    local answers = ask("reverse 192.0.2.9", "again 1", "run")
    assert.same({ { "later router.nine.test", "now router.nine.test" } }, answers)
  end)

  it("may be freed with open questions, and from within an answer", function()
    assert.same({}, ask("reverse 192.0.2.9", "resolve 0 both.test", "origin 1.1.1.9", "free 0"))
    local answers = ask("reverse 192.0.2.9", "reverse 192.0.2.9", "resolve 0 both.test", "free 1", "run")
    assert.same({ "later router.nine.test" }, answers[1])
    assert.is_nil(answers[2])
  end)

  it("leaks nothing and touches nothing that is not its own", function()
    if os.getenv("SANITIZE") == "1" then
      return -- the sanitizer looked at all of the above
    end
    local address, close = dns.silent()
    finally(close)
    local valgrind = "valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect "
      .. "--show-leak-kinds=definite,indirect"
    ask_at(server.address, 20, { "reverse 192.0.2.9", "resolve 0 both.test", "origin 1.1.1.3", "origin 1.1.1.9",
      "resolve 0 nowhere.test", "reverse 192.0.2.11", "run", "reverse 192.0.2.9", "reverse 192.0.2.12", "free 8",
      "run" }, valgrind)
    ask_at(address, 0.2, { "reverse 192.0.2.9", "resolve 0 both.test", "run", "resolve 0 both.test", "forget 3",
      "origin 1.1.1.3" }, valgrind)
  end)
end)
