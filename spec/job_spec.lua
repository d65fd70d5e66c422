-- A job as scripts hold it: step, fd, result, cancel, its end by collection, and on_progress. What single
-- answers mean is response_spec's, what happens on the wire exchange_spec's.

local core = require "traceroute.core"
local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"
local uv = require "luv"

describe("a job", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  local function options(behaviour, more)
    return stand_in:options(behaviour, { token = "job-" .. stand_in:key(), retries = 0, timeout = 20 }, more)
  end

  local function targets(count)
    local list = {}
    for i = 1, count do
      list[i] = "192.0.2." .. i
    end
    return list
  end

  local function start(behaviour, more, count)
    local job, err = traceroute.start(stand_in.account, targets(count or 1), options(behaviour, more))
    assert.is_nil(err)
    return job
  end

  -- Steps until the predicate holds; false when it never does.
  local function step_until(job, predicate)
    local deadline = uv.hrtime() + host.LONG * 1e9
    while not predicate() do
      job:step(0.005)
      if uv.hrtime() > deadline then
        return false
      end
    end
    return true
  end

  local function has_arrived(count)
    return function()
      return #stand_in:requests() >= (count or 1)
    end
  end

  local function all_aborted(list)
    for _, request in ipairs(list) do
      if not request.aborted then
        return false
      end
    end
    return #list > 0
  end

  local function is_whole(job, count)
    local result, err, info = job:result()
    assert.is_nil(err)
    assert.equal(count or 1, #result)
    assert.equal(2, #result[#result].colos)
    return result, info
  end

  -- Lets a libuv loop run the jobs by their descriptors alone. Returns how often each was woken, or fails
  -- after ten seconds.
  local function drive(...)
    local wakes, left, polls, late = {}, select("#", ...), {}, false
    for i, job in ipairs { ... } do
      wakes[i] = 0
      polls[i] = uv.new_poll(job:fd())
      polls[i]:start("r", function(err)
        assert(not err, err)
        wakes[i] = wakes[i] + 1
        if job:step(0) then
          polls[i]:close()
          left = left - 1
          if left == 0 then
            uv.stop()
          end
        end
      end)
    end
    local guard = uv.new_timer()
    uv.update_time() -- else it counts from when the loop last ran
    guard:start(10000, 0, function()
      late = true
      uv.stop()
    end)
    uv.run()
    guard:close()
    for _, poll in ipairs(polls) do
      if not poll:is_closing() then
        poll:close()
      end
    end
    uv.run("nowait")
    assert.is_false(late, "a descriptor did not become readable")
    return wakes
  end

  describe("stepped", function()
    it("is done when step says true, and stays so", function()
      local job = start("ok")
      assert.is_true(job:step(host.LONG))
      assert.is_true(job:step(host.LONG))
      assert.is_true(job:step())
      local result, info = is_whole(job)
      assert.equal(200, info[1].status)
      local again = job:result()
      assert.equal(result, again)
      assert.matches("^traceroute%.job %(done%)$", tostring(job))
    end)

    it("never waits with 0, and not much longer than it was told to", function()
      local function seconds_of(job, seconds)
        local before = uv.hrtime()
        assert.is_false(job:step(seconds))
        return (uv.hrtime() - before) / 1e9
      end
      -- Single steps take longer by what else the machine does, but not with each of several jobs.
      local least, waited = math.huge, math.huge
      for _ = 1, 5 do
        stand_in:reset()
        local job, worst = start("hang"), 0
        for _ = 1, 200 do
          worst = math.max(worst, seconds_of(job, 0))
        end
        least = math.min(least, worst)
        assert.is_true(step_until(job, has_arrived()))
        local once = seconds_of(job, 0.1)
        assert.is_true(once >= 0.1, once)
        waited = math.min(waited, once)
        job:cancel()
      end
      assert.is_true(least < 0.15, least)
      assert.is_true(waited < 1, waited)
    end)

    it("has no result before it is done", function()
      local job = start("hang")
      local result, err = job:result()
      assert.is_nil(result)
      assert.equal("invalid_request", err.kind)
      assert.matches("not done", err.message)
      assert.matches("^traceroute%.job %(running%)$", tostring(job))
      job:cancel()
    end)

    it("tells what cannot be meant", function()
      local job = start("hang")
      for _, wrong in ipairs { -1, 0 / 0, "1", {}, false } do
        local done, err = job:step(wrong)
        assert.is_nil(done)
        assert.equal("invalid_request", err.kind)
        assert.equal("seconds", err.path)
      end
      for _, name in ipairs { "step", "fd", "result", "cancel" } do
        for _, wrong in ipairs { {}, io.stdout, 1, false } do
          local value, err = job[name](wrong)
          assert.is_nil(value)
          assert.equal("self", err.path)
        end
      end
      assert.is_false(getmetatable(job))
      job:cancel()
    end)

    it("goes on while others do, each with its own answer", function()
      local jobs, left = {}, 6
      for i = 1, left do
        jobs[i] = traceroute.start(stand_in.account, "198.51.100." .. i, options(i % 2 == 0 and "ok" or "slow/30"))
      end
      while left > 0 do
        for i, job in ipairs(jobs) do
          if job:step(0.002) and not jobs[-i] then
            jobs[-i], left = true, left - 1
          end
        end
      end
      for i = 1, #jobs do
        assert.equal("198.51.100." .. i, is_whole(jobs[i])[1].target)
      end
    end)

    it("is moved on by the steps of another", function()
      local one, other = start("ok"), start("hang")
      while not host.read(stand_in.directory .. "/requests.log"):find('"completed":true', 1, true) do
        other:step(0.01)
      end
      other:step(0.01)
      other:cancel()
      assert.is_true(one:step(host.LONG))
      is_whole(one)
    end)
  end)

  describe("driven by its descriptor alone", function()
    it("comes to its end", function()
      for _, case in ipairs { { "ok", 1 }, { "ok", 45 }, { "drip/500/2", 1 }, { "slow/150", 1 } } do
        local job = start(case[1], nil, case[2])
        assert.equal(job:fd(), job:fd())
        local wakes = drive(job)
        assert.is_true(wakes[1] < 200, "woken too often: " .. wakes[1])
        is_whole(job, case[2])
      end
    end)

    it("comes to its end through a pause", function()
      local job = start("retry/1/503/ms:150/" .. stand_in:key(), { retries = 1 })
      assert.is_true(drive(job)[1] < 50)
      is_whole(job)
      local list = stand_in:requests()
      assert.is_true(list[2].time - list[1].time >= 0.15 - 0.02)
    end)

    it("comes to its end by a timeout, and by one of the connection", function()
      local job = start("hang", { timeout = 0.15 })
      assert.is_true(drive(job)[1] < 50)
      assert.equal("timeout", select(2, job:result()).kind)
      local port, silent = server.silent_port()
      job = start("ok", { base_url = "https://127.0.0.1:" .. port, connect_timeout = 0.1 }, 35)
      drive(job)
      silent.close()
      assert.equal("connection", select(2, job:result()).kind)
    end)

    it("comes to its end beside nineteen others", function()
      local jobs = {}
      for i = 1, 20 do
        jobs[i] = start(i % 3 == 0 and "ok" or i % 3 == 1 and "slow/60" or "drip/900/5")
      end
      drive((unpack or table.unpack)(jobs))
      for i = 1, 20 do
        is_whole(jobs[i])
      end
    end)

    it("comes to its end although the one whose connection it waited for was cancelled", function()
      local own = server.start()
      local all = options("ok")
      all.base_url, all.ca_file = own:url("ok"), own.ca_file
      local first = traceroute.start(own.account, "192.0.2.1", all)
      local second = traceroute.start(own.account, "192.0.2.1", all)
      first:step(0)
      first:cancel()
      drive(second)
      own:stop()
      is_whole(second)
    end)

    it("stays readable once it is done or was cancelled", function()
      local done, cancelled = start("ok"), start("hang")
      assert.is_true(done:step(host.LONG))
      cancelled:fd()
      cancelled:cancel()
      assert.same({ 1, 1 }, drive(done, cancelled))
    end)

    it("is quiet while nothing happens", function()
      local job = start("hang")
      assert.is_true(step_until(job, has_arrived()))
      while job:step(0.05) do end
      local poll, guard, woken = uv.new_poll(job:fd()), uv.new_timer(), 0
      poll:start("r", function() woken = woken + 1 job:step(0) end)
      uv.update_time() -- else it counts from when the loop last ran
      guard:start(300, 0, function() uv.stop() end)
      uv.run()
      poll:close()
      guard:close()
      uv.run("nowait")
      job:cancel()
      assert.is_true(woken < 5, woken)
    end)
  end)

  describe("cancelled", function()
    local function is_cancelled(job, count)
      assert.is_true(job:step(0))
      local result, err, info = job:result()
      assert.equal("cancelled", err.kind)
      assert.equal("cancelled", err.message)
      assert.equal(count or 1, #err.targets)
      return result, err, info
    end

    it("before it was stepped", function()
      local job = start("ok", nil, 45)
      job:cancel()
      assert.is_nil((is_cancelled(job, 45)))
      assert.same({}, stand_in:requests())
    end)

    it("while it waits for an answer, again and again", function()
      for _, listener in ipairs { "https", "http11", "http" } do
        stand_in:reset()
        local job = start("hang", { listener = listener })
        assert.is_true(step_until(job, has_arrived()))
        job:cancel()
        job:cancel()
        assert.is_nil((is_cancelled(job)))
        assert.is_truthy(stand_in:await(all_aborted))
        job:cancel()
        is_cancelled(job)
      end
    end)

    it("in mid-body keeps what arrived", function()
      local colos = 0
      local job = start("hang_after/3000", { on_progress = function(at) colos = at.colos end })
      assert.is_true(step_until(job, function() return colos == 1 end))
      job:cancel()
      local result, err, info = is_cancelled(job)
      assert.equal("192.0.2.1", result[1].target)
      assert.equal("den01", result[1].colos[1].colo.name)
      assert.same({ "192.0.2.1" }, err.targets)
      assert.equal(3000, info[1].bytes)
      assert.is_truthy(stand_in:await(all_aborted))
    end)

    it("keeps the requests that were whole, and begins no other", function()
      local done = 0
      local job = start("slow_target/192.0.2.11/60000",
        { concurrency = 1, on_progress = function(at) done = at.requests_done end }, 45)
      assert.is_true(step_until(job, function() return done == 1 and has_arrived(2)() end))
      job:cancel()
      local result, err = is_cancelled(job, 35)
      assert.equal(10, #result)
      assert.equal("192.0.2.11", err.targets[1])
      assert.equal(2, #stand_in:requests())
    end)

    it("in a pause", function()
      local job = start("retry/1/503/seconds:9/" .. stand_in:key(), { retries = 1 })
      assert.is_true(step_until(job, function()
        return stand_in:requests()[1] and stand_in:requests()[1].ended
      end))
      job:step(0.02)
      job:cancel()
      is_cancelled(job)
      assert.equal(1, #stand_in:requests())
    end)

    it("after it was done changes nothing", function()
      local job = start("ok")
      assert.is_true(job:step(host.LONG))
      job:cancel()
      is_whole(job)
    end)
  end)

  describe("dropped", function()
    it("is collected, and what ran for it is aborted", function()
      local job = start("hang")
      assert.is_true(step_until(job, has_arrived()))
      local held = setmetatable({ job }, { __mode = "v" })
      job = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      assert.is_nil(held[1])
      assert.is_truthy(stand_in:await(all_aborted))
    end)

    it("is collected although on_progress refers to it", function()
      local held = setmetatable({}, { __mode = "k" })
      do
        local job
        job = start("hang", { on_progress = function() return job end })
        held[job] = true
      end
      for _ = 1, 3 do
        collectgarbage()
      end
      assert.is_nil((next(held)))
    end)

    if _VERSION == "Lua 5.4" then
      it("goes with a to-be-closed variable", function()
        local job = start("hang")
        assert.is_true(step_until(job, has_arrived()))
        assert(load("local job <close> = ..."))(job)
        assert.is_truthy(stand_in:await(all_aborted))
        for _, name in ipairs { "step", "fd" } do
          local value, err = job[name](job)
          assert.is_nil(value)
          assert.equal("cancelled", err.kind)
        end
        job:cancel()
        assert.equal("cancelled", select(2, job:result()).kind)
      end)

      it("in on_progress by a to-be-closed variable, ends", function()
        -- In a process of its own, since a fault here is a crash.
        local output, status = host.run(("LUA_INIT= LUA_INIT_5_4= lua5.4 -e %s 2>&1"):format(host.quote(([[
          package.path, package.cpath = %q, %q
          local traceroute, job = require "traceroute"
          job = traceroute.start(%q, "192.0.2.1", { base_url = %q, token = "t",
            on_progress = function() local closed <close> = job end })
          print(job:step(10))
        ]]):format(package.path, package.cpath, stand_in.account, stand_in:url("ok", "http")))))
        assert.equal(0, status, output)
      end)
    end
  end)

  it("asks for no more than there is room for, however large the refusals are", function()
    local junk = ('{"success":false,"errors":[],"messages":[],"junk":["%s"]}'):format(("a"):rep(600000))
    stand_in:raw("refusals", junk, nil, 500)
    local job = assert(core.start_in_thread(stand_in.account, targets(200), options("raw/refusals", { quota = 0 })))
    job:send() -- and nobody takes what comes
    assert.is_not_nil(stand_in:await(function(list) return #list >= 4 end))
    local other = options("ok")
    for _ = 1, 20 do
      assert.is_nil(select(2, traceroute.create(stand_in.account, "a.example", other)))
    end
    local sent = 0
    for _, request in ipairs(stand_in:requests()) do
      sent = sent + (request.uri:find("raw/refusals", 1, true) and 1 or 0)
    end
    assert.is_true(sent <= 8, sent) -- a megabyte, and what four had under way
    while not job:step(1) do
      assert.is_not_nil(job)
    end
    local _, err = job:result()
    assert.same({ "server", 200 }, { err.kind, #err.targets })
  end)

  describe("on_progress", function()
    it("hears how far it is", function()
      local heard = {}
      local job = start("ok", { concurrency = 1, on_progress = function(at) heard[#heard + 1] = at end }, 25)
      assert.is_true(job:step(host.LONG))
      local _, info = is_whole(job, 25)
      local last, bytes = heard[#heard], 0
      for i = 1, 3 do
        bytes = bytes + info[i].bytes
      end
      assert.equal(3, last.requests)
      assert.equal(3, last.requests_done)
      assert.equal(50, last.colos)
      assert.is_true(last.bytes > 0 and last.bytes <= bytes)
      for i = 2, #heard do
        local a, b = heard[i - 1], heard[i]
        assert.is_true(a.colos <= b.colos and a.requests_done <= b.requests_done and a.bytes <= b.bytes)
        assert.is_true(a.colos < b.colos or a.requests_done < b.requests_done)
      end
    end)

    for name, case in pairs {
      ["that returns false"] = { function() return false end, "^cancelled by on_progress$" },
      ["that cancels"] = { function(_, job) job:cancel() end, "^cancelled by on_progress$" },
      ["that raises"] = { function() error("enough of it", 0) end, "^on_progress raised: enough of it$" },
      ["that raises no text"] = { function() error({}) end, "^on_progress raised: not a string$" },
      ["that yields"] = { coroutine.yield, "^on_progress raised: .*yield" },
    } do
      it(name .. " ends the call", function()
        local job
        job = start("hang_after/3000", { concurrency = 1, on_progress = function(at) return case[1](at, job) end }, 45)
        assert.is_true(step_until(job, function() return job:step(0) end))
        local result, err = job:result()
        assert.equal("cancelled", err.kind)
        assert.matches(case[2], err.message)
        assert.equal(45, #err.targets)
        assert.is_not_nil(result)
        assert.equal(1, #stand_in:requests())
      end)
    end

    it("that raises when all has come leaves the result, with the error beside it", function()
      local job = start("ok", { on_progress = function(at)
        if at.requests_done == at.requests then
          error("too late", 0)
        end
      end })
      assert.is_true(job:step(host.LONG))
      local result, err, info = job:result()
      assert.equal("cancelled: on_progress raised: too late", tostring(err))
      assert.same({ 2, 200 }, { #result[1].colos, info[1].status })
    end)

    it("cannot step its job, and may start and finish others", function()
      local job, inner, stepped, why
      job = start("ok", { on_progress = function()
        if not inner then
          stepped, why = job:step(1)
          inner = start("ok")
        end
      end })
      assert.is_true(job:step(host.LONG))
      is_whole(job)
      assert.is_nil(stepped)
      assert.matches("within on_progress", why.message)
      assert.is_true(inner:step(host.LONG))
      is_whole(inner)
    end)
  end)

  -- In a process of its own: a fault here is a crash, and where there is little, all of it can be collected again and
  -- again. The object is let go in on_progress, and collected by what the step does after that: by 5.1 and 5.2 before
  -- on_progress is seen to be over. There is more to come than the collector lets pass.
  it("is cancelled in mid-step by a finalizer, which can neither step nor close it", function()
    local output, status = host.run(("LUA_INIT= LUA_INIT_5_2= LUA_INIT_5_3= LUA_INIT_5_4= %s -e %s 2>&1"):format(
      host.checked_interpreter(), host.quote(([[
        package.path, package.cpath = %q, %q
        local traceroute, discard = require "traceroute", require "spec.support.discard"
        local job, has_let_go, has_run
        local close = _VERSION == "Lua 5.4" and load("local job <close> = ...") or function() end
        local function say(value, err)
          print(value, err.kind, err.message)
        end
        local function finalize()
          if select(2, job:step(1)).message:find("on_progress", 1, true) then
            return discard(finalize)
          end
          has_run = true
          job:cancel()
          say(job:step(1))
          say(job:result())
          close(job)
          say(job:step(1))
        end
        local targets = {}
        for i = 1, 250 do
          targets[i] = "192.0.2." .. i
        end
        job = traceroute.start(%q, targets, { base_url = %q, token = "t", concurrency = 1, retries = 0,
          on_progress = function()
            if has_run then
              collectgarbage("setpause", 200)
            elseif not has_let_go then
              has_let_go = true
              collectgarbage("setpause", 1)
              collectgarbage("setstepmul", 1000000)
              collectgarbage()
              discard(finalize)
            end
          end })
        while not job:step(10) do end
        local result, err = job:result()
        say(#result > 0, err)
        print(#err.targets > 0, (job:step(1)))
      ]]):format(package.path, package.cpath, stand_in.account, stand_in:url("ok", "http")))))
    assert.equal(([[
nil	invalid_request	step was called from within a step
nil	invalid_request	the job is not done; step it until it says true
nil	invalid_request	step was called from within a step
true	cancelled	cancelled
true	true
]]), output)
    assert.equal(0, status)
    assert.is_true(#stand_in:requests() < 25)
  end)

  describe("interrupted", function()
    -- As the interpreter's handler of Ctrl-C does, at the count-th call or return from here on.
    local function interrupt_at(count)
      debug.sethook(function()
        count = count - 1
        if count == 0 then
          debug.sethook()
          error("interrupted!", 0)
        end
      end, "cr")
    end

    it("before or after a step's work goes on", function()
      local raised = 0
      for count = 1, 12 do
        local job = start("hang")
        local ok, why = pcall(function()
          interrupt_at(count)
          job:step(0)
          debug.sethook()
        end)
        if not ok then
          raised = raised + 1
          assert.equal("interrupted!", why)
        end
        assert.is_false(job:step(0))
        job:cancel()
        assert.equal("cancelled", select(2, job:result()).message)
      end
      assert.is_true(raised >= 3, raised)
    end)

    it("in on_progress can be cancelled, and has what came", function()
      local job = start("hang_after/3000", { on_progress = function() error("interrupted!", 0) end })
      local ok, why
      assert.is_true(step_until({ step = function() ok, why = pcall(job.step, job, 0.005) end },
        function() return ok == false end))
      assert.equal("interrupted!", why)
      job:cancel()
      assert.is_truthy(stand_in:await(all_aborted))
      local result, err = job:result()
      assert.equal("cancelled", err.kind)
      assert.equal("den01", result[1].colos[1].colo.name)
    end)
  end)

  it("gives what arrived together with what failed", function()
    for behaviour, kind in pairs { ["cut/3000"] = "connection", ["hang_after/3000"] = "timeout" } do
      local job = start(behaviour, { timeout = 0.5 * host.patience() })
      assert.is_true(job:step(host.LONG))
      local result, err = job:result()
      assert.equal(kind, err.kind)
      assert.same({ "192.0.2.1" }, err.targets)
      assert.equal("den01", result[1].colos[1].colo.name)
    end
  end)

  it("leaves no descriptor behind", function()
    local function descriptors()
      collectgarbage()
      collectgarbage()
      local _, count = host.run(("ls /proc/%d/fd"):format(uv.os_getpid())):gsub("\n", "")
      assert.is_true(count > 5)
      return count
    end
    local function round(jobs)
      for i = 1, jobs do
        local job = start(i % 4 == 0 and "hang" or "ok", { listener = i % 2 == 0 and "https" or "http" })
        job:fd()
        if i % 2 == 0 then
          for _ = 1, i % 7 do
            job:step(0.001)
          end
          if i % 10 ~= 0 then
            job:cancel()
          end
        else
          assert.is_true(job:step(host.LONG))
        end
      end
    end
    round(20)
    local before = descriptors()
    round(200)
    assert.is_true(descriptors() <= before + 2, before .. " became " .. descriptors())
  end)
end)
