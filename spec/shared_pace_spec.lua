-- The pace that all workers of an nginx share, against a double of a lua_shared_dict and a clock of its own.

local shared_pace = require "traceroute.shared_pace"

-- Keeps numbers with an expiry; `now` is its clock. As nginx's, incr without an initial value needs the key.
local function new_dict()
  local dict = { now = 1000000, values = {}, ends = {} }
  function dict:get(key)
    if self.ends[key] and self.ends[key] <= self.now then
      self.values[key], self.ends[key] = nil, nil
    end
    return self.values[key]
  end
  function dict:set(key, value, seconds)
    self.values[key], self.ends[key] = value, seconds and self.now + seconds
  end
  function dict:incr(key, by, init, seconds)
    local value = self:get(key)
    if self.full then
      return nil, "no memory"
    elseif not value and not init then
      return nil, "not found"
    elseif not value then
      self:set(key, init + by, seconds)
    else
      self.values[key] = value + by
    end
    return self.values[key]
  end
  return dict
end

describe("a shared pace", function()
  local dict

  before_each(function()
    dict = new_dict()
  end)

  local function take(count, quota, seconds)
    return shared_pace.take(dict, "pace", count, quota, dict.now, seconds or 10)
  end

  it("gives what the quota holds, and no more", function()
    for _ = 1, 3 do
      assert.equal(0, (take(2, 7)))
    end
    assert.is_true(take(2, 7) > 0)
    assert.equal(0, (take(1, 7)))
    assert.is_true(take(1, 7) > 0)
  end)

  it("never gives more than the whole quota at once", function()
    assert.equal(math.huge, (take(8, 7)))
    assert.equal(0, (take(7, 7)))
  end)

  it("has no limit at a quota of 0", function()
    for _ = 1, 100 do
      local wait, taken = take(50, 0)
      assert.equal(0, wait)
      shared_pace.settle(dict, taken, 50, dict.now)
    end
    assert.same({}, dict.values)
  end)

  it("asks for patience while others are in flight, and takes what they give back", function()
    local _, taken = take(5, 5, 100)
    assert.equal(1, (take(1, 5)))
    dict.now = dict.now + 1
    shared_pace.settle(dict, taken, 4, dict.now)
    assert.equal(0, (take(1, 5)))
  end)

  for _, seconds in ipairs { 3, 10, 29, 60, 600 } do
    it(("tells a call of %d s when a slot will count no more"):format(seconds), function()
      dict.now = 30 * 1000 + 12
      local _, taken = take(5, 5)
      shared_pace.settle(dict, taken, 5, dict.now)
      local wait = take(1, 5, seconds)
      assert.equal(330 - 12, wait)
      dict.now = dict.now + wait - 0.001
      assert.is_true(take(1, 5, seconds) > 0)
      dict.now = dict.now + 0.001
      assert.equal(0, (take(1, 5, seconds)))
    end)
  end

  it("asks for no patience where what is in flight cannot help", function()
    dict.now = 30 * 1000 + 12
    local _, taken = take(4, 5, 60)
    shared_pace.settle(dict, taken, 4, dict.now)
    assert.equal(0, (take(1, 5, 60)))
    assert.equal(1, (take(1, 5, 60)))
    assert.equal(330 - 12, (take(2, 5, 60)))
  end)

  it("takes what is in flight for that, however short it lasts", function()
    dict.now = 30 * 1000 + 12
    take(5, 5, 3)
    assert.equal(1, (take(1, 5, 3)))
  end)

  it("counts what was sent from the end of the call on", function()
    local _, taken = take(5, 5, 600)
    dict.now = dict.now + 590
    shared_pace.settle(dict, taken, 5, dict.now)
    dict.now = dict.now + 299
    assert.is_true(take(1, 5) > 0)
    dict.now = dict.now + 31
    assert.equal(0, (take(1, 5)))
  end)

  it("counts a call whose end nobody saw until it must have ended, and five minutes more", function()
    take(5, 5, 600)
    dict.now = dict.now + 899
    assert.is_true(take(1, 5) > 0)
    dict.now = dict.now + 61
    assert.equal(0, (take(1, 5)))
  end)

  it("holds back for as long as the service said", function()
    shared_pace.hold(dict, "pace", 60, dict.now)
    assert.equal(60, (take(1, 5)))
    assert.equal(60, (take(1, 0)))
    dict.now = dict.now + 60
    assert.equal(0, (take(1, 5)))
  end)

  it("holds back no shorter for what is said later", function()
    shared_pace.hold(dict, "pace", 60, dict.now)
    shared_pace.hold(dict, "pace", 5, dict.now)
    assert.equal(60, (take(1, 5)))
    shared_pace.hold(dict, "pace", 90, dict.now)
    assert.equal(90, (take(1, 5)))
  end)

  it("keeps names apart", function()
    assert.equal(0, (take(5, 5)))
    assert.equal(0, (shared_pace.take(dict, "other", 5, 5, dict.now, 10)))
  end)

  it("says why when the dictionary cannot be used", function()
    dict.full = true
    local wait, taken, err = take(1, 5)
    assert.equal(0, wait)
    assert.is_nil(taken)
    assert.equal("no memory", err)
  end)

  it("does not count below zero what the dictionary lost", function()
    local _, taken = take(5, 5)
    dict.values = {}
    shared_pace.settle(dict, taken, 0, dict.now)
    assert.equal(0, (take(5, 5)))
    assert.is_true(take(1, 5) > 0)
  end)

  -- Calls of random sizes and lengths, which send at random moments, settle or are lost: the times of all sends.
  local function simulate(seed, quota, steps)
    local state = seed
    local function random(limit)
      state = (state * 16807) % 2147483647
      return state % limit
    end
    local sent, flying = {}, {}
    for _ = 1, steps do
      dict.now = dict.now + random(4000) / 100
      for i = #flying, 1, -1 do
        local call = flying[i]
        if call.left > 0 and dict.now <= call.last and random(3) == 0 then
          call.left, call.sent = call.left - 1, call.sent + 1
          sent[#sent + 1] = dict.now
        end
        if dict.now > call.last or random(12) == 0 then
          if random(5) > 0 then
            shared_pace.settle(dict, call.taken, call.sent, dict.now)
          end
          table.remove(flying, i)
        end
      end
      local count, seconds = 1 + random(quota), random(600)
      local wait, taken = take(count, quota, seconds)
      if wait == 0 then
        flying[#flying + 1] = { taken = taken, left = count, sent = 0, last = dict.now + seconds }
      end
    end
    return sent
  end

  it("never lets a window of five minutes hold more than the quota", function()
    local total = 0
    for seed = 1, 40 do
      dict = new_dict()
      local quota = 1 + seed % 9
      local sent, first = simulate(seed * 7919, quota, 400), 1
      total = total + #sent
      for last = 1, #sent do
        while sent[last] - sent[first] >= 300 do
          first = first + 1
        end
        assert.is_true(last - first + 1 <= quota)
      end
    end
    assert.is_true(total > 1000)
  end)
end)
