-- How fast this process goes: the option quota, shared by all its calls with one token, and what the
-- service says in its Ratelimit header. Arrivals are timed by the stand-in.

local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"
local uv = require "luv"

local SLACK = 0.02
local WINDOW = 301

describe("the pace of a process", function()
  local stand_in, token

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
    token = "quota-" .. stand_in:key()
  end)

  local function options(behaviour, more)
    return stand_in:options(behaviour, { token = token, retries = 0, timeout = 20 }, more)
  end

  local function targets(count)
    local list = {}
    for i = 1, count do
      list[i] = ("198.51.%d.%d"):format(math.floor(i / 200), 1 + i % 200)
    end
    return list
  end

  local function ask(count, behaviour, more)
    return traceroute.create(stand_in.account, targets(count), options(behaviour, more))
  end

  local function is_held(err)
    assert.equal("rate_limit", err.kind)
    assert.is_true(err.retry_after > WINDOW - 30 and err.retry_after <= WINDOW)
    assert.matches("not sent.*retry_after", err.message)
    assert.is_nil(err.attempts)
    assert.is_nil(err.status)
  end

  it("sends no more requests of a call than quota allows, and says when to come back", function()
    local start = uv.hrtime()
    local result, err, info = ask(35, "ok", { quota = 3 })
    assert.is_true((uv.hrtime() - start) / 1e9 < 10)
    assert.equal(30, #result)
    is_held(err)
    assert.equal(5, #err.targets)
    assert.equal(targets(31)[31], err.targets[1])
    assert.equal(3, #stand_in:requests())
    assert.equal(1, info[3].attempts)
    assert.equal("rate_limit", info[4].error.kind)
  end)

  it("counts the requests of all calls that share a token, and no others", function()
    for _ = 1, 3 do
      local _, err = ask(1, "ok", { quota = 3 })
      assert.is_nil(err)
    end
    local result, err = ask(1, "ok", { quota = 3 })
    assert.is_nil(result)
    is_held(err)
    local job = traceroute.start(stand_in.account, targets(1), options("ok", { quota = 3 }))
    assert.is_true(job:step(host.LONG))
    is_held(select(2, job:result()))
    assert.equal(3, #stand_in:requests())
    token = "quota-" .. stand_in:key()
    assert.is_nil(select(2, ask(1, "ok", { quota = 3 })))
    assert.equal(4, #stand_in:requests())
  end)

  it("counts tries, whose last failure is what is told", function()
    local result, err = ask(1, "retry/5/503/ms:1/" .. stand_in:key(), { quota = 2, retries = 5 })
    assert.is_nil(result)
    assert.equal("rate_limit", err.kind)
    assert.equal(2, err.attempts)
    assert.equal(2, #stand_in:requests())
  end)

  it("counts by the key where there is no token", function()
    local key = "quota-" .. stand_in:key()
    for i = 1, 2 do
      local all = options("ok", { quota = 1, email = i .. "@example.com", key = key })
      all.token = nil
      local _, err = traceroute.create(stand_in.account, "192.0.2.1", all)
      if i == 1 then
        assert.is_nil(err)
      else
        is_held(err)
      end
    end
  end)

  it("has no limit of its own with quota 0", function()
    local result, err = ask(60, "ok", { quota = 0, concurrency = 1 })
    assert.is_nil(err)
    assert.equal(60, #result)
    assert.equal(6, #stand_in:requests())
  end)

  describe("heeds the Ratelimit header:", function()
    it("r=0 holds the next request for t seconds", function()
      assert.is_nil(select(2, ask(1, "ratelimit/0/1")))
      local result, err = ask(1, "ok")
      assert.is_nil(err)
      assert.equal(1, #result)
      local list = stand_in:requests()
      local pause = list[2].time - list[1].time
      assert.is_true(pause >= 1 - SLACK and pause < 10, pause)
    end)

    it("also within a call", function()
      assert.is_nil(select(2, ask(20, "ratelimit/0/1", { concurrency = 1 })))
      local list = stand_in:requests()
      assert.is_true(list[2].time - list[1].time >= 1 - SLACK)
    end)

    it("what is left above 0 holds nothing", function()
      assert.is_nil(select(2, ask(1, "ratelimit/1/600")))
      assert.is_nil(select(2, ask(1, "ok")))
    end)

    it("a longer wait than the timeout is told at once", function()
      assert.is_nil(select(2, ask(1, "ratelimit/0/200")))
      local start = uv.hrtime()
      local result, err = ask(25, "ok")
      assert.is_true((uv.hrtime() - start) / 1e9 < 15)
      assert.is_nil(result)
      assert.equal("rate_limit", err.kind)
      assert.is_true(err.retry_after > 170 and err.retry_after <= 200)
      assert.equal(25, #err.targets)
      assert.equal(1, #stand_in:requests())
    end)
  end)

  it("holds all calls with the token after a 429 for as long as that asks", function()
    local _, err = ask(1, "retry/1/429/seconds:100/" .. stand_in:key()) -- without a Ratelimit header
    assert.equal(100, err.retry_after)
    local _, held = ask(1, "ok")
    assert.equal("rate_limit", held.kind)
    assert.is_true(held.retry_after > 70 and held.retry_after <= 100)
    assert.equal(1, #stand_in:requests())
  end)

  it("sends no request of a call after one was refused for good", function()
    for behaviour, kind in pairs { ["ratelimited/100"] = "rate_limit", ["status/401"] = "authentication",
      ["status/403"] = "permission" } do
      stand_in:reset()
      token = "quota-" .. stand_in:key()
      local result, err, info = ask(35, behaviour, { concurrency = 1 })
      assert.is_nil(result)
      assert.equal(kind, err.kind)
      assert.equal(35, #err.targets)
      assert.equal(1, #stand_in:requests())
      assert.equal(kind, info[4].error.kind)
      assert.matches("not sent", info[4].error.message)
    end
  end)

  it("is one for a token, whatever quotas its calls name", function()
    assert.is_nil(select(2, ask(1, "ok", { quota = 5 })))
    assert.is_nil(select(2, ask(1, "ok", { quota = 7 })))
    local _, err = ask(1, "ok", { quota = 2, timeout = 2 })
    assert.equal("rate_limit", err.kind)
    assert.is_nil(select(2, ask(1, "ok", { quota = 3 })))
    assert.equal(3, #stand_in:requests())
  end)

  -- The wait is one of the things that the descriptor of a job tells of.
  it("is waited for without polling", function()
    assert.is_nil(select(2, ask(1, "ratelimit/0/1")))
    local job = traceroute.start(stand_in.account, targets(1), options("ok"))
    local poll, guard, late = uv.new_poll(job:fd()), uv.new_timer(), false
    poll:start("r", function()
      if job:step(0) then
        uv.stop()
      end
    end)
    uv.update_time() -- else it counts from when the loop last ran
    guard:start(5000, 0, function()
      late = true
      uv.stop()
    end)
    uv.run()
    poll:close()
    guard:close()
    uv.run("nowait")
    job:cancel()
    assert.is_false(late, "the descriptor never became readable")
    assert.is_nil(select(2, job:result()))
  end)
end)
