-- How often the verdicts are right, over simulated paths of twelve hops: some routers answer sparingly, loss
-- begins at some hop and lasts, the target may lose by itself.

local analysis = require "traceroute.analysis"
local sample = require "spec.support.sample"

local HOPS, RUNS = 12, 35
local SEEDS = { 20250131, 777767777, 1234567890 }

local unpack = table.unpack or unpack

local state

-- A binomial number: how far up its distribution an even one lies.
local function lost_of(sent, rate)
  state = state * 16807 % 2147483647
  local left, lost, share = state / 2147483647, 0, (1 - rate) ^ sent
  while left > share and lost < sent do
    left, lost = left - share, lost + 1
    share = share * (sent - lost + 1) / lost * rate / (1 - rate)
  end
  return lost
end

-- A way: {from =, rate =} of what is lost for good, `own` of the target; limits by hop.
local function path_of(way, sent)
  local list = {}
  for h = 1, HOPS do
    local passes = way.from and h >= way.from and 1 - way.rate or 1
    local answers = 1 - (way.limits and way.limits[h] or h == HOPS and way.own or 0)
    list[h] = { sent, lost_of(sent, 1 - passes * answers) }
  end
  return sample.losses(list, { ip = "10.0.0.12" })
end

local function said(limits)
  local out = {}
  for h = 1, HOPS do
    out[#out + 1] = limits[h] and ("hop %d %g %%"):format(h, limits[h] * 100)
  end
  return table.concat(out, ", ")
end

local known = {}

-- In how many percent of the runs a router is blamed, the hop from which loss lasts is where it begins, and
-- that hop is taken for a sparing one.
local function judge(way, sent)
  local key = ("%d %g %g %d %s"):format(way.from or 0, way.rate or 0, way.own or 0, sent, said(way.limits or {}))
  if known[key] then
    return unpack(known[key])
  end
  local blamed, right, sparing, runs = 0, 0, 0, 0
  for _, seed in ipairs(SEEDS) do
    state = seed
    for _ = 1, RUNS do
      local first
      local verdicts = assert(analysis.loss(path_of(way, sent)))
      for h = 1, HOPS - 1 do
        first = first or verdicts[h].verdict == "real" and h
      end
      local hop = verdicts[way.from]
      runs = runs + 1
      blamed = blamed + (first and 1 or 0)
      right = right + (first == way.from and 1 or 0)
      sparing = sparing + (hop and hop.lost < sent and hop.verdict == "rate_limited" and 1 or 0)
    end
  end
  known[key] = { blamed / runs * 100, right / runs * 100, sparing / runs * 100 }
  return unpack(known[key])
end

-- Routers that answer sparingly: one, two and three of them, alone or side by side.
local LIMITS = {
  { [3] = 0.2 }, { [3] = 0.5 }, { [3] = 0.2, [7] = 0.2 }, { [3] = 0.1, [7] = 0.1, [9] = 0.1 },
  { [3] = 0.5, [7] = 0.5, [9] = 0.5 }, { [5] = 0.2, [6] = 0.2, [7] = 0.2 },
}
local BESIDE_TARGET = { [10] = 0.2, [11] = 0.2 }

describe("analysis.loss over simulated paths #heavy", function()
  it("blames no router where the target loses nothing", function()
    for _, limits in ipairs { BESIDE_TARGET, unpack(LIMITS) } do
      for _, sent in ipairs { 3, 10, 30, 100 } do
        assert.equal(0, (judge({ limits = limits }, sent)), said(limits) .. " of " .. sent)
      end
    end
  end)

  it("blames none for what the target loses by itself, in 95 of 100 runs", function()
    for _, own in ipairs { 0.01, 0.05 } do
      for _, limits in ipairs(LIMITS) do
        for _, sent in ipairs { 3, 10, 30, 100 } do
          local blamed = judge({ limits = limits, own = own }, sent)
          assert.is_true(blamed <= 5, ("%.1f %%: %s of %d, target %g"):format(blamed, said(limits), sent, own))
        end
      end
    end
  end)

  -- Sparing routers right before the target show what real loss shows: only the target's rate differs, and tens
  -- of packets hardly tell it. Of 2,000 runs each 0, 35, 71 and 18 % are wrong.
  it("is misled by sparing routers right before the target until packets suffice", function()
    for sent, most in pairs { [3] = 2, [10] = 40, [30] = 75, [100] = 25 } do
      local blamed = judge({ limits = BESIDE_TARGET, own = 0.05 }, sent)
      assert.is_true(blamed <= most, ("%.1f %% of %d"):format(blamed, sent))
    end
  end)

  local function ways(rate)
    return { { from = 2, rate = rate }, { from = 5, rate = rate }, { from = 9, rate = rate },
      { from = 11, rate = rate }, { from = 5, rate = rate, limits = { [2] = 0.3, [8] = 0.6 } } }
  end

  -- Over 3,000 runs each, none of these ways comes above 3.6 %; here they are counted together.
  it("takes lasting loss for a sparing router in 5 of 100 runs at most", function()
    for _, rate in ipairs { 0.05, 0.1, 0.2, 0.5 } do
      for _, sent in ipairs { 3, 10, 30, 100 } do
        local sum = 0
        for _, way in ipairs(ways(rate)) do
          local _, _, sparing = judge(way, sent)
          sum = sum + sparing
        end
        assert.is_true(sum / 5 <= 5, ("%.1f %%: %g, %d packets"):format(sum / 5, rate, sent))
      end
    end
  end)

  -- Percent of the runs that find the very hop where it begins; of one right before the target, whose only
  -- witness is the target, less.
  it("finds where loss begins, wherever packets suffice", function()
    for _, case in ipairs { { 0.05, 100, 85, 75 }, { 0.1, 30, 75, 60 }, { 0.1, 100, 90, 75 }, { 0.2, 10, 60, 45 },
      { 0.2, 30, 90, 65 }, { 0.2, 100, 90, 80 }, { 0.5, 3, 35, 0 }, { 0.5, 10, 90, 65 }, { 0.5, 30, 90, 80 },
      { 0.5, 100, 90, 85 } } do
      local rate, sent = case[1], case[2]
      for _, way in ipairs(ways(rate)) do
        local _, right = judge(way, sent)
        assert.is_true(right >= (way.from == HOPS - 1 and case[4] or case[3]),
          ("%.1f %%: %g from %d, %d packets"):format(right, rate, way.from, sent))
      end
    end
  end)
end)
