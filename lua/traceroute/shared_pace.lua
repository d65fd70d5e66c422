-- shared_pace: one pace for all workers of an nginx, counted in a lua_shared_dict. It knows the limit on requests
-- and the dictionary's get, set and incr; what the requests are is not its business.
--
-- Requests are counted in slots of 30 s. A call takes what it may send at most before it sends, in the slot in which
-- it ends at the latest, or else the next, and moves what it did send to the slot in which it ended. So each request
-- counts for at least as long as it matters, and no window of five minutes holds more than the quota, whatever the
-- workers do at the same time; a call whose end nobody saw counts for longer than it must. What lies ahead is thus in
-- flight, and may be given back any moment.

local shared_pace = {}

local WINDOW = 300
local SLOT = 30
-- A window begins anywhere in its first slot, so it touches one more than it is long.
local SLOTS = WINDOW / SLOT + 1
-- Slots that a call may lie ahead; one that lasts longer counts as if it ended there.
local AHEAD = 600 / SLOT
local KEPT_SECONDS = (AHEAD + SLOTS + 1) * SLOT
-- Seconds before the next look while others are in flight, which may give back.
local PATIENCE = 1

local function slot_of(time)
  return math.floor(time / SLOT)
end

local function slot_key(name, slot)
  return ("%s:%d"):format(name, slot)
end

-- What counts now; of that what is sent and not in flight any more; and the oldest slot that has some of it.
local function count_all(dict, name, current)
  local sum, settled, oldest = 0, 0, nil
  for slot = current - SLOTS + 1, current + AHEAD do
    local count = dict:get(slot_key(name, slot)) or 0
    sum = sum + count
    if count > 0 and slot <= current then
      settled, oldest = settled + count, oldest or slot
    end
  end
  return sum, settled, oldest
end

--- Takes `count` requests from the quota.
---@param dict table a lua_shared_dict: get, set, incr
---@param name string whose quota; the same for all calls that share it
---@param count integer requests wanted
---@param quota integer requests allowed in any five minutes; 0: no limit
---@param now number seconds since the epoch, with fraction
---@param seconds number that the call may last
---@return number wait 0: taken; above 0: nothing was taken, ask again after so many seconds (math.huge: never)
---@return table? taken to be settled when the call is over
---@return string? err why the dictionary could not be used; nothing was taken
function shared_pace.take(dict, name, count, quota, now, seconds)
  local hold = dict:get(name .. ":hold")
  if hold and hold > now then
    return hold - now
  elseif quota == 0 then
    return 0, { name = name, count = 0 }
  elseif count > quota then
    return math.huge
  end
  local current = slot_of(now)
  local slot = math.min(math.max(slot_of(now + seconds), current + 1), current + AHEAD)
  local key = slot_key(name, slot)
  -- Taken before it is counted: of two workers that do so at the same time at least one sees the other.
  local mine, err = dict:incr(key, count, 0, KEPT_SECONDS)
  if not mine then
    return 0, nil, err
  end
  local sum, settled, oldest = count_all(dict, name, current)
  if sum <= quota then
    return 0, { name = name, key = key, count = count }
  end
  dict:incr(key, -count)
  return settled + count > quota and (oldest + SLOTS) * SLOT - now or PATIENCE
end

--- After the call: what was sent counts from now on, what was not is given back.
---@param dict table a lua_shared_dict
---@param taken table from take
---@param sent integer requests that went out
---@param now number seconds since the epoch
function shared_pace.settle(dict, taken, sent, now)
  if taken.count == 0 then
    return
  end
  local counted = sent == 0 or dict:incr(slot_key(taken.name, slot_of(now)), sent, 0, KEPT_SECONDS)
  if counted then
    dict:incr(taken.key, -taken.count)
  end
end

--- Nothing goes out for that many seconds, or as long as was said before: the service said so.
function shared_pace.hold(dict, name, seconds, now)
  local key, hold = name .. ":hold", now + seconds
  if hold > (dict:get(key) or 0) then
    dict:set(key, hold, seconds)
  end
end

return shared_pace
