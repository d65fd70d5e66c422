-- A colo of one's own as an operator runs it: an nginx with the module over TLS, in a private directory, here or in
-- a namespace of the lab. Starts it with a configuration, tells where it listens, and ends it. Knows nothing of what
-- is asked.

local host = require "spec.support.host"
local nginx = require "spec.support.nginx"
local pki = require "spec.support.pki"

local colo = {}
local Colo = {}
Colo.__index = Colo

local TEXT = [[
$MAIN
error_log error.log notice;
worker_processes $WORKERS;
$TOP
events { worker_connections 1024; }
http {
$TEMP
  lua_package_path "$ROOT/lua/?.lua;$ROOT/lua/?/init.lua;;";
  lua_package_cpath "$ROOT/$BUILD/?.so;;";
  lua_socket_log_errors off;
  lua_shared_dict calls 64k;
$HTTP
  init_by_lua_block { $COVERAGE here = require("traceroute.colo").new($CONFIG) }
  init_worker_by_lua_block {
$READY
  }
  server {
    listen $ADDRESS:$PORT ssl http2;
    ssl_certificate good.pem;
    ssl_certificate_key good.key;
    location / {
      lua_check_client_abort on;
      content_by_lua_block { here:serve() }
    }
$LOCATIONS
  }
}
]]

--- options: config (Lua text of colo.new's argument), top, http and locations (further directives), workers, build
--- (where LuaJIT's core is), and for the lab under (words before nginx), address and port. Nil and what nginx said when
--- it does not start.
function colo.try(options)
  local here = {}
  local running, why = nginx.try {
    name = "traceroute-colo",
    under = options.under,
    configure = function(directory)
      here.ca_file = pki.make(directory, { options.address }).ca_file
      here.port = options.port or host.free_ports(1)[1]
      return nginx.fill(TEXT, {
        WORKERS = tostring(options.workers or 1),
        BUILD = options.build or os.getenv("TRACEROUTE_BUILD") or "build/luajit",
        TOP = options.top or "",
        HTTP = options.http or "",
        COVERAGE = nginx.coverage(),
        CONFIG = options.config,
        ADDRESS = options.address or "127.0.0.1",
        PORT = tostring(here.port),
        LOCATIONS = options.locations or "",
      })
    end,
  }
  if not running then
    return nil, why
  end
  here.process, here.directory = running, running.directory
  here.base_url = ("https://%s:%d/client/v4"):format(options.address or "localhost", here.port)
  return setmetatable(here, Colo)
end

function colo.start(options)
  local started, why = colo.try(options)
  return started or error("nginx did not start: " .. why)
end

function Colo:error_log()
  return host.read(self.directory .. "/error.log")
end

--- The lines of the access log so far.
function Colo:lines()
  local lines = {}
  for line in self:error_log():gmatch("traceroute: (account=[^\n]*)") do
    lines[#lines + 1] = line:match("^(.-), client: ") or line
  end
  return lines
end

function Colo:stop()
  self.process:stop()
end

return colo
