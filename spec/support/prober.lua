-- Probes in a process of their own: in a node of a lab, as another user, with another mtr-packet. The modules are
-- copied to where every user may read them. Knows nothing of what is right.

local cjson = require "cjson"
local host = require "spec.support.host"

local prober = {}
local Prober = {}
Prober.__index = Prober

-- What every script begins with. `children` are those of this process, but for the shell that asks: number, state
-- and name of each.
local PREAMBLE = [[
package.path, package.cpath = %q .. package.path, %q .. package.cpath
local traceroute, cjson = require "traceroute", require "cjson"
local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end
local function own_pid()
  return read("/proc/self/stat"):match("^%%d+")
end
local function children(name)
  local pipe, found = io.popen("env -u LD_PRELOAD ps -o pid=,stat=,comm= --ppid " .. own_pid()), {}
  for pid, state, command in pipe:read("*a"):gmatch("(%%d+) +(%%S+) +([^\n]+)") do
    if command:find(name or "mtr-packet", 1, true) then
      found[#found + 1] = { pid = pid, state = state }
    end
  end
  pipe:close()
  return found
end
local function descriptors()
  local uv = require "luv"
  local scan, count = uv.fs_scandir("/proc/self/fd"), 0
  while uv.fs_scandir_next(scan) do
    count = count + 1
  end
  return count
end
local function finish(job)
  while not job:step(1) do end
  return job:result()
end
]]

local PROBE = [[
local asked = cjson.decode(read(%q))
local result, err, info = traceroute.probe(asked.targets, asked.opts)
io.write(cjson.encode { result = result, err = err, info = info })
]]

--- Whether mtr-packet is here and may send; if not, false and why.
function prober.available()
  local said = host.run("printf '1 send-probe ip-4 127.0.0.1\\n' | timeout 5 mtr-packet 2>&1")
  if said:find("^1 reply") then
    return true
  end
  return false, "no mtr-packet that may send here: " .. said:gsub("%s+", " ")
end

--- By the interpreter given, or the checked one.
function prober.start(interpreter)
  local directory = host.private_directory("traceroute-prober")
  local core = assert(package.searchpath and package.searchpath("traceroute.core", package.cpath)
    or package.cpath:match("([^;]*)%?%.so"))
  core = core:find("core%.so$") and core or core .. "traceroute/core.so"
  local root, its_core = host.quote(host.root()), host.quote(core)
  local _, status = host.run(("cp -r %s/lua %s && mkdir %s/traceroute && cp %s %s/traceroute/core.so && "
    .. "chmod -R a+rX %s"):format(root, directory, directory, its_core, directory, directory))
  assert(status == 0)
  return setmetatable({
    directory = directory,
    interpreter = interpreter or host.checked_interpreter(),
    count = 0,
  }, Prober)
end

function Prober:file(text, mode)
  self.count = self.count + 1
  local path = ("%s/%d"):format(self.directory, self.count)
  host.write(path, text)
  host.run(("chmod %s %s"):format(mode or "644", path))
  return path
end

--- The shell words that run a script. `before` are words in front of the interpreter: a lab's prefix, valgrind.
function Prober:command(text, before)
  local preamble = PREAMBLE:format(self.directory .. "/lua/?.lua;" .. self.directory .. "/lua/?/init.lua;",
    self.directory .. "/?.so;")
  return ("%s %s %s"):format(before or "", host.quote(self.interpreter), self:file(preamble .. text))
end

--- Runs a script: what it printed, errors included, and its exit status.
function Prober:run(text, before)
  return host.run("timeout 120 " .. self:command(text, before) .. " 2>&1")
end

--- What traceroute.probe returns there.
function Prober:probe(targets, opts, before)
  local asked = self:file(cjson.encode { targets = targets, opts = opts or {} })
  local said, status = self:run(PROBE:format(asked), before)
  local ok, decoded = pcall(cjson.decode, said)
  assert(status == 0 and ok, said)
  return decoded.result, decoded.err, decoded.info
end

function Prober:stop()
  host.remove(self.directory)
end

return prober
