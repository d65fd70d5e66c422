-- Traceroutes inside a cqueue's coroutines: many at once, none in the way of the others.

local cqueues = require "cqueues"
local server = require "spec.support.server"
local traceroute = require "traceroute.cqueues"

describe("traceroutes in a cqueue", function()
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

  -- Runs a function in a cqueue of its own to the end; how often the cqueue looked for something to do.
  local function run(body)
    local queue, steps = cqueues.new(), 0
    queue:wrap(body, queue)
    repeat
      assert(queue:step())
      steps = steps + 1
    until queue:empty()
    return steps
  end

  it("return what create returns", function()
    local got
    run(function()
      got = { traceroute.create(stand_in.account, { "a.example", "b.example" }, options("ok")) }
    end)
    assert.equal("b.example", got[1][2].target)
    assert.equal(2, #got[1][2].colos)
    assert.is_nil(got[2])
    assert.equal(200, got[3][1].status)
  end)

  it("return errors, from here and from the service", function()
    local refused, answered, info
    run(function()
      refused = { traceroute.create(stand_in.account, "a.example", options("ok", { timeout = -1 })) }
      answered = { traceroute.create(stand_in.account, "a.example", options("status/403")) }
      info = answered[3]
    end)
    assert.is_nil(refused[1])
    assert.equal("invalid_request", refused[2].kind)
    assert.same({ dropped = {} }, refused[3])
    assert.is_nil(answered[1])
    assert.equal("permission", answered[2].kind)
    assert.equal(403, info[1].status)
  end)

  it("run side by side, while other coroutines go on", function()
    local colos, ticks = {}, 0
    local steps = run(function(queue)
      for i = 1, 50 do
        queue:wrap(function()
          local target = ("t%d.example"):format(i)
          local result = traceroute.create(stand_in.account, target, options("slow/1000"))
          colos[#colos + 1] = result[1].target == target and #result[1].colos
        end)
      end
      while #colos < 50 do
        cqueues.sleep(0.01)
        ticks = ticks + 1
      end
    end)
    for i = 1, 50 do
      assert.equal(2, colos[i])
    end
    assert.is_true(ticks > 5)
    assert.equal(50, #stand_in:requests())
    -- One to begin and one for each piece, of two colos, a try and the end, at the most, and one a tick: who polled
    -- would take thousands.
    assert.is_true(steps < 8 * 50 + ticks, steps)
  end)

  it("run one after the other on the same descriptors", function()
    local colos = 0
    run(function()
      for _ = 1, 20 do
        colos = colos + #traceroute.create(stand_in.account, "a.example", options("slow/5"))[1].colos
        collectgarbage()
      end
    end)
    assert.equal(40, colos)
  end)

  it("are dropped with their cqueue", function()
    local queue = cqueues.new()
    queue:wrap(function()
      traceroute.create(stand_in.account, "a.example", options("hang"))
    end)
    assert.is_table(stand_in:await(function(list)
      queue:step(0)
      return #list == 1
    end))
    queue:close()
    queue = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_table(stand_in:await(function(list)
      return list[1].aborted
    end))
  end)
end)
