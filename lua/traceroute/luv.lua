-- luv: traceroutes inside a luv loop. The transfers live in the core's thread; each job has a descriptor of its own
-- that the loop watches, so that nothing is polled and no timer is needed. Knows nothing of HTTP or results.
local core = assert(require("traceroute.lazy").load())
local invalid = require "traceroute.invalid"
local uv = require "luv"

local luv = {}

--- Starts traceroutes; the running loop calls back when they are done.
---@param account? string as for traceroute.create
---@param targets string|string[]
---@param opts? traceroute.Options
---@param callback fun(result?: traceroute.Result, err?: traceroute.Error, info: traceroute.Info) called once
---@return traceroute.Job? job whose cancel ends it early, with a call back; nil: nothing was sent
---@return traceroute.Error? err
function luv.create(account, targets, opts, callback)
  if type(callback) ~= "function" then
    return invalid.value("callback", "function expected, got " .. type(callback))
  end
  local job, err = core.start_in_thread(account, targets, opts)
  if not job then
    return nil, err
  end
  local fd, reason = job:fd()
  if not fd then
    job:cancel()
    return nil, reason
  end
  local poll, why = uv.new_poll(fd)
  if not poll then
    job:cancel()
    return nil, setmetatable({ kind = "connection", message = "the loop cannot watch the job: " .. why },
      core.error_metatable)
  end
  poll:start("r", function()
    local done, failure = job:step(0)
    if done == false then
      return
    end
    poll:close()
    if done then
      callback(job:result())
    else
      callback(nil, failure, { dropped = {} })
    end
  end)
  job:send()
  return job
end

return luv
