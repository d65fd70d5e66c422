-- A colo of one's own as an operator runs it: an nginx with the module over TLS, in a private directory, here or in
-- a namespace of the lab. Starts it with a configuration, tells where it listens, and ends it. Knows nothing of what
-- is asked.

local conf = require "spec.support.conf"
local host = require "spec.support.host"
local pki = require "spec.support.pki"
local process = require "spec.support.process"

local colo = {}
local Colo = {}
Colo.__index = Colo

local START_TRIES = 5

local TEXT = [[
daemon off;
pid nginx.pid;
error_log error.log notice;
worker_processes $WORKERS;
worker_rlimit_core 0;
$USER
$MODULES
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path temp/body;
  proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi;
  uwsgi_temp_path temp/uwsgi;
  scgi_temp_path temp/scgi;
  lua_package_path "$ROOT/lua/?.lua;$ROOT/lua/?/init.lua;;";
  lua_package_cpath "$ROOT/$BUILD/?.so;;";
  lua_socket_log_errors off;
  lua_shared_dict calls 64k;
$HTTP
  init_by_lua_block { $COVERAGE here = require("traceroute.colo").new($CONFIG) }
  init_worker_by_lua_block {
    if ngx.worker.id() == 0 then
      local fifo = io.open("$DIRECTORY/ready", "w")
      fifo:write("ready\n")
      fifo:close()
    end
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

local function fill(text, values)
  return (text:gsub("%$(%u+)", values))
end

local function try(options)
  local directory = host.private_directory("traceroute-colo")
  local quoted = host.quote(directory)
  host.run(("mkdir %s/temp && chmod 755 %s"):format(quoted, quoted))
  local address = options.address or "127.0.0.1"
  local certificates = pki.make(directory, { options.address })
  local port = options.port or host.free_ports(1)[1]
  host.write(directory .. "/nginx.conf", fill(TEXT, {
    WORKERS = tostring(options.workers or 1),
    USER = host.run("id -u"):match("%d+") == "0" and ("user %s;"):format(host.run("id -un"):match("%S+")) or "",
    MODULES = conf.modules(),
    ROOT = host.root(),
    BUILD = options.build or os.getenv("TRACEROUTE_BUILD") or "build/luajit",
    HTTP = options.http or "",
    COVERAGE = conf.coverage(),
    CONFIG = options.config,
    DIRECTORY = directory,
    ADDRESS = address,
    PORT = tostring(port),
    LOCATIONS = options.locations or "",
  }))
  local running = process.launch(directory, ("%s nginx -e error.log -p %s -c %s/nginx.conf"):format(
    options.under or "", quoted, quoted))
  local ready, why = running:ready()
  if not ready then
    return nil, why
  end
  return setmetatable({
    directory = directory,
    port = port,
    base_url = ("https://%s:%d/client/v4"):format(options.address or "localhost", port),
    ca_file = certificates.ca_file,
    process = running,
  }, Colo)
end

--- options: config (Lua text of colo.new's argument), http and locations (further directives), workers, build (where
--- LuaJIT's core is), and for the lab under (words before nginx), address and port. Nil and what nginx said when it
--- does not start.
function colo.try(options)
  local why
  for _ = 1, START_TRIES do
    local started
    started, why = try(options)
    if started then
      return started
    elseif not why:find("bind%(%)") then
      break
    end
  end
  return nil, why
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
