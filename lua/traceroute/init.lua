-- traceroute: the face. It picks how to wait and hands on the core's functions; it knows no HTTP, no JSON and no
-- schema.
local core = require "traceroute.core"

---@class traceroute
local traceroute = {
  VERSION = core.VERSION,
}

-- A signal sets the interpreter's hook, which fires once a step has returned: Ctrl-C is felt within this time.
local STEP_SECONDS = 0.2

local function wait(job)
  repeat
    local done, err = job:step(STEP_SECONDS)
    if done == nil then
      return nil, err
    end
  until done
  return true
end

--- Starts traceroutes from Cloudflare's data centres and returns at once.
---@param account? string account id (1 to 32 letters, digits, - and _); nil: CLOUDFLARE_ACCOUNT_ID
---@param targets string|string[] host names, IPv4 or IPv6 addresses; each is asked for once
---@param opts? traceroute.Options
---@return traceroute.Job? job nil when the arguments cannot be used; nothing was sent then
---@return traceroute.Error? err
function traceroute.start(account, targets, opts)
  return core.start(account, targets, opts)
end

--- Runs traceroutes from Cloudflare's data centres and waits for them.
---
--- `result` and `err` together mean: this much arrived, that much did not (`err.targets`). An interrupt (Ctrl-C)
--- ends the call and is raised as usual; nothing else is raised but lack of memory.
---@param account? string account id (1 to 32 letters, digits, - and _); nil: CLOUDFLARE_ACCOUNT_ID
---@param targets string|string[] host names, IPv4 or IPv6 addresses; each is asked for once
---@param opts? traceroute.Options
---@return traceroute.Result? result one entry a target, in the order asked for; nil when nothing arrived
---@return traceroute.Error? err nil when everything arrived
---@return traceroute.Info info how each request went
function traceroute.create(account, targets, opts)
  local job, err = core.start(account, targets, opts)
  if not job then
    return nil, err, { dropped = {} }
  end
  local ran, done, reason = pcall(wait, job)
  if not ran then
    job:cancel()
    error(done, 0)
  elseif not done then
    job:cancel()
    return nil, reason, { dropped = {} }
  end
  return job:result()
end

--- Checks the arguments as `start` does and says what it would send; needs no credentials and sends nothing.
---@param account? string
---@param targets string|string[]
---@param opts? traceroute.Options
---@return traceroute.Plan? plan
---@return traceroute.Error? err
traceroute.plan = core.plan

-- What reads results is loaded when it is first asked for.
local READERS = { hops = true, analysis = true, report = true, json = true }

setmetatable(traceroute, {
  __index = function(_, name)
    if READERS[name] then
      traceroute[name] = require("traceroute." .. name)
      return traceroute[name]
    end
  end,
})

core.result_metatable.__tostring = function(result)
  return traceroute.report.table(result)
end

return traceroute
