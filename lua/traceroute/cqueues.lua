-- cqueues: traceroutes inside a cqueue's coroutine, which yields meanwhile. The transfers live in the core's thread;
-- each job has a descriptor of its own that the cqueue watches, so that nothing is polled and no timer is needed.
-- Knows nothing of HTTP or results.
local core = assert(require("traceroute.lazy").load())
local cqueues = require "cqueues"

local adapter = {}

local function wait(job)
  local fd, err = job:fd()
  if not fd then
    job:cancel()
    return nil, err, { dropped = {} }
  end
  local watched = { pollfd = fd, events = "r" }
  local done, reason = job:step(0)
  while done == false do
    cqueues.poll(watched)
    done, reason = job:step(0)
  end
  -- Or the cqueue would take the next descriptor of that number for one it watches already.
  cqueues.cancel(fd)
  if done == nil then
    return nil, reason, { dropped = {} }
  end
  return job:result()
end

--- Runs traceroutes; the calling coroutine yields until they are done.
---@param account? string as for traceroute.create
---@param targets string|string[]
---@param opts? traceroute.Options
---@return traceroute.Result? result as from traceroute.create
---@return traceroute.Error? err
---@return traceroute.Info info
function adapter.create(account, targets, opts)
  local job, err = core.start_in_thread(account, targets, opts)
  if not job then
    return nil, err, { dropped = {} }
  end
  job:send()
  return wait(job)
end

return adapter
