-- calls: how many calls go on at once. A call holds one of so many slots, each a lease: one whose end nobody saw
-- (a worker that died) is free again when it runs out. Counted for all workers in a lua_shared_dict, or else by each
-- worker for itself. Knows nothing of what a call is.

local ngx = ngx -- luacheck: ignore (nginx's own global)

local calls = {}
local Calls = {}
Calls.__index = Calls

-- Beyond the longest call: a slow client takes its time to read the end.
local GRACE = 60

-- What is used of a shared dictionary, within one worker.
local Own = {}
Own.__index = Own

function Own:get(key)
  local held = self[key]
  return held and held.ends > ngx.now() and held.value or nil
end

function Own:add(key, value, seconds)
  if self:get(key) then
    return false
  end
  self[key] = { value = value, ends = ngx.now() + seconds }
  return true
end

function Own:delete(key)
  self[key] = nil
end

--- most: calls at once; seconds: how long one lasts at most; dict: the shared dictionary's name, or nil.
function calls.new(most, seconds, dict)
  return setmetatable({
    most = most,
    seconds = seconds + GRACE,
    dict = dict and ngx.shared[dict] or setmetatable({}, Own),
    count = 0,
  }, Calls)
end

--- A slot, or nil when none is free.
function Calls:take()
  self.count = self.count + 1
  local mark = ("%d:%d"):format(ngx.worker.pid(), self.count)
  for i = 1, self.most do
    local key = "traceroute.colo:" .. i
    if self.dict:add(key, mark, self.seconds) then
      return { key = key, mark = mark }
    end
  end
end

--- Gives a slot back, unless its time ran out and another call has it.
function Calls:give(slot)
  if self.dict:get(slot.key) == slot.mark then
    self.dict:delete(slot.key)
  end
end

return calls
