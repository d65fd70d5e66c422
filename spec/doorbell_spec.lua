-- The doorbell as whoever waits inside nginx uses it, here from a luv loop: numbers are sent, bytes come. A connection
-- is kept for one job after the other, and what it says of a job may arrive when that job is over.

local core = require "traceroute.core"
local server = require "spec.support.server"
local uv = require "luv"

local SECONDS = 20

describe("the doorbell", function()
  local stand_in, jobs, pipes

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    jobs, pipes = {}, {}
  end)

  after_each(function()
    for _, pipe in ipairs(pipes) do
      if not pipe:is_closing() then
        pipe:close()
      end
    end
    uv.run()
    for _, job in ipairs(jobs) do
      job:cancel()
    end
  end)

  local function start(behaviour)
    local job = assert(core.start_in_thread(stand_in.account, "a.example", stand_in:options(behaviour, {
      token = "secret", quota = 0,
    })))
    local path, number = job:doorbell()
    jobs[#jobs + 1] = job
    return job, path, number .. "\n"
  end

  -- Runs the loop until `is_so`, or for long enough.
  local function await(is_so)
    local clock = uv.new_timer()
    local is_late = false
    uv.update_time() -- else it counts from when the loop last ran
    clock:start(SECONDS * 1000, 0, function()
      is_late = true
    end)
    while not is_so() and not is_late do
      uv.run("once")
    end
    clock:close()
    return not is_late
  end

  -- A connection: `bytes` that came, `is_closed` by the other side.
  local function visit(path)
    local visitor, is_there = { bytes = 0, pipe = uv.new_pipe(false) }, false
    pipes[#pipes + 1] = visitor.pipe
    visitor.pipe:connect(path, function(err)
      is_there = not err
    end)
    assert(await(function() return is_there end))
    visitor.pipe:read_start(function(err, bytes)
      visitor.bytes = visitor.bytes + #(bytes or "")
      visitor.is_closed = visitor.is_closed or err or not bytes
    end)
    return visitor
  end

  local function await_byte(visitor)
    await(function() return visitor.bytes > 0 or visitor.is_closed end)
    return visitor.bytes > 0 and not visitor.is_closed
  end

  it("rings when there is something to take", function()
    local job, path, number = start("ok")
    local visitor = visit(path)
    visitor.pipe:write(number)
    job:send()
    assert.is_true(await_byte(visitor))
  end)

  it("goes on to the next job's number behind that of one which is over", function()
    local first, path, number = start("ok")
    first:cancel()
    for _, split in ipairs { 0, 1, #number - 1, #number, #number + 1 } do
      local second, _, following = start("ok")
      local visitor = visit(path)
      local text = number .. following
      visitor.pipe:try_write(text:sub(1, split))
      visitor.pipe:try_write(text:sub(split + 1))
      second:send()
      assert.is_true(await_byte(visitor), split)
    end
  end)

  it("takes a number that was sent while the door before was still open, once that is closed", function()
    for _ = 1, 50 do
      local first, path, number = start("ok")
      local visitor = visit(path)
      visitor.pipe:try_write(number)
      first:cancel()
      local second, _, following = start("ok")
      visitor.pipe:try_write(following)
      second:send()
      assert.is_true(await_byte(visitor))
    end
  end)

  it("ends the call when the connection ends", function()
    local job, path, number = start("hang")
    local visitor = visit(path)
    visitor.pipe:write(number, function()
      visitor.pipe:close()
    end)
    job:send()
    uv.run()
    local done
    repeat
      done = job:step(SECONDS)
    until done
    assert.equal("cancelled", select(2, job:result()).kind)
  end)

  it("turns away a second one at the same door, and one that says too much", function()
    local job, path, number = start("hang")
    local first, second, third = visit(path), visit(path), visit(path)
    first.pipe:write(number)
    second.pipe:write(number)
    assert(await(function() return first.is_closed or second.is_closed end))
    third.pipe:write(("9"):rep(100))
    assert(await(function() return third.is_closed end))
    assert.is_true(not first.is_closed ~= not second.is_closed)
    assert.is_false(job:step(0))
  end)
end)
