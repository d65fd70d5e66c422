-- An nginx that runs for a spec: in a private directory, on ports that are free, from when it is ready until it is
-- ended. Knows what all configurations here have in common, and nothing of what is served.

local host = require "spec.support.host"
local process = require "spec.support.process"

local nginx = {}

local START_TRIES = 5

-- What a text may name besides the values that come with it, and besides $ROOT.
local COMMON = {
  MAIN = [[
daemon off;
pid nginx.pid;
worker_rlimit_core 0;
$USER
$MODULES]],
  TEMP = [[
  access_log off;
  client_body_temp_path temp/body;
  proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi;
  uwsgi_temp_path temp/uwsgi;
  scgi_temp_path temp/scgi;]],
  READY = [[
    if ngx.worker.id() == 0 then
      local fifo = io.open(ngx.config.prefix() .. "ready", "w")
      fifo:write("ready\n")
      fifo:close()
    end]],
}

-- Replaces $NAME by the value of that name.
function nginx.fill(text, values)
  return (text:gsub("%$(%u[%u_]+)", values))
end

-- The lines that load nginx's Lua module: Debian's is a shared object; elsewhere it can be compiled in.
local function modules()
  local options = host.run("nginx -V 2>&1")
  local directory = options:match("%-%-modules%-path=(%S+)") or "/usr/lib/nginx/modules"
  local lines = {}
  for _, name in ipairs { "ndk_http_module", "ngx_http_lua_module" } do
    local path = directory .. "/" .. name .. ".so"
    local file = io.open(path, "rb")
    if file then
      file:close()
      lines[#lines + 1] = ('load_module "%s";'):format(path)
    end
  end
  return table.concat(lines, "\n")
end

-- Whose the workers are: of a master that is root, root's unless a user is named.
local function user_line(user)
  user = user or host.run("id -u"):match("%d+") == "0" and host.run("id -un"):match("%S+")
  return user and ("user %s;"):format(user) or ""
end

-- The Lua text that has `make coverage` count lines, where nginx runs the module.
function nginx.coverage()
  local notes = os.getenv("TRACEROUTE_COVERAGE")
  return notes and ("assert(loadfile(%q))(%q)"):format(host.root() .. "/spec/support/coverage.lua", notes) or ""
end

local function try(options)
  local directory = host.private_directory(options.name)
  local quoted = host.quote(directory)
  host.run(("mkdir %s/temp && chmod 755 %s"):format(quoted, quoted))
  local text = nginx.fill(options.configure(directory), COMMON)
  host.write(directory .. "/nginx.conf", nginx.fill(text, {
    USER = user_line(options.user),
    MODULES = modules(),
    ROOT = host.root(),
  }))
  local running = process.launch(directory, ("%s nginx -e error.log -p %s -c %s/nginx.conf"):format(
    options.under or "", quoted, quoted))
  local ready, why = running:ready()
  return ready and running, why
end

--- options: name (of the directory), configure (given the directory, writes what is needed there and returns the text
--- of nginx.conf), user (of the workers), under (words before nginx, such as valgrind's). Returns the process, or nil
--- and what nginx said when it did not start. Tries again when somebody else took a port.
function nginx.try(options)
  local running, why
  for _ = 1, START_TRIES do
    running, why = try(options)
    if running or not why:find("bind%(%)") then
      break
    end
  end
  return running or nil, why
end

function nginx.start(options)
  local running, why = nginx.try(options)
  return running or error("nginx did not start: " .. why)
end

return nginx
