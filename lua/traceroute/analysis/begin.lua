-- begin: at which hop the loss that a target shows begins, and how sure that is. It must not know
-- what is made of it, nor what a path without a lossy target means.
--
-- Each hop before the beginning loses nothing, each from there on at one rate; besides, one router in
-- five answers sparingly, and so shows a rate of its own above that. Each hop may be where it begins, or the
-- target loses by itself; each rate may be the true one, low ones rather. What was counted weighs all these
-- against one another: Bayes' rule.

local begin = {}

local SPARING = 0.2
local STEPS = 40

-- The rates that are tried, closer together where they are low; as logarithms of lost and not lost.
local LOST, KEPT = {}, {}
for i = 1, STEPS do
  local rate = ((i - 0.5) / STEPS) ^ 2
  LOST[i], KEPT[i] = math.log(rate), math.log(1 - rate)
end

-- The logarithms of how likely a hop's counts are: at each rate, or a sparing router's above it; where
-- nothing is lost on the way to it; and whatever the rate. All but for a factor of the hop's own.
local function weigh(hop)
  local at, most = {}, -math.huge
  for i = 1, STEPS do
    at[i] = hop.lost * LOST[i] + (hop.sent - hop.lost) * KEPT[i]
    most = math.max(most, at[i])
  end
  local sum = 0
  for i = STEPS, 1, -1 do
    local here = math.exp(at[i] - most)
    sum = sum + here
    at[i] = math.log((1 - SPARING) * here + SPARING * sum / (STEPS - i + 1)) + most
  end
  local own = math.log(sum / STEPS) + most
  local clean = hop.lost == 0 and math.log(1 - SPARING + SPARING * math.exp(own)) or math.log(SPARING) + own
  return at, clean, own
end

-- The logarithm of the mean of what these are logarithms of.
local function mean_of(logs)
  local most, sum = -math.huge, 0
  for i = 1, STEPS do
    most = math.max(most, logs[i])
  end
  for i = 1, STEPS do
    sum = sum + math.exp(logs[i] - most)
  end
  return most + math.log(sum / STEPS)
end

---How sure it is that the target's loss begins before it, the likeliest hop set against the target itself;
---and, if so, that it has begun at each hop or before.
---@param hops traceroute.PathHop[] those that answered and were counted; the last is the target, which lost some
---@return number chance from 0 to 1
---@return table<traceroute.PathHop, number> begun from 0 to 1; none for the target
function begin.chances(hops)
  local last = #hops
  local at, before, own = {}, { 0 }, nil
  for h = 1, last do
    local clean
    at[h], clean, own = weigh(hops[h])
    before[h + 1] = before[h] + clean
  end
  -- By where it begins: clean hops before, then one rate up to the target.
  local weights, most = {}, -math.huge
  local on = at[last]
  for h = last - 1, 1, -1 do
    for i = 1, STEPS do
      on[i] = on[i] + at[h][i]
    end
    weights[h] = before[h] + mean_of(on)
    most = math.max(most, weights[h])
  end
  local sums, sum = {}, 0
  for h = 1, last - 1 do
    sum = sum + math.exp(weights[h] - most)
    sums[h] = sum
  end
  local begun = {}
  for h = 1, last - 1 do
    begun[hops[h]] = sums[h] / sum
  end
  return 1 / (1 + math.exp(before[last] + own - most)), begun
end

return begin
