-- Takes TCP connections at the port in arg[1], IPv4 and IPv6, and closes them: an open port for lab.sh.

local uv = require "luv"

local server = uv.new_tcp()
assert(server:bind("::", tonumber(arg[1])))
assert(server:listen(128, function()
  local client = uv.new_tcp()
  server:accept(client)
  client:close()
end))
io.stdout:write("listening\n")
io.stdout:flush()
uv.run()
