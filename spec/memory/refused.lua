-- What spec/memory/watches.c runs: a call of three requests, side by side; in words what came of it.

local core = require "traceroute.core"
local traceroute = require "traceroute"

local function call(targets, opts)
  if os.getenv("PLACE") == "here" then
    return traceroute.create("account", targets, opts)
  end
  local job, err = core.start_in_thread("account", targets, opts)
  if not job then
    return nil, err
  end
  job:send()
  return traceroute.wait(job)
end

return function()
  local targets = {}
  for i = 1, 30 do
    targets[i] = "192.0.2." .. i
  end
  local ran, result, err = pcall(call, targets, {
    base_url = os.getenv("STAND_IN"), ca_file = os.getenv("CA_FILE"), token = "secret", quota = 0, timeout = 20,
    retries = tonumber(os.getenv("RETRIES")), colos = { "den01" },
  })
  if not ran then
    return "raised " .. tostring(result)
  end
  local lost = err and err.targets or {}
  return ("%d there, %d not, %s"):format(result and #result or 0, #lost, tostring(err))
end
