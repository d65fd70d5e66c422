-- shared_pace: one pace for all workers of an nginx, counted in a lua_shared_dict. It knows the limit on requests
-- and the dictionary's get, set and incr; what the requests are is not its business.
--
-- Requests are counted in slots of 30 s. A call takes what it may send at most before it sends, and gives back
-- what it did not: whatever the workers do at the same time, no window of five minutes holds more than the quota.

local shared_pace = {}

local WINDOW = 300
local SLOT = 30
-- A window begins anywhere in its first slot, so it touches one more than it is long.
local SLOTS = WINDOW / SLOT + 1

local function slot_key(name, slot)
  return name .. ":" .. slot
end

--- Takes `count` requests from the quota.
---@param dict table a lua_shared_dict: get, set, incr
---@param name string whose quota; the same for all calls that share it
---@param count integer requests wanted
---@param quota integer requests allowed in any five minutes; 0: no limit
---@param now number seconds since the epoch, with fraction
---@return number wait 0: taken; above 0: nothing was taken, ask again after so many seconds (math.huge: never)
---@return integer? slot what to give back to
---@return string? err why the dictionary could not be used; nothing was taken
function shared_pace.take(dict, name, count, quota, now)
  local hold = dict:get(name .. ":hold")
  if hold and hold > now then
    return hold - now
  end
  local slot = math.floor(now / SLOT)
  if quota == 0 then
    return 0, slot
  elseif count > quota then
    return math.huge
  end
  local key = slot_key(name, slot)
  local mine, err = dict:incr(key, count, 0, WINDOW + 2 * SLOT)
  if not mine then
    return 0, nil, err
  end
  local sum, oldest = mine, nil
  for i = 1, SLOTS - 1 do
    local past = dict:get(slot_key(name, slot - i)) or 0
    sum = sum + past
    if past > 0 then
      oldest = slot - i
    end
  end
  if sum <= quota then
    return 0, slot
  end
  dict:incr(key, -count, 0)
  return math.max(((oldest or slot) + SLOTS) * SLOT - now, 1)
end

--- Gives back requests that were taken and not sent.
function shared_pace.give_back(dict, name, slot, count)
  if count > 0 then
    dict:incr(slot_key(name, slot), -count, 0, WINDOW + 2 * SLOT)
  end
end

--- Nothing goes out for that many seconds: the service said so.
function shared_pace.hold(dict, name, seconds, now)
  dict:set(name .. ":hold", now + seconds, seconds)
end

return shared_pace
