-- Calls leave the script's garbage collector as they found it, and what they made is collected.

local discard = require "spec.support.discard"
local server = require "spec.support.server"
local traceroute = require "traceroute"

-- Colos of a large answer, and of the largest; to valgrind a million nodes are half a minute.
local LARGE = os.getenv("CHECKED_LUA") and 30 or 100
local LARGEST = 3 * LARGE

describe("the garbage collector", function()
  local stand_in, targets, pause, multiplier

  setup(function()
    stand_in = server.get()
    pause = collectgarbage("setpause", 200)
    collectgarbage("setpause", pause)
    multiplier = collectgarbage("setstepmul", 200)
    collectgarbage("setstepmul", multiplier)
    targets = {}
    for i = 1, 10 do
      targets[i] = "t" .. i
    end
  end)

  after_each(function()
    collectgarbage("restart")
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", multiplier)
  end)

  local function options(colos, on_progress)
    return stand_in:options(("big/10/%d/15"):format(colos), { token = "secret", on_progress = on_progress })
  end

  local function call(colos)
    local result = traceroute.create(stand_in.account, targets, options(colos))
    assert.equal(colos, #result[10].colos)
    return result
  end

  -- Whether it collects while ten times as much is made as there is: the first cycle may have begun, and keeps what is
  -- new. Traces keep what they saw: none is compiled.
  local function is_running()
    local before, block = setmetatable({ {} }, { __mode = "v" }), ("x"):rep(100000) -- which is put there by bytes
    for i = 1, 1000 + math.ceil(collectgarbage("count") / 100) * 10 do
      local _ = block .. tostring(i)
    end
    return before[1] == nil
  end
  if rawget(_G, "jit") then
    jit.off(is_running)
  end

  it("stays stopped when the script stopped it", function()
    collectgarbage()
    collectgarbage("stop")
    local weak = setmetatable({ {} }, { __mode = "v" })
    call(30)
    assert.is_table(weak[1])
  end)

  it("goes on by itself after a call", function()
    call(30)
    assert.is_true(is_running())
  end)

  it("goes on after a call that was cancelled while it decoded", function()
    local job = traceroute.start(stand_in.account, targets, options(LARGE, function(progress)
      return progress.colos == 0
    end))
    local _, err = traceroute.wait(job)
    assert.equal("cancelled", err.kind)
    assert.is_true(is_running())
  end)

  -- By one step, so that nothing of the script's comes between; what is done at the end is less than a cycle.
  it("does not run while an answer is decoded, where it can be told to rest", function()
    if rawget(_G, "jit") or _VERSION == "Lua 5.1" then
      return
    end
    call(1) -- pays for the large answers of others, as a call does first
    collectgarbage()
    local job = traceroute.start(stand_in.account, targets, options(LARGEST))
    local weak = setmetatable({ {} }, { __mode = "v" })
    local done = job:step(60)
    local entry = weak[1]
    assert.is_true(done)
    assert.is_table(entry)
    assert.equal(LARGEST, #job:result()[10].colos)
  end)

  -- By itself Lua would begin when there is ten times as much.
  it("is not driven on by small calls", function()
    if rawget(_G, "jit") or _VERSION == "Lua 5.1" then
      return
    end
    call(1)
    collectgarbage("setpause", 1000)
    collectgarbage()
    local weak = setmetatable({ {} }, { __mode = "v" })
    for _ = 1, 100 do
      call(1)
    end
    assert.is_table(weak[1])
  end)

  -- LuaJIT's collector runs while such a call decodes, once there is enough, and must not begin before. PUC's runs
  -- before on_progress.
  it("goes on after a call within which a finalizer made another", function()
    local kept, on_progress = {}, nil
    if _VERSION == "Lua 5.1" and not rawget(_G, "jit") then
      return -- it is not touched, and does not say whether it runs
    elseif not rawget(_G, "jit") then
      on_progress = function() end
      collectgarbage("setpause", 100)
      collectgarbage("setstepmul", 1000000)
    end
    local is_within, has_called
    local function finalize()
      if is_within and not has_called then
        has_called = true
        call(1)
      elseif not has_called then
        discard(finalize)
      end
    end
    for i = 1, 20 do
      collectgarbage()
      local job = traceroute.start(stand_in.account, targets, options(LARGEST, on_progress))
      discard(finalize)
      is_within = true
      while not job:step(60) do end
      is_within = false
      kept[i] = job:result()
      assert.equal(LARGEST, #kept[i][10].colos)
      if has_called then
        break
      end
    end
    assert.is_true(has_called)
    assert.is_true(collectgarbage("isrunning"))
  end)

  it("collects the results that nobody holds while later ones are decoded", function()
    collectgarbage()
    collectgarbage()
    -- By itself Lua waits until all that there was has doubled, and what earlier specs left would count.
    collectgarbage("setpause", 100)
    local before = collectgarbage("count")
    local one, most
    do
      local result = call(LARGE)
      collectgarbage()
      one, most = collectgarbage("count") - before, #result
    end
    for _ = 1, 25 do
      call(LARGE)
      most = math.max(most, collectgarbage("count") - before)
    end
    -- 25 of them would be there, were they not collected.
    assert.is_true(most < 12 * one, most / one)
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage("count") - before < one / 2)
  end)

  it("keeps a result that is held", function()
    local result = call(30)
    for _ = 1, 3 do
      call(30)
    end
    collectgarbage()
    for _, entry in ipairs(result) do
      assert.equal(30, #entry.colos)
      for _, colo in ipairs(entry.colos) do
        assert.equal(15, #colo.hops)
      end
    end
  end)
end)
