-- answer: the service's envelope, written as results come. Knows JSON's form and the order in which results may go
-- out, not where they come from.
--
-- A target is one object that holds its colos, so only one target can be open at a time. The first with a result is
-- opened and its further results go out as they come; those of others wait until it is complete. Then come targets
-- that are complete already, then whichever has something. What has no more than one colo goes out in the order of
-- arrival.

local json = require "traceroute.json"

local ngx = ngx -- luacheck: ignore (nginx's own global)

local answer = {}
local Stream = {}
Stream.__index = Stream

-- Everything that is not a result's is written here, and none of it needs more than this.
local function encode(value)
  return assert(json.encode(value))
end

--- Answers with a failure.
---@param refusal traceroute.colo.Refusal
function answer.refuse(refusal)
  local body = ('{"errors":[%s],"messages":[],"success":false,"result":null}'):format(encode {
    code = refusal.code,
    message = refusal.message,
    source = refusal.pointer and { pointer = refusal.pointer } or nil,
  })
  ngx.status = refusal.status
  ngx.header.content_type = "application/json"
  ngx.header.content_length = #body
  ngx.header["Retry-After"] = refusal.retry_after
  ngx.header["Allow"] = refusal.allow
  ngx.header["WWW-Authenticate"] = refusal.authenticate and "Bearer" or nil
  ngx.print(body)
end

--- Begins a good answer; its first bytes go out now.
---@param asked table targets; colos: as many results come for each
function answer.stream(asked)
  local waiting, missing = {}, {}
  for i in ipairs(asked.targets) do
    waiting[i], missing[i] = {}, #asked.colos
  end
  ngx.header.content_type = "application/json"
  local self = setmetatable({
    names = asked.targets,
    waiting = waiting, -- results not written yet, as JSON
    missing = missing, -- how many are not there yet
    open = nil,        -- the target being written
    begun = 0,         -- targets
    colos = 0,         -- written of the open one
  }, Stream)
  ngx.print '{"result":['
  self.is_gone = not ngx.flush(true)
  return self
end

-- The next target to write: one that is complete, or else one that has something.
local function choose(self)
  local candidate
  for i, list in ipairs(self.waiting) do
    if #list > 0 then
      if self.missing[i] == 0 then
        return i
      end
      candidate = candidate or i
    end
  end
  return candidate
end

local function write_open(self, parts)
  for _, text in ipairs(self.waiting[self.open]) do
    parts[#parts + 1] = self.colos > 0 and "," or ""
    parts[#parts + 1] = text
    self.colos = self.colos + 1
  end
  self.waiting[self.open] = {}
  if self.missing[self.open] == 0 then
    parts[#parts + 1] = "]}"
    self.open = nil
  end
end

--- Takes a colo's result for a target, by its number. False when nobody reads any more.
function Stream:put(target, result)
  local parts = {}
  local list = self.waiting[target]
  list[#list + 1] = encode(result)
  self.missing[target] = self.missing[target] - 1
  repeat
    if not self.open then
      self.open = choose(self)
      if not self.open then
        break
      end
      parts[#parts + 1] = ('%s{"target":%s,"colos":['):format(self.begun > 0 and "," or "",
        encode(self.names[self.open]))
      self.begun, self.colos = self.begun + 1, 0
    end
    write_open(self, parts)
  until self.open
  if #parts > 0 and not self.is_gone then
    ngx.print(parts)
    self.is_gone = not ngx.flush(true)
  end
  return not self.is_gone
end

--- Ends the answer once all results were put. False when nobody reads any more.
---@param messages traceroute.Message[]
function Stream:finish(messages)
  if self.is_gone then
    return false
  end
  ngx.print('],"success":true,"errors":[],"messages":', encode(messages), "}")
  return ngx.flush(true) ~= nil
end

return answer
