-- A program that runs for a spec, in a private directory, and ends with it: also when the spec is
-- killed. Knows nothing of what the program is; watch.sh is its other half.

local host = require "spec.support.host"

local process = {}
local Process = {}
Process.__index = Process

-- Starts the shell command, whose words are quoted already. The directory is removed with it.
function process.launch(directory, command)
  host.run("mkfifo -m 666 " .. host.quote(directory .. "/ready"))
  local pipe = assert(io.popen(("exec setpriv --pdeathsig TERM sh %s %s %s"):format(
    host.quote(host.root() .. "/spec/support/watch.sh"), host.quote(directory), command), "w"))
  return setmetatable({ directory = directory, pipe = pipe }, Process)
end

-- Waits until the program has written "ready" to the fifo of that name. When it ended instead, returns
-- nil and what it said, and the directory is gone.
function Process:ready()
  local line = host.run(("timeout %d head -n 1 %s"):format(
    host.LONG, host.quote(self.directory .. "/ready")))
  if line:match("^ready") then
    return true
  end
  local why = self:said()
  self:stop()
  return nil, why
end

function Process:said()
  return (host.read(self.directory .. "/error.log") or "") .. (host.read(self.directory .. "/output.log") or "")
end

-- Returns when the program and its directory are gone. The shell is told by a signal: another child of
-- this process may hold the pipe's end open. It is not reaped before the pipe closes, so the number is its.
function Process:stop()
  if self.pipe then
    local pid = tonumber(host.read(self.directory .. "/watch.pid") or "")
    if pid then
      host.terminate(pid)
    end
    self.pipe:close()
    self.pipe = nil
  end
end

return process
