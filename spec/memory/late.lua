-- What spec/memory/threads.c runs in a state that is closed when the core's thread is gone: a job in the thread, which
-- a finalizer steps, waits for and cancels.

local core = require "traceroute.core"
local traceroute = require "traceroute"

local opts = { base_url = os.getenv("SILENT"), token = "secret", retries = 0, quota = 0 }
local kept = {}

local function finalized(collect)
  if not newproxy then -- luacheck: ignore (of 5.1 and LuaJIT)
    return setmetatable({}, { __gc = collect })
  end
  local proxy = newproxy(true) -- luacheck: ignore
  getmetatable(proxy).__gc = collect
  return proxy
end

return function()
  local job = assert(core.start_in_thread("account", "192.0.2.1", opts))
  job:send()
  kept[#kept + 1] = finalized(function()
    print(pcall(function()
      local done, err = job:step(1)
      job:cancel()
      local _, why = traceroute.wait(job)
      return tostring(done), err.kind, why.kind
    end))
  end)
end
