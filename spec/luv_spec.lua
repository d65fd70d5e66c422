-- Traceroutes inside a luv loop: many at once, none in the way of the loop's other work.

local core = require "traceroute.core"
local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute.luv"
local uv = require "luv"

describe("traceroutes in a luv loop", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  local function options(behaviour, more)
    return stand_in:options(behaviour, { token = "secret", quota = 0 }, more)
  end

  it("call back with what create returns", function()
    local got
    local job = traceroute.create(stand_in.account, { "a.example", "b.example" }, options("ok"), function(...)
      got = { ... }
    end)
    assert.is_not_nil(job)
    assert.is_nil(got)
    uv.run()
    assert.equal("b.example", got[1][2].target)
    assert.equal(2, #got[1][2].colos)
    assert.is_nil(got[2])
    assert.equal(200, got[3][1].status)
  end)

  it("call back with an error", function()
    local result, err
    traceroute.create(stand_in.account, "a.example", options("status/403"), function(...)
      result, err = ...
    end)
    uv.run()
    assert.is_nil(result)
    assert.equal("permission", err.kind)
  end)

  it("may be stepped to the end without the loop", function()
    local job = assert(core.start_in_thread(stand_in.account, "a.example", options("ok")))
    job:send()
    local steps = 0
    while not job:step(10) do
      steps = steps + 1
    end
    assert.is_true(steps < 100, "steps wait")
    assert.equal("a.example", job:result()[1].target)
    job = assert(core.start_in_thread(stand_in.account, "a.example", options("hang")))
    job:send()
    assert.is_false(job:step(0.01))
    job:cancel()
    assert.equal("cancelled", select(2, job:result()).kind)
  end)

  it("count the time before they are sent as a part of their timeout", function()
    local job = assert(core.start_in_thread(stand_in.account, "a.example", options("ok", { timeout = 0.05 })))
    host.pause(60)
    job:send()
    while not job:step(10) do
    end
    local _, err = job:result()
    assert.equal("timeout", err.kind)
    assert.same({}, stand_in:requests())
  end)

  it("are tallied to their end, whatever becomes of the job", function()
    local function begin(behaviour, more)
      local job = assert(core.start_in_thread(stand_in.account, "a.example", options(behaviour, more)))
      local receipt = select(6, job:demand())
      assert.is_nil(receipt())
      job:send()
      return job, receipt
    end
    local job, receipt = begin(("retry/2/503/ms:10/%s"):format(stand_in:key()))
    while not job:step(10) do
    end
    assert.equal(3, receipt())
    job, receipt = begin "hang"
    assert.is_table(stand_in:await(function(list)
      return #list == 4
    end))
    assert.is_nil(receipt())
    job:cancel()
    assert.equal(1, receipt())
    job, receipt = begin "hang"
    assert.is_table(stand_in:await(function(list)
      return #list == 5
    end))
    assert.is_false((job:step(0)))
    job = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_table(stand_in:await(function(list)
      return list[5].aborted
    end))
    assert.equal(1, receipt())
    assert.is_false(getmetatable(receipt))
  end)

  it("return an error at once for what cannot be sent, and never call back", function()
    local job, err = traceroute.create(stand_in.account, "a.example", options("ok", { timeout = -1 }), error)
    uv.run()
    assert.is_nil(job)
    assert.equal("invalid_request", err.kind)
    assert.same({}, stand_in:requests())
  end)

  it("return an error at once where the loop can watch nothing more, and send nothing", function()
    local new_poll = uv.new_poll
    finally(function()
      uv.new_poll = new_poll -- luacheck: ignore 122
    end)
    uv.new_poll = function() -- luacheck: ignore 122
      return nil, "ENOSPC: no space left on device", "ENOSPC"
    end
    local job, err = traceroute.create(stand_in.account, "a.example", options("ok"), error)
    uv.run()
    assert.is_nil(job)
    assert.equal("connection: the loop cannot watch the job: ENOSPC: no space left on device", tostring(err))
    assert.same({}, stand_in:requests())
  end)

  -- The last bytes come in while the transfer is told to go on after a pause: what is refused then is refused.
  it("say so when an answer is a byte too large", function()
    local targets = {}
    for n = 1, 10 do
      targets[n] = "t" .. n
    end
    local size
    traceroute.create(stand_in.account, targets, options("big/10/100/15"), function(_, err, info)
      assert.is_nil(err)
      size = info[1].bytes
    end)
    uv.run()
    for _ = 1, 5 do
      local err
      traceroute.create(stand_in.account, targets, options("big/10/100/15", { max_response_bytes = size - 1 }),
        function(_, failure)
          err = failure
        end)
      uv.run()
      assert.equal("invalid_response", err.kind)
      assert.matches("max_response_bytes", err.message)
    end
  end)

  it("run side by side, while the loop's own timers go on", function()
    local done, ticks, turns = {}, 0, 0
    local timer, check = uv.new_timer(), uv.new_check()
    timer:start(10, 10, function()
      ticks = ticks + 1
    end)
    check:start(function()
      turns = turns + 1
    end)
    for i = 1, 50 do
      local target = ("t%d.example"):format(i)
      traceroute.create(stand_in.account, target, options("slow/200"), function(result)
        done[#done + 1] = result[1].target == target and #result[1].colos
        if #done == 50 then
          timer:close()
          check:close()
        end
      end)
    end
    uv.run()
    assert.equal(50, #done)
    for _, colos in ipairs(done) do
      assert.equal(2, colos)
    end
    assert.is_true(ticks > 5)
    -- A few turns a job and one a tick: a loop that polled would take thousands.
    assert.is_true(turns < 4 * 50 + ticks)
  end)

  it("take a large answer in short runs", function()
    local targets, runs, got = {}, 0, nil
    for i = 1, 10 do
      targets[i] = "t" .. i
    end
    local opts = options("big/10/300/15", {
      on_progress = function()
        runs = runs + 1
      end,
    })
    traceroute.create(stand_in.account, targets, opts, function(result)
      got = result
    end)
    uv.run()
    assert.equal(300, #got[10].colos)
    assert.is_true(runs > 10, runs)
  end)

  it("end early when cancelled, with a call back", function()
    local err
    local job = traceroute.create(stand_in.account, "a.example", options("hang"), function(_, why)
      err = why
    end)
    local timer = uv.new_timer()
    timer:start(5, 5, function()
      if #stand_in:requests() == 1 then
        timer:close()
        job:cancel()
      end
    end)
    uv.run()
    assert.equal("cancelled", err.kind)
    assert.is_table(stand_in:await(function(list)
      return list[1].aborted
    end))
  end)
end)
