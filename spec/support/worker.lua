-- An nginx that uses the module, as its users' do: starts it with the locations that a spec gives, asks it, reloads
-- it and ends it. Knows nothing of what the locations do.

local conf = require "spec.support.conf"
local host = require "spec.support.host"
local process = require "spec.support.process"

local worker = {}
local Worker = {}
Worker.__index = Worker

local START_TRIES = 5

local TEXT = [[
daemon off;
pid nginx.pid;
error_log error.log info;
worker_processes $WORKERS;
worker_rlimit_nofile $DESCRIPTORS;
worker_shutdown_timeout 10s;
$USER
$MODULES
$MAIN
events { worker_connections $CONNECTIONS; }
http {
  access_log off;
  default_type text/plain;
  client_body_temp_path temp/body;
  proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi;
  uwsgi_temp_path temp/uwsgi;
  scgi_temp_path temp/scgi;
  lua_package_path "$ROOT/lua/?.lua;$ROOT/lua/?/init.lua;$ROOT/?.lua;;";
  lua_package_cpath "$ROOT/$BUILD/?.so;;";
  lua_max_running_timers 1024;
  lua_max_pending_timers 4096;
  lua_socket_log_errors off;
  keepalive_requests 1000000;
$HTTP
  server {
    listen 127.0.0.1:$PORT backlog=4096;
    location = /ping { return 200 "pong"; }
    location = /pid { content_by_lua_block { ngx.print(ngx.worker.pid()) } }
$LOCATIONS
  }
}
]]

local READY = [[
  init_worker_by_lua_block {
    if ngx.worker.id() == 0 then
      local fifo = io.open("$DIRECTORY/ready", "w")
      fifo:write("ready\n")
      fifo:close()
    end
    $INIT_WORKER
  }
]]

local function fill(text, values)
  return (text:gsub("%$(%u[%u_]+)", values))
end

local function try(options)
  local directory = host.private_directory("traceroute-worker")
  local quoted = host.quote(directory)
  host.run(("mkdir %s/temp && chmod 755 %s"):format(quoted, quoted))
  local port = host.free_ports(1)[1]
  local user = options.user or (host.run("id -u"):match("%d+") == "0" and host.run("id -un"):match("%S+"))
  host.write(directory .. "/nginx.conf", fill(TEXT, {
    WORKERS = tostring(options.workers or 1),
    USER = user and ("user %s;"):format(user) or "",
    MODULES = conf.modules(),
    MAIN = options.main or "",
    DESCRIPTORS = tostring(options.descriptors or 16384),
    CONNECTIONS = tostring(options.connections or 8192),
    ROOT = host.root(),
    BUILD = os.getenv("TRACEROUTE_BUILD") or "build/luajit",
    PORT = tostring(port),
    HTTP = conf.counting(options.http or "") .. fill(READY, {
      DIRECTORY = directory,
      INIT_WORKER = options.init_worker or "",
    }),
    LOCATIONS = options.locations,
  }))
  local running = process.launch(directory, ("%s nginx -e error.log -p %s -c %s/nginx.conf"):format(
    options.under or "", quoted, quoted))
  local ready, why = running:ready()
  if not ready then
    return nil, why
  end
  return setmetatable({ directory = directory, port = port, process = running }, Worker)
end

--- options: locations, http (directives of that level), main (of the top level), init_worker (Lua), workers, user,
--- connections and descriptors (of a worker: 8192, 16384), under (words before nginx, such as valgrind's).
function worker.start(options)
  local why
  for _ = 1, START_TRIES do
    local started
    started, why = try(options)
    if started then
      return started
    end
    if not why:find("bind%(%)") then
      break
    end
  end
  error("nginx did not start: " .. why)
end

function Worker:url(path)
  return ("http://127.0.0.1:%d%s"):format(self.port, path)
end

local function escaped(text)
  return (tostring(text):gsub("[^%w]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

--- A path with a query made of a table.
function worker.path(path, query)
  local parts = {}
  for name, value in pairs(query) do
    parts[#parts + 1] = name .. "=" .. escaped(value)
  end
  return path .. "?" .. table.concat(parts, "&")
end

local Asked = {}
Asked.__index = Asked

--- Waits for the answer of a GET that was begun: its body and its status (0: there was none).
function Asked:finish()
  local body, status = self.pipe:read("*a"):match("^(.*) (%d+)$")
  self.pipe:close()
  return body, tonumber(status)
end

--- The client goes away.
function Asked:abort()
  host.run("kill -KILL " .. self.pid)
  self.pipe:close()
end

--- Begins a GET, in a process of its own; `seconds` (20) bounds it.
function Worker:begin(path, seconds)
  local pipe = io.popen(("echo $$; exec curl -s -m %s -w ' %%{http_code}' %s"):format(
    tostring(seconds or 20), host.quote(self:url(path))))
  return setmetatable({ pid = pipe:read("*l"), pipe = pipe }, Asked)
end

--- The body and the status of a GET; `seconds` bounds it.
function Worker:get(path, seconds)
  return self:begin(path, seconds):finish()
end

function Worker:master_pid()
  return tonumber(host.read(self.directory .. "/nginx.pid"))
end

function Worker:signal(name, pid)
  host.run(("kill -%s %d"):format(name, pid or self:master_pid()))
end

function Worker:error_log()
  return host.read(self.directory .. "/error.log")
end

--- How many descriptors the worker process of that number has open.
function worker.descriptors(pid)
  return tonumber((host.run(("ls /proc/%d/fd | wc -l"):format(pid))))
end

function worker.is_alive(pid)
  return host.read(("/proc/%d/stat"):format(pid)) ~= nil
end

--- Asks `predicate` until it holds, for at most so many seconds (10); its value, or nil.
function worker.await(predicate, seconds)
  local deadline = host.now() + (seconds or 10)
  repeat
    local value = predicate()
    if value then
      return value
    end
    host.pause(5)
  until host.now() > deadline
end

function Worker:stop()
  self.process:stop()
end

return worker
