-- An nginx that uses the module, as its users' do: starts it with the locations that a spec gives, asks it, reloads
-- it and ends it. Knows nothing of what the locations do.

local host = require "spec.support.host"
local nginx = require "spec.support.nginx"

local worker = {}
local Worker = {}
Worker.__index = Worker

local TEXT = [[
$MAIN
error_log error.log info;
worker_processes $WORKERS;
worker_rlimit_nofile $DESCRIPTORS;
worker_shutdown_timeout $SHUTDOWN;
$TOP
events { worker_connections $CONNECTIONS; }
http {
$TEMP
  default_type text/plain;
  lua_package_path "$ROOT/lua/?.lua;$ROOT/lua/?/init.lua;$ROOT/?.lua;;";
  lua_package_cpath "$ROOT/$BUILD/?.so;;";
  lua_max_running_timers 1024;
  lua_max_pending_timers 4096;
  lua_socket_log_errors off;
  keepalive_requests 1000000;
$HTTP
  init_worker_by_lua_block {
$READY
    $INIT_WORKER
  }
  server {
    listen 127.0.0.1:$PORT backlog=4096;
    location = /ping { return 200 "pong"; }
    location = /pid { content_by_lua_block { ngx.print(ngx.worker.pid()) } }
$LOCATIONS
  }
}
]]

-- Directives of the http level, in which `make coverage` counts lines; they may have an init_by_lua of their own.
local function counting(http)
  local coverage = nginx.coverage()
  if coverage == "" then
    return http
  elseif not http:find("init_by_lua_block {", 1, true) then
    return http .. "init_by_lua_block { " .. coverage .. " }\n"
  end
  return (http:gsub("init_by_lua_block {", function(opening)
    return opening .. " " .. coverage .. " "
  end))
end

--- options: locations, http (directives of that level), main (of the top level), init_worker (Lua), workers, user,
--- connections and descriptors (of a worker: 8192, 16384), shutdown (a worker's time to end: 10s), under (words before
--- nginx, such as valgrind's).
function worker.start(options)
  local port
  local running = nginx.start {
    name = "traceroute-worker",
    user = options.user,
    under = options.under,
    configure = function()
      port = host.free_ports(1)[1]
      return nginx.fill(TEXT, {
        WORKERS = tostring(options.workers or 1),
        DESCRIPTORS = tostring(options.descriptors or 16384),
        CONNECTIONS = tostring(options.connections or 8192),
        SHUTDOWN = options.shutdown or "10s",
        TOP = options.main or "",
        BUILD = os.getenv("TRACEROUTE_BUILD") or "build/luajit",
        PORT = tostring(port),
        HTTP = counting(options.http or ""),
        INIT_WORKER = options.init_worker or "",
        LOCATIONS = options.locations,
      })
    end,
  }
  return setmetatable({ directory = running.directory, port = port, process = running }, Worker)
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

--- Begins a GET, in a process of its own; `seconds` (20) bounds it. A path with a range, "[1-250]", stands for that
--- many (at most 300), side by side: all their bodies and statuses but the last status are the body then.
function Worker:begin(path, seconds)
  local many = path:find "%[%d+%-%d+%]"
    and "--no-progress-meter --parallel --parallel-immediate --parallel-max 300" or ""
  local pipe = io.popen(("echo $$; exec curl -s -m %s %s -w ' %%{http_code}' %s"):format(
    tostring(seconds or 20), many, host.quote(self:url(path))))
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

--- Asks `predicate` until it holds; its value, or nil when it never does.
function worker.await(predicate)
  local deadline = host.now() + host.LONG
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
