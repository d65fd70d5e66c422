-- What spec/memory/threads.c runs in each state: a call to a port that refuses, and one that is left under way.

local traceroute = require "traceroute"

local refusing = { base_url = os.getenv("REFUSING"), token = "secret", retries = 0, quota = 0 }
local silent = { base_url = os.getenv("SILENT"), token = "secret", retries = 0, quota = 0 }

local left

return function()
  local _, err = traceroute.create("account", "192.0.2.1", refusing)
  assert(err.kind == "connection", tostring(err))
  left = assert(traceroute.start("account", "192.0.2.1", silent))
  left:step(0)
  collectgarbage("step")
end
