-- The module as part of a whole process, in child processes: interrupts, signals, forks, ends of the
-- interpreter at any moment, and memory as valgrind sees it.

local host = require "spec.support.host"
local server = require "spec.support.server"
local uv = require "luv"

local LUA = host.checked_interpreter()
-- Seconds: long before anything that is interrupted would have ended by itself, however busy the machine is. Under
-- valgrind a process ends once all its memory has been looked through.
local AT_ONCE, TIMEOUT = 5 * host.patience(), host.LONG

describe("a process", function()
  local stand_in, directory

  setup(function()
    stand_in = server.get()
    directory = host.private_directory("traceroute-process")
  end)

  teardown(function()
    host.remove(directory)
  end)

  before_each(function()
    stand_in:reset()
  end)

  -- The base URL of a listener with X for the behaviour.
  local function any(listener)
    return (stand_in:url("ok", listener):gsub("/ok/", "/X/"))
  end

  -- The path of a script: `traceroute`, `account`, options(base_url, more) and at(HTTPS, behaviour)
  -- are there for it, and a KEY that no other script has.
  local function script(text)
    local path = directory .. "/" .. stand_in:key() .. ".lua"
    host.write(path, ([[
      package.path, package.cpath = %q, %q
      traceroute, account = require "traceroute", %q
      function options(base_url, more)
        local all = { base_url = base_url, ca_file = %q, token = "process", retries = 0, timeout = %d,
          connect_timeout = %d }
        for name, value in pairs(more or {}) do all[name] = value end
        return all
      end
      function at(base, behaviour) return (base:gsub("X", behaviour)) end
      KEY, HTTPS, HTTP11, HTTP = %q, %q, %q, %q
    ]]):format(package.path, package.cpath, stand_in.account, stand_in.ca_file, TIMEOUT, TIMEOUT,
      stand_in:key(), any("https"), any("http11"), any("http")) .. text)
    return path
  end

  local function run(text, before, lua)
    return host.run(("timeout %d %s %s %s 2>&1"):format(TIMEOUT + 30, before or "", host.quote(lua or LUA),
      host.quote(script(text))))
  end

  local function ends_well(text, before)
    local output, status = run(text, before)
    assert.equal("fine\n", output)
    assert.equal(0, status)
  end

  -- Starts a child and interrupts it as soon as the stand-in has seen a request of it, after that many
  -- further milliseconds. Returns what it said, its exit status and signal, and the seconds that it took after.
  local function interrupt(arguments, input, after)
    local stdin, stdout, stderr = uv.new_pipe(false), uv.new_pipe(false), uv.new_pipe(false)
    local said, got = {}, {}
    local poll, sent = uv.new_timer(), nil
    local stdio = { stdin, stdout, stderr }
    local process, pid = uv.spawn(LUA, { args = arguments, stdio = stdio }, function(status, signal)
      got.status, got.signal, got.seconds = status, signal, (uv.hrtime() - (sent or 0)) / 1e9
      if not poll:is_closing() then
        poll:close()
      end
    end)
    assert(process, pid)
    for _, pipe in ipairs { stdout, stderr } do
      pipe:read_start(function(_, data)
        said[#said + 1] = data
        if not data then
          pipe:close()
        end
      end)
    end
    if input then
      stdin:write(input)
    end
    stdin:shutdown(function() stdin:close() end)
    local deadline = uv.hrtime() + TIMEOUT * 1e9
    poll:start(5, 5, function()
      if uv.hrtime() > deadline then
        process:kill("sigkill")
      elseif not sent and #stand_in:requests() > 0 then
        sent = uv.hrtime() + (after or 0) * 1e6
      elseif sent and uv.hrtime() >= sent and not got.killed then
        got.killed = true
        process:kill("sigint")
      end
    end)
    uv.run()
    process:close()
    uv.run("nowait")
    got.said = table.concat(said)
    return got
  end

  local HANG = [[ print(traceroute.create(account, "192.0.2.1", options(at(BASE, "hang")))) ]]

  it("is interrupted in a script at once", function()
    for _, base in ipairs { "HTTPS", "HTTP11" } do
      stand_in:reset()
      local got = interrupt { script(HANG:gsub("BASE", base)) }
      assert.matches("interrupted!", got.said)
      assert.equal(1, got.status)
      assert.is_true(got.seconds < AT_ONCE, got.seconds)
      assert.is_truthy(stand_in:await(function(list) return list[1].aborted end))
    end
  end)

  it("is interrupted in a pause", function()
    local got = interrupt { script([[
      traceroute.create(account, "192.0.2.1", options(at(HTTP, "retry/1/503/seconds:45/" .. KEY),
        { retries = 1 }))
    ]]) }
    assert.matches("interrupted!", got.said)
    assert.is_true(got.seconds < AT_ONCE, got.seconds)
  end)

  -- A handler's hook that comes while lua-cjson has a piece, at each of its calls, and raises at each of the calls and
  -- returns from there on. One more step, and all is there.
  it("loses nothing that arrived when it is interrupted within a piece", function()
    ends_well [[
      local cjson = require "cjson"
      local real, calls, come_at, left = cjson.new, 0, 0, 0
      local function came()
        left = left - 1
        if left == 0 then
          debug.sethook()
          error("interrupted!", 0)
        end
      end
      function cjson.new()
        local instance = real()
        return setmetatable({ decode = function(text)
          calls = calls + 1
          if calls == come_at then debug.sethook(came, "cr") end
          return instance.decode(text)
        end }, { __index = instance })
      end
      local opts = options(at(HTTP, "newer"), { quota = 0 })
      local whole = assert(traceroute.create(account, "192.0.2.1", opts))
      local decodings, raised = calls, 0
      assert(decodings >= 4, decodings)
      for call = 1, decodings do
        for count = 1, 9 do
          calls, come_at, left = 0, call, count
          local job, done = assert(traceroute.start(account, "192.0.2.1", opts)), nil
          local before = raised
          repeat
            local ran, what = pcall(function()
              local is_done, err = job:step(5)
              debug.sethook()
              return assert(is_done or is_done == false, err) and is_done
            end)
            assert(ran or tostring(what) == "interrupted!", tostring(what))
            raised = raised + (ran and 0 or 1)
            done = ran and what
          until done
          assert(raised - before <= 1, raised - before)
          local result, err = job:result()
          assert(not err, tostring(err))
          assert(require "luassert.util".deepcompare(whole, result), call .. ", " .. count)
        end
      end
      assert(raised >= (jit and 2 or 7) * decodings, raised) -- LuaJIT calls no hook for a C function
      print "fine"
    ]]
  end)

  -- Large answers one after another: most of the time goes into decoding, where an interrupt must not be taken for
  -- a fault of the text.
  it("is interrupted while answers are decoded", function()
    for _, after in ipairs { 50, 130, 210, 290 } do
      stand_in:reset()
      local got = interrupt({ script([[
        local targets = {}
        for i = 1, 10 do targets[i] = "t" .. i end
        while true do
          local _, err = traceroute.create(account, targets, options(at(HTTP, "big/10/100/15"), { quota = 0 }))
          if err then print("err", err) end
        end
      ]]) }, nil, after)
      assert.matches("interrupted!", got.said)
      assert.is_nil(got.said:find("err\t", 1, true), got.said)
      assert.equal(1, got.status)
      assert.is_true(got.seconds < AT_ONCE, got.seconds)
    end
  end)

  it("loads libcurl and lua-cjson with its first call, and neither to read results", function()
    ends_well [[
      local function is_loaded()
        return (package.loaded["traceroute.core"] or package.loaded.cjson) ~= nil
      end
      assert(traceroute.hops.filter {} and traceroute.report.csv {})
      assert(not is_loaded())
      assert(traceroute.plan(account, "192.0.2.1"))
      assert(is_loaded())
      print "fine"
    ]]
  end)

  -- Which is slower, and what nearly every colo would go through if one field were read in another way than it comes.
  it("decodes by lua-cjson no colo that is as the service publishes it", function()
    local published = stand_in:raw("published", host.read(host.root() .. "/spec/support/published.json"))
    ends_well(([[
      local cjson, decoded = require "cjson", {}
      package.loaded.cjson = { new = function()
        local own = cjson.new()
        local decode = own.decode
        function own.decode(text)
          decoded[#decoded + 1] = text
          return decode(text)
        end
        return own
      end }
      local result = assert(traceroute.create(account, "1.1.1.1", options(%q)))
      assert(result[1].colos[1].target_summary.std_dev_latency_ms == 0.011269427669584647)
      assert(#decoded > 0)
      for _, text in ipairs(decoded) do
        assert(not text:find("hops", 1, true), text)
      end
      print "fine"
    ]]):format(published))
  end)

  it("has floats where the contract has numbers, integers elsewhere, also by a lua-cjson that knows both", function()
    if not math.type then
      return
    end
    -- The escape makes it lua-cjson's.
    local text = stand_in:raw("floats", '{"success":true,"errors":[],"messages":[],"result":[{"target":"192.0.2.1",'
      .. '"colos":[{"colo":{"name":"den01"},"hops":[],"n\\u0065w":7,"target_summary":{"max_latency_ms":2,'
      .. '"packet_count":3},"traceroute_time_ms":5}]}]}')
    ends_well(([[
      local cjson = require "cjson"
      local function with_integers(value)
        if type(value) == "table" then
          for name, member in pairs(value) do
            value[name] = with_integers(member)
          end
        end
        return math.tointeger(value) or value
      end
      package.loaded.cjson = { new = function()
        local own = cjson.new()
        local decode = own.decode
        function own.decode(text) return with_integers(decode(text)) end
        return own
      end }
      local entry = assert(traceroute.create(account, "192.0.2.1", options(%q)))[1].colos[1]
      assert(math.type(entry.target_summary.max_latency_ms) == "float")
      assert(math.type(entry.target_summary.packet_count) == "integer")
      assert(math.type(entry.traceroute_time_ms) == "integer")
      assert(math.type(entry.new) == "integer")
      print "fine"
    ]]):format(text))
  end)

  it("loads what libcurl is linked with, and no plugins of that", function()
    ends_well [[
      assert(traceroute.create(account, "192.0.2.1", options(at(HTTP, "ok"))))
      local maps = io.open("/proc/self/maps"):read("*a")
      assert(maps:find("libcurl", 1, true))
      assert(not maps:find("/sasl2/", 1, true), maps)
      print "fine"
    ]]
  end)

  it("says by a value that the core does not load", function()
    ends_well [[
      package.preload["traceroute.core"] = function() error("no libcurl here", 0) end
      local function check(result, err)
        assert(result == nil and err.kind == "invalid_request", err)
        assert(tostring(err):find("the core does not load: no libcurl here", 1, true), err)
      end
      check(traceroute.create(account, "192.0.2.1"))
      check(traceroute.start(account, "192.0.2.1"))
      check(traceroute.plan(account, "192.0.2.1"))
      check(traceroute.probe("192.0.2.1"))
      check(traceroute.survey("192.0.2.1"))
      local result, err = traceroute.wait({})
      assert(result == nil and err.path == "job")
      print "fine"
    ]]
  end)

  it("draws results whoever made the call first", function()
    for _, loop in ipairs { "luv", "cqueues" } do
      local text = ([[
        traceroute = nil
        for name in pairs(package.loaded) do
          if name:find("^traceroute") then package.loaded[name] = nil end
        end
        local loop, tried = require "traceroute.LOOP", options(at(HTTPS, "ok"))
        local function show(result)
          print(tostring(result):find("192.0.2.1 from", 1, true) == 1 and "fine" or tostring(result))
        end
        if "LOOP" == "luv" then
          assert(loop.create(account, "192.0.2.1", tried, show))
          require("luv").run()
        else
          local cqueues = require("cqueues").new()
          cqueues:wrap(function() show(loop.create(account, "192.0.2.1", tried)) end)
          assert(cqueues:loop())
        end
      ]]):gsub("LOOP", loop)
      ends_well(text)
    end
  end)

  it("lets no program that it runs inherit its connections", function()
    ends_well [[
      local function sockets(whose)
        -- Our end of this pipe may be closed while it is listed.
        local pipe = io.popen("ls -l /proc/" .. whose .. "/fd 2>/dev/null")
        local _, count = pipe:read("*a"):gsub("socket:", "")
        pipe:close()
        return count
      end
      local ours, theirs = sockets("$PPID"), sockets("self")
      assert(traceroute.create(account, "192.0.2.1", options(at(HTTPS, "ok"))))
      ours, theirs = sockets("$PPID") - ours, sockets("self") - theirs
      -- libcurl has a pair of its own, to wake itself, which it lets nobody else make
      assert(ours == 3 and theirs == 2, ours .. " of ours, " .. theirs .. " inherited")
      print "fine"
    ]]
  end)

  it("leaves descriptors alone that a forked child closed and opened anew", function()
    if not rawget(_G, "jit") then
      return
    end
    ends_well [[
      local ffi = require "ffi"
      ffi.cdef "int fork(void); int close(int); int waitpid(int, int *, int); void _exit(int);"
      assert(traceroute.create(account, "192.0.2.1", options(at(HTTPS, "ok"))))
      local child = ffi.C.fork()
      if child == 0 then
        for fd = 3, 50 do ffi.C.close(fd) end
        local files = {}
        for i = 1, 8 do files[i] = assert(io.tmpfile()) end
        local result = traceroute.create(account, "192.0.2.1", options(at(HTTPS, "ok")))
        local is_whole = result ~= nil
        for i = 1, 8 do is_whole = is_whole and files[i]:write("x") and files[i]:flush() and true end
        ffi.C._exit(is_whole and 0 or 1)
      end
      local status = ffi.new "int[1]"
      ffi.C.waitpid(child, status, 0)
      assert(status[0] == 0, status[0])
      print "fine"
    ]]
  end)

  if rawget(_G, "jit") then
    -- Hooks are not looked at in compiled traces: the loop that waits must not become one.
    it("is interrupted also once the loop that waits is hot", function()
      local got = interrupt({ "-Ohotloop=2", "-Ohotexit=2", script(HANG:gsub("BASE", "HTTPS")) }, nil, 1500)
      assert.matches("interrupted!", got.said)
      assert.is_true(got.seconds < AT_ONCE, got.seconds)
    end)
  end

  it("goes on at the REPL after an interrupt", function()
    local got = interrupt({ "-i", script("") }, HANG:gsub("BASE", "HTTPS"):gsub("\n", " ") .. "\n" .. [[
      local _, err = traceroute.create(account, "192.0.2.1", options(at(HTTPS, "ok"))) print(err, 6 * 7)
    ]] .. "\n")
    assert.matches("interrupted!", got.said)
    assert.matches("nil%s42", got.said)
    assert.equal(0, got.status)
    assert.is_true(got.seconds < AT_ONCE, got.seconds)
  end)

  describe("survives", function()
    -- Writing to a connection that was reset raises SIGPIPE, whose default ends a process. TLS writes
    -- its farewell when a connection is closed, also when that is idle.
    it("peers that go away, and leaves the action of SIGPIPE as it is", function()
      ends_well([[
        for _ = 1, 3 do
          for _, base in ipairs { HTTPS, HTTP11, HTTP } do
            for _, how in ipairs { "reset", "close", "cut/100", "ok" } do
              traceroute.create(account, "192.0.2.1", options(at(base, how)))
            end
          end
        end
        io.stdout:write("fine\n")
      ]], "env --default-signal=PIPE")
      local _, status = run([[
        traceroute.create(account, "192.0.2.1", options(at(HTTPS, "ok")))
        io.stdout:setvbuf("no")
        for _ = 1, 1000 do io.stdout:write(("x"):rep(1000)) end
      ]], "bash -o pipefail -c '\"$@\" | true; exit ${PIPESTATUS[0]}' env env --default-signal=PIPE")
      assert.equal(128 + 13, status)
    end)

    it("a peer that goes away while a large request is written", function()
      local listener = uv.new_tcp()
      listener:bind("127.0.0.1", 0)
      listener:listen(16, function()
        local client = uv.new_tcp()
        listener:accept(client)
        client:close() -- unread bytes make it a reset
      end)
      local path = script(([[
        local colos = {}
        for i = 1, 1000 do colos[i] = ("c"):rep(60) .. i end
        local _, err = traceroute.create(account, "192.0.2.1",
          options("http://127.0.0.1:%d", { colos = colos, retries = 3 }))
        assert(err.kind == "connection" and err.attempts == 4, tostring(err))
      ]]):format(listener:getsockname().port))
      local ended
      local process = uv.spawn("env", { args = { "--default-signal=PIPE", LUA, path }, stdio = { nil, 1, 2 } },
        function(code, by)
          ended = { code, by }
          listener:close()
        end)
      uv.run()
      process:close()
      uv.run("nowait")
      assert.same({ 0, 0 }, ended)
    end)

    it("its end with jobs that run, wait, and are done, and with kept connections", function()
      ends_well([[
        local function start(how, more)
          return traceroute.start(account, "192.0.2.1", options(at(HTTPS, how), more))
        end
        traceroute.create(account, "192.0.2.1", options(at(HTTP11, "ok")))
        jobs = { start "ok", start "hang", start "hang_after/3000", start("retry/9/503/seconds:9/" .. KEY,
          { retries = 1 }), start "ok" }
        jobs[2]:fd()
        jobs[3]:cancel()
        for _ = 1, 20 do jobs[4]:step(0.01) end
        print "fine"
      ]])
    end)

    it("having few descriptors left, and none: it says so, and goes on when there are more", function()
      ends_well([[
        local ok, core = options(at(HTTP, "ok"), { connect_timeout = 2 }), require "traceroute.core"
        local started, open, failed = assert(traceroute.start(account, "192.0.2.1", ok)), {}, 0
        local function good(result, err)
          assert(result and not err or err.kind == "connection", tostring(err))
          failed = failed + (err and 1 or 0)
        end
        repeat
          local file = io.open "/dev/null"
          open[#open + 1] = file
        until not file
        for spare = 0, 12 do
          if spare == 0 then
            local fd, err = started:fd()
            assert(not fd and err.kind == "connection", tostring(err))
          end
          good(traceroute.create(account, "192.0.2.1", ok))
          local job, err = core.start_in_thread(account, "192.0.2.1", ok)
          if job then
            job:send()
            good(traceroute.wait(job))
          else
            good(nil, err)
          end
          job = nil
          collectgarbage()
          table.remove(open):close()
        end
        assert(failed > 1, "some fail")
        for _, file in ipairs(open) do file:close() end
        assert(started:fd())
        while not started:step(10) do end
        good(started:result()) -- whose turn came when there were none
        assert(traceroute.create(account, "192.0.2.1", ok))
        print "fine"
      ]], "prlimit --nofile=64")
    end)

    it("os.exit in on_progress, with the state closed or not", function()
      -- In the midst of a step, that frees nothing: the process ends.
      for _, close in ipairs { "false", "true" } do
        local output, status = run(([[
          traceroute.create(account, "192.0.2.1", options(at(HTTPS, "ok"),
            { on_progress = function() os.exit(7, %s) end }))
        ]]):format(close), nil, host.interpreter())
        assert.equal("", output)
        assert.equal(7, status)
      end
    end)

    it("its module being unloaded and loaded again", function()
      ends_well([[
        for _ = 1, 3 do
          assert(traceroute.create(account, "192.0.2.1", options(at(HTTPS, "ok"))))
          package.loaded.traceroute, package.loaded["traceroute.core"], traceroute = nil, nil, nil
          collectgarbage()
          traceroute = require "traceroute"
        end
        print "fine"
      ]])
    end)
  end)

  if rawget(_G, "jit") then
    -- LuaJIT can fork without a further library.
    it("forks: the child has connections of its own and leaves the parent's jobs alone", function()
      ends_well([[
        local ffi = require "ffi"
        ffi.cdef "int fork(void); int waitpid(int, int *, int);"
        local ok = options(at(HTTPS, "ok"))
        assert(traceroute.create(account, "192.0.2.1", ok))
        local job = traceroute.start(account, "192.0.2.1", options(at(HTTPS, "slow/300")))
        job:step(0.05)
        local pid = ffi.C.fork()
        if pid == 0 then
          local done, err = job:step(1)
          local fd, why = job:fd()
          job:cancel()
          local good = done == nil and err.kind == "cancelled" and not fd and why.kind == "cancelled"
            and traceroute.create(account, "192.0.2.1", ok)
          job = nil
          collectgarbage()
          os.exit(good and traceroute.create(account, "192.0.2.1", ok) and 0 or 1)
        end
        local status = ffi.new "int[1]"
        ffi.C.waitpid(pid, status, 0)
        assert(status[0] == 0)
        assert(job:step(60))
        assert(job:result())
        assert(traceroute.create(account, "192.0.2.1", ok))
        print "fine"
      ]])
      local list = stand_in:requests()
      assert.equal(5, #list)
      assert.equal(list[1].connection, list[2].connection)
      assert.not_equal(list[1].connection, list[3].connection)
      assert.equal(list[3].connection, list[4].connection)
      assert.equal(list[1].connection, list[5].connection)
    end)

    it("forks in on_progress: the child that returns from it leaves the call alone", function()
      ends_well [[
        local ffi = require "ffi"
        ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int);"
        local pid
        local job = traceroute.start(account, "192.0.2.1", options(at(HTTPS, "drip/400/5"), {
          on_progress = function() pid = pid or ffi.C.fork() end,
        }))
        local done, err
        repeat done, err = job:step(5) until done ~= false
        if pid == 0 then
          job:cancel()
          ffi.C._exit(done == nil and err.message == "the job belongs to the process that started it" and 0 or 1)
        end
        local status = ffi.new "int[1]"
        ffi.C.waitpid(pid, status, 0)
        assert(status[0] == 0, status[0])
        local result, failed = job:result()
        assert(result and not failed, tostring(failed))
        print "fine"
      ]]
    end)

    it("ends a call in time although the program closed descriptors that are not its own", function()
      ends_well [[
        local ffi = require "ffi"
        ffi.cdef "int close(int);"
        assert(traceroute.create(account, "192.0.2.1", options(at(HTTPS, "ok"))))
        for fd = 3, 60 do ffi.C.close(fd) end
        local result, err = traceroute.create(account, "192.0.2.1", options(at(HTTPS, "ok"), { timeout = 0.5 }))
        assert(not result and (err.kind == "timeout" or err.kind == "connection"), tostring(err))
        print "fine"
      ]]
    end)

    it("forks: the child has a thread and a doorbell of its own, and rings nobody else's", function()
      ends_well([[
        local ffi, core = require "ffi", require "traceroute.core"
        ffi.cdef "int fork(void); int waitpid(int, int *, int);"
        local function start(how)
          local job = assert(core.start_in_thread(account, "192.0.2.1", options(at(HTTPS, how))))
          job:send()
          return job, job:doorbell()
        end
        -- Waits at the doorbell as nginx does.
        local function is_rung(path, number)
          local uv, heard = require "luv"
          local pipe = uv.new_pipe(false)
          pipe:connect(path, function(err)
            assert(not err, err)
            pipe:write(number .. "\n")
            pipe:read_start(function(_, data) heard = data pipe:close() end)
          end)
          uv.run()
          return heard ~= nil
        end
        local function good(job)
          while not job:step(1) do end
          return job:result()
        end
        assert(good((start "ok")))
        local job, path, number = start "slow/300"
        local pid = ffi.C.fork()
        if pid == 0 then
          local done = job:step(1)
          local mine, its, own = start "slow/100"
          os.exit(done == nil and is_rung(its, own) and good(mine) and 0 or 1)
        end
        local status = ffi.new "int[1]"
        ffi.C.waitpid(pid, status, 0)
        assert(status[0] == 0)
        assert(is_rung(path, number) and good(job))
        print "fine"
      ]])
    end)
  end

  -- Not LuaJIT: its string functions read past ends on purpose.
  if not rawget(_G, "jit") and not host.is_sanitized() then
    it("has no errors and no leaks in valgrind's eyes", function()
      local valgrind = "valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite " ..
        "--show-leak-kinds=definite --error-exitcode=9"
      local output, status = run([[
        local function ask(how, targets, more)
          return traceroute.create(account, targets, options(at(HTTPS, how), more))
        end
        local targets = {}
        for i = 1, 15 do targets[i] = "192.0.2." .. i end
        assert(#assert(ask("retry/1/503/ms:1/" .. KEY, targets, { retries = 1 })) == 15)
        local _, err = ask("ok", "http://192.0.2.1/")
        assert(err.kind == "invalid_request")
        _, err = ask("wrong/result.1.colos.1.hops.1.nodes.1.ip/number", "192.0.2.1")
        assert(err.kind == "invalid_response")
        _, err = ask("cut/3000", "192.0.2.1")
        assert(err.kind == "connection")
        _, err = ask("hang_after/3000", "192.0.2.1", { timeout = 2 })
        assert(err.kind == "timeout")
        local job = traceroute.start(account, targets, options(at(HTTPS, "hang_after/3000"),
          { on_progress = function() return false end }))
        while not job:step(1) do end
        job = traceroute.start(account, targets, options(at(HTTPS, "hang")))
        job:fd()
        job:step(0.2)
        job:cancel()
        traceroute.start(account, targets, options(at(HTTPS, "hang"))):step(0.2)
        print "fine"
      ]], valgrind)
      assert.equal("fine\n", output)
      assert.equal(0, status)
    end)
  end
end)
