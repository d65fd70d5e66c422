-- Further tries of a request: which failures get one, how many, and after what pause. Pauses are measured
-- by the times at which the stand-in saw the requests. How fast requests may go at all is quota_spec's.

local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"
local uv = require "luv"

-- The stand-in's clock has milliseconds, and requests can arrive a little closer than they were sent.
local SLACK = 0.02
local TRIES = 10
local AT_ONCE = 10 -- seconds, within which a call that waits for nothing ends on any machine

describe("a further try", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  -- Each call has a token of its own: a 429 holds back all that share one.
  local function call(base_url, options)
    return traceroute.create(stand_in.account, "192.0.2.1",
      stand_in:options(base_url, { token = "retry-" .. stand_in:key(), timeout = 20 }, options))
  end

  -- fails: how often the stand-in fails before it is ok.
  local function ask(fails, status, form, options)
    return call(stand_in:url(("retry/%d/%d/%s/%s"):format(fails, status, form, stand_in:key())), options)
  end

  -- Seconds between the arrivals.
  local function pauses()
    local list, found = stand_in:requests(), {}
    for i = 2, #list do
      found[i - 1] = list[i].time - list[i - 1].time
    end
    return found
  end

  -- `measure` gives a pause. It is never shorter; of how busy the machine is it may be longer, but not every time.
  local function takes(low, high, measure)
    local least = math.huge
    for _ = 1, TRIES do
      stand_in:reset()
      local pause = measure()
      assert.is_true(pause >= low - SLACK, ("%.3f is shorter than %g"):format(pause, low))
      least = math.min(least, pause)
      if least < high then
        return
      end
    end
    error(("%.3f is not within %g and %g"):format(least, low, high), 2)
  end

  for status, kind in pairs {
    [408] = false, [409] = false, [429] = false, [500] = false, [502] = false, [503] = false, [504] = false,
    [520] = false, [0] = false, -- 0: the connection ends without an answer
    [400] = "invalid_request", [401] = "authentication", [403] = "permission", [404] = "not_found",
    [405] = "invalid_request", [415] = "invalid_request", [422] = "invalid_request", [418] = "api",
  } do
    it(kind and "is not worth while after " .. status or "mends " .. status, function()
      local result, err, info = ask(1, status, "ms:1")
      if kind then
        assert.is_nil(result)
        assert.equal(kind, err.kind)
        assert.equal(status, err.status)
        assert.equal(1, err.attempts)
        assert.equal(1, #stand_in:requests())
      else
        assert.is_nil(err)
        assert.equal(2, #result[1].colos)
        assert.equal(2, info[1].attempts)
        assert.equal(200, info[1].status)
        assert.equal(2, #stand_in:requests())
      end
    end)
  end

  it("sends the same request", function()
    ask(2, 503, "ms:1")
    local list = stand_in:requests()
    assert.equal(3, #list)
    assert.equal(list[1].body, list[3].body)
    assert.equal(list[1].headers.authorization, list[3].headers.authorization)
  end)

  it("is made as often as retries says, twice by default", function()
    for _, case in ipairs { { nil, 3 }, { 0, 1 }, { 1, 2 }, { 4, 5 } } do
      stand_in:reset()
      local result, err, info = ask(100, 503, "ms:1", { retries = case[1] })
      assert.is_nil(result)
      assert.equal("server", err.kind)
      assert.equal(1000 + 503, err.code)
      assert.matches("failed " .. case[2] .. " times", err.message)
      assert.equal(case[2], err.attempts)
      assert.equal(case[2], info[1].attempts)
      assert.equal(case[2], #stand_in:requests())
    end
  end)

  it("follows x-should-retry against the status, both ways", function()
    local _, err, info = ask(1, 503, "should:false,ms:1")
    assert.equal("server", err.kind)
    assert.equal(1, info[1].attempts)
    _, err, info = ask(1, 400, "should:true,ms:1")
    assert.is_nil(err)
    assert.equal(2, info[1].attempts)
    _, err, info = ask(1, 503, "should:perhaps,ms:1")
    assert.is_nil(err)
    assert.equal(2, info[1].attempts)
    _, err, info = ask(3, 400, "should:true,ms:1")
    assert.equal("invalid_request", err.kind)
    assert.equal(3, info[1].attempts)
  end)

  describe("comes after", function()
    for form, bounds in pairs {
      ["ms:250"] = { 0.25, 0.75 },
      ["seconds:1"] = { 1, 1.7 },
      ["seconds:0.3"] = { 0.3, 0.9 },
      ["raw:0"] = { 0, 0.3 },
      ["date:2"] = { 1, 2.7 }, -- the date is cut to whole seconds: up to one less
      ["raw:01 Jan 1990 00:00:00 GMT"] = { 0, 0.3 }, -- long over
      ["seconds:5,ms:150"] = { 0.15, 0.65 }, -- ms goes first
      ["raw:soon"] = { 0.375, 1 },
      ["raw:-3"] = { 0.375, 1 },
      ["raw:1e3"] = { 0.375, 1 },
      ["-"] = { 0.375, 1 }, -- 0.5 s, times 0.75 to 1
    } do
      it(form, function()
        takes(bounds[1], bounds[2], function()
          local _, err = ask(1, 503, (form:gsub(" ", "%%20")))
          assert.is_nil(err)
          return pauses()[1]
        end)
      end)
    end

    it("twice as long each time, if the service says nothing", function()
      for i, bounds in ipairs { { 0.375, 1 }, { 0.75, 1.6 } } do
        takes(bounds[1], bounds[2], function()
          local _, err = ask(2, 0, "-")
          assert.is_nil(err)
          return pauses()[i]
        end)
      end
    end)
  end)

  it("is not waited for when the pause would outlast the timeout", function()
    for form, after in pairs { ["seconds:30"] = 30, ["ms:30000"] = 30, ["seconds:86400"] = 86400, ["date:60"] = 60 } do
      for status, kind in pairs { [429] = "rate_limit", [503] = "server" } do
        stand_in:reset()
        local start = uv.hrtime()
        local result, err = ask(100, status, form, { timeout = AT_ONCE })
        assert.is_true((uv.hrtime() - start) / 1e9 < AT_ONCE)
        assert.is_nil(result)
        assert.equal(kind, err.kind)
        assert.is_true(err.retry_after <= after and err.retry_after >= after - 1 - AT_ONCE)
        assert.equal(1, err.attempts)
        assert.equal(1, #stand_in:requests())
      end
    end
  end)

  it("ends with the kind rate_limit, its code and its retry_after when all were refused so", function()
    local result, err = call(stand_in:url("retry/100/429/ms:20/" .. stand_in:key()), { retries = 1 })
    assert.is_nil(result)
    assert.equal("rate_limit", err.kind)
    assert.equal(429, err.status)
    assert.equal(2, err.attempts)
    assert.equal(0.02, err.retry_after)
    err = select(2, call(stand_in:url("ratelimited/300/971")))
    assert.equal("rate_limit", err.kind)
    assert.equal(971, err.code)
    assert.equal(300, err.retry_after)
    assert.matches("retry_after", err.message)
  end)

  describe("after a timeout", function()
    -- The first try has a connection that is there, so that it arrives within its short time.
    before_each(function()
      assert(call(stand_in:url()))
      stand_in:reset()
    end)

    it("is not made, since the trace may still be running", function()
      local _, err = call(stand_in:url("hang"), { timeout = 0.3 * host.patience(), retries = 5 })
      assert.equal("timeout", err.kind)
      assert.equal(1, err.attempts)
      assert.equal(1, #stand_in:requests())
    end)

    it("is made when each try has its own time", function()
      local try = 0.5 * host.patience() -- within which the second makes a connection
      local began = host.now()
      local _, err, info = call(stand_in:url("hang"), { try_timeout = try, retries = 1 })
      assert.equal("timeout", err.kind)
      assert.matches("raise try_timeout, or", err.message)
      assert.equal(2, err.attempts)
      assert.equal(2, #stand_in:requests())
      local most = 2 * try + AT_ONCE
      assert.is_true(info[1].seconds >= 2 * try - SLACK and info[1].seconds < most, info[1].seconds)
      -- By the caller's clock: how late the first came within its try is not the pause's affair.
      local seconds = host.now() - began
      assert.is_true(seconds >= 2 * try + 0.375 - SLACK and seconds < most, seconds)
      assert.is_true(pauses()[1] >= 0.375 - SLACK and pauses()[1] < most, pauses()[1])
    end)

    it("is not begun once the time for all is over", function()
      local try = 0.2 * host.patience()
      local _, err = call(stand_in:url("hang"), { try_timeout = try, timeout = try + 0.3, retries = 5 })
      assert.equal("timeout", err.kind)
      assert.equal(1, err.attempts)
      assert.equal(1, #stand_in:requests())
    end)

    it("is made when it was the connection that took too long", function()
      local port, silent = server.silent_port()
      local _, err = call("https://127.0.0.1:" .. port, { connect_timeout = 0.1, retries = 1 })
      silent.close()
      assert.equal("connection", err.kind)
      assert.equal(2, err.attempts)
    end)
  end)

  it("adds what earlier ones brought when the last breaks off", function()
    local result, err, info = call(stand_in:url("cut/3000"), { retries = 1 })
    assert.equal("connection", err.kind)
    assert.equal(2, err.attempts)
    assert.equal(6000, info[1].bytes)
    assert.equal(1, #result)
    assert.equal("192.0.2.1", result[1].target)
    assert.equal(1, #result[1].colos)
  end)

  it("concerns the request that failed, not those beside it", function()
    local targets = {}
    for i = 1, 25 do
      targets[i] = "192.0.2." .. i
    end
    local result, err, info = traceroute.create(stand_in.account, targets,
      stand_in:options("fail_target/192.0.2.15/503/ms:5", { token = "retry-" .. stand_in:key(), retries = 2 }))
    assert.equal("server", err.kind)
    assert.equal(10, #err.targets)
    assert.equal("192.0.2.11", err.targets[1])
    assert.equal(15, #result)
    assert.equal("192.0.2.21", result[11].target)
    assert.same({ 1, 3, 1 }, { info[1].attempts, info[2].attempts, info[3].attempts })
    assert.equal(5, #stand_in:requests())
  end)
end)
