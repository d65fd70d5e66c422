-- A forward proxy for the specs: tinyproxy on loopback, with a log of its own. Knows nothing of who
-- is reached through it.

local host = require "spec.support.host"
local process = require "spec.support.process"

local proxy = {}
local Proxy = {}
Proxy.__index = Proxy

local CONF = [[
Port %d
Listen 127.0.0.1
Timeout 600
MaxClients 50
LogFile "%s/proxy.log"
LogLevel Info
Allow 127.0.0.1
DisableViaHeader Yes
%s
]]

-- options.user with options.password: asks for them with Basic authentication.
function proxy.start(options)
  local directory = host.private_directory("traceroute-proxy")
  local port = host.free_ports(1)[1]
  local user = options and options.user
  host.write(directory .. "/proxy.log", "")
  host.write(directory .. "/proxy.conf", CONF:format(port, directory,
    user and ("BasicAuth %s %s"):format(user, options.password) or ""))
  local running = process.launch(directory, "tinyproxy -d -c " .. host.quote(directory .. "/proxy.conf"))
  local deadline = host.now() + host.LONG
  while not host.connects(port) do
    if host.now() > deadline then
      local why = running:said()
      running:stop()
      error("tinyproxy did not start: " .. why)
    end
    host.pause(2)
  end
  return setmetatable({
    directory = directory,
    port = port,
    url = "http://127.0.0.1:" .. port,
    process = running,
  }, Proxy)
end

function Proxy:log()
  return host.read(self.directory .. "/proxy.log")
end

function Proxy:stop()
  self.process:stop()
end

return proxy
