-- traceroute: the face. It picks how to wait and hands on the core's functions; it knows no HTTP, no JSON and no
-- schema.

local invalid = require "traceroute.invalid"
local lazy = require "traceroute.lazy"

---@class traceroute
---@field VERSION string
local traceroute = {}

-- In nginx, transfers live in a thread and waiting is nginx's; elsewhere a step waits and does the work.
local nginx = rawget(_G, "ngx") and ngx.get_phase and require "traceroute.nginx"
if nginx then
  assert(lazy.load()) -- once, before the workers are made, for those who load this in init_by_lua
end

-- A signal sets the interpreter's hook, which fires once a step has returned: Ctrl-C is felt within this time.
local STEP_SECONDS = 0.2

-- What a job holds of a quota that is shared between workers.
local tickets = setmetatable({}, { __mode = "k" })

-- Where the core is loaded.
local function failure(fields)
  return setmetatable(fields, lazy.load().error_metatable)
end

-- A function of the core, or one that says why there is none.
local function of_core(name)
  local core, reason = lazy.load()
  return core and core[name] or function()
    return invalid.value(nil, "the core does not load: " .. reason)
  end
end

-- Inside nginx the core's function `in_thread` makes the job, elsewhere `here`.
local function start(here, in_thread, opts, waits, ...)
  if not nginx then
    return of_core(here)(...)
  end
  local refusal = nginx.refusal(waits)
  if refusal then
    return nil, failure { kind = "invalid_request", message = refusal }
  end
  local job, err = of_core(in_thread)(...)
  if not job then
    return nil, err
  end
  local ticket, reason = nginx.send(job, opts and rawget(opts, "shared_dict"))
  if not ticket then
    job:cancel()
    return nil, failure(reason)
  end
  tickets[job] = ticket
  return job
end

local function step_until_done(job)
  repeat
    local done, err = job:step(STEP_SECONDS)
    if done == nil then
      return nil, err.message, err.kind
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
  return start("start", "start_in_thread", opts, false, account, targets, opts)
end

--- Starts traceroutes from this machine and returns at once. Needs mtr-packet (Debian's mtr-tiny), no account.
---@param targets string|string[] host names, IPv4 or IPv6 addresses; each is traced once
---@param opts? traceroute.ProbeOptions
---@return traceroute.Job? job nil when the arguments cannot be used; nothing was sent then
---@return traceroute.Error? err
function traceroute.survey(targets, opts)
  return start("survey", "survey_in_thread", nil, false, targets, opts)
end

--- Waits for a job that was started: blocks in a script, yields in nginx. An interrupt (Ctrl-C) cancels the job, whose
--- `result` then has what came, and is raised as usual.
---@param job traceroute.Job
---@return traceroute.Result? result as from create
---@return traceroute.Error? err
---@return traceroute.Info info
function traceroute.wait(job)
  if not of_core("is_job")(job) then
    local _, err = invalid.value("job", "a job expected, got " .. type(job))
    return nil, err, { dropped = {} }
  end
  local ran, done, reason, kind = pcall(nginx and nginx.wait or step_until_done, job)
  if not ran then
    job:cancel()
    error(done, 0)
  elseif not done and kind == "invalid_request" then
    -- It may not be waited for here; whoever waits for it elsewhere goes on.
    return nil, failure { kind = kind, message = reason }, { dropped = {} }
  elseif not done then
    job:cancel()
  end
  local result, err, info = job:result()
  if tickets[job] and info then
    nginx.settle(tickets[job], err)
    tickets[job] = nil
  end
  if not done then
    err = err or failure {}
    err.kind, err.message = kind or "cancelled", reason
  end
  return result, err, info or { dropped = {} }
end

--- Runs traceroutes from Cloudflare's data centres and waits for them.
---
--- `result` and `err` together mean: this much arrived, that much did not (`err.targets`). Nothing is raised but an
--- interrupt and lack of memory.
---@param account? string account id (1 to 32 letters, digits, - and _); nil: CLOUDFLARE_ACCOUNT_ID
---@param targets string|string[] host names, IPv4 or IPv6 addresses; each is asked for once
---@param opts? traceroute.Options
---@return traceroute.Result? result one entry a target, in the order asked for; nil when nothing arrived
---@return traceroute.Error? err nil when everything arrived
---@return traceroute.Info info how each request went
function traceroute.create(account, targets, opts)
  local job, err = start("start", "start_in_thread", opts, true, account, targets, opts)
  if not job then
    return nil, err, { dropped = {} }
  end
  return traceroute.wait(job)
end

--- Runs traceroutes from this machine and waits for them: the same tables as from `create`, with one colo, this
--- one. Needs mtr-packet (Debian's mtr-tiny), which alone holds the privilege, and no account.
---@param targets string|string[] host names, IPv4 or IPv6 addresses; each is traced once
---@param opts? traceroute.ProbeOptions
---@return traceroute.Result? result one entry a target, in the order asked for; nil when nothing was traced
---@return traceroute.Error? err
---@return traceroute.Info info
function traceroute.probe(targets, opts)
  local job, err = start("survey", "survey_in_thread", nil, true, targets, opts)
  if not job then
    return nil, err, { dropped = {} }
  end
  return traceroute.wait(job)
end

--- Checks the arguments as `start` does and says what it would send; needs no credentials and sends nothing.
---@param account? string
---@param targets string|string[]
---@param opts? traceroute.Options
---@return traceroute.Plan? plan
---@return traceroute.Error? err
function traceroute.plan(account, targets, opts)
  return of_core("plan")(account, targets, opts)
end

-- What reads results is loaded when it is first asked for.
local READERS = { hops = true, analysis = true, report = true, json = true }

setmetatable(traceroute, {
  __index = function(_, name)
    if READERS[name] then
      traceroute[name] = require("traceroute." .. name)
    elseif name == "VERSION" then
      traceroute.VERSION = assert(lazy.load()).VERSION
    end
    return rawget(traceroute, name)
  end,
})

return traceroute
