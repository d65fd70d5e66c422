-- What the specs need of the operating system beyond Lua's own library: environment, private
-- directories, free ports, commands. Knows nothing of the service and of nginx.
--
-- luv is what Debian carries for each Lua from 5.1 to 5.4. Loading it makes the process ignore
-- SIGPIPE, which would hide a core that dies of one: its default is put back right away.

local uv = require "luv"

local host = {}

do
  local pipe = uv.new_signal()
  pipe:start("sigpipe", function() end)
  pipe:stop() -- libuv restores the default action with the last handler of a signal
  pipe:close()
  uv.run("nowait")
end

-- Where Debian keeps nginx, which ordinary users do not search.
uv.os_setenv("PATH", (os.getenv("PATH") or "/usr/bin:/bin") .. ":/usr/sbin")

function host.setenv(name, value)
  if value == nil then
    uv.os_unsetenv(name)
  else
    uv.os_setenv(name, value)
  end
end

-- Takes away what would change where a client goes, whom it trusts and with which credentials.
function host.clean_environment()
  for name in pairs(uv.os_environ()) do
    local lower = name:lower()
    if lower:find("^cloudflare_") or lower:find("_proxy$") or lower:find("^ssl_cert_") or lower == "curl_ca_bundle" then
      uv.os_unsetenv(name)
    end
  end
end

function host.now()
  local seconds, microseconds = uv.gettimeofday()
  return seconds + microseconds / 1e6
end

-- Seconds within which whatever happens at all has happened, however busy the machine.
host.LONG = 60

-- For polling with a deadline; never a way to be right.
function host.pause(milliseconds)
  uv.sleep(milliseconds)
end

function host.quote(text)
  return "'" .. tostring(text):gsub("'", [['\'']]) .. "'"
end

-- Runs a shell command; returns its standard output and its exit status.
function host.run(command)
  local pipe = assert(io.popen("{ " .. command .. "\n}; printf '\\036%d\\036' $?", "r"))
  local output = pipe:read("*a")
  pipe:close()
  -- What the command left running may say something after its end.
  local text, status, late = output:match("^(.*)\30(%d+)\30(.*)$")
  assert(text, output)
  return text .. late, tonumber(status)
end

function host.read(path)
  local file, why = io.open(path, "rb")
  if not file then
    return nil, why
  end
  local text = file:read("*a")
  file:close()
  return text
end

function host.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

-- The Lua that runs this.
function host.interpreter()
  local first = 0
  while arg[first - 1] do
    first = first - 1
  end
  return arg[first]
end

-- The same for a script that takes what it gets from the core: under valgrind where this is.
function host.checked_interpreter()
  return os.getenv("CHECKED_LUA") or host.interpreter()
end

-- Whether the address sanitizer is loaded: it keeps what was freed, and does not go with valgrind.
function host.is_sanitized()
  return (os.getenv("LD_PRELOAD") or ""):find("asan", 1, true) ~= nil
end

-- How many times as long what takes work is given here: valgrind and the address sanitizer take theirs.
function host.patience()
  return (os.getenv("CHECKED_LUA") or host.is_sanitized()) and 6 or 1
end

function host.private_directory(name)
  local parent = os.getenv("TMPDIR") or "/tmp"
  return assert(uv.fs_mkdtemp(parent .. "/" .. name .. ".XXXXXX"))
end

function host.remove(directory)
  host.run("rm -rf " .. host.quote(directory))
end

-- The absolute path of the directory that holds spec/.
function host.root()
  local here = debug.getinfo(1, "S").source:match("^@(.*)$")
  local up = here:match("^(.*)spec/support/[^/]*$") or "./"
  return assert(uv.fs_realpath(up == "" and "." or up))
end

function host.terminate(pid)
  uv.kill(pid, "sigterm")
end

-- Whether something takes connections at 127.0.0.1.
function host.connects(port)
  local socket, failed = uv.new_tcp(), nil
  socket:connect("127.0.0.1", port, function(err)
    failed = err or false
    socket:close()
  end)
  uv.run("default")
  return failed == false
end

local function listen(address, port)
  local socket = uv.new_tcp()
  if socket:bind(address, port) and socket:listen(1, function() end) then
    return socket, socket:getsockname().port
  end
  socket:close()
end

function host.has_ipv6()
  local socket = listen("::1", 0)
  if socket then
    socket:close()
    uv.run("nowait")
  end
  return socket ~= nil
end

-- `count` ports that nothing listened on a moment ago, on 127.0.0.1 and, where the machine has it, ::1.
function host.free_ports(count)
  local ports, sockets, six = {}, {}, host.has_ipv6()
  for _ = 1, count * 20 do
    if #ports == count then
      break
    end
    local four, port = listen("127.0.0.1", 0)
    sockets[#sockets + 1] = four
    local other = six and listen("::1", port)
    sockets[#sockets + 1] = other or nil
    if other or not six then
      ports[#ports + 1] = port
    end
  end
  for _, socket in ipairs(sockets) do
    socket:close()
  end
  uv.run("nowait")
  assert(#ports == count, "no free ports on loopback")
  return ports
end

-- A port that takes connections and never says a word, until `:close()` of the second value.
function host.silent_port()
  local socket, port = listen("127.0.0.1", 0)
  assert(socket, "no free port on loopback")
  return port, {
    close = function()
      if not socket:is_closing() then
        socket:close()
        uv.run("nowait")
      end
    end,
  }
end

return host
