-- system: what the command line needs of the machine: files, streams, the terminal, a pause. It must
-- not know what is written or read. Specs hand the command a table of their own instead.

local decimal = require "traceroute.decimal"

local system = {}

local function succeeded(...)
  local status = ...
  return status == true or status == 0
end

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

---Writes to standard output.
---@param s string
---@return boolean? ok
---@return string? err
function system.out(s)
  local ok, err = io.stdout:write(s)
  if ok then
    ok, err = io.stdout:flush()
  end
  return ok and true or nil, err
end

---Writes to standard error.
---@param s string
function system.err(s)
  io.stderr:write(s)
end

---The whole of a file; "-" is standard input.
---@param name string
---@return string? content
---@return string? err
---@return integer? code errno, where the Lua tells it
function system.read(name)
  if name == "-" then
    return io.stdin:read("*a")
  end
  local file, err, code = io.open(name, "rb")
  if not file then
    return nil, err, code
  end
  local content, why = file:read("*a")
  file:close()
  return content, why and name .. ": " .. why
end

---Puts a file in place as a whole: whoever reads it meanwhile sees the old one or the new one.
---@param name string
---@param content string
---@return boolean? ok
---@return string? err
function system.write(name, content)
  local fresh = name .. ".new"
  local file, err = io.open(fresh, "wb")
  if not file then
    return nil, err
  end
  local ok, why = file:write(content)
  local closed, why_not = file:close()
  if not ok or not closed then
    os.remove(fresh)
    return nil, fresh .. ": " .. tostring(why or why_not)
  end
  return os.rename(fresh, name)
end

---@param stream 0|1|2 standard input, output or error
---@return boolean
function system.is_terminal(stream)
  return succeeded(os.execute("test -t " .. stream))
end

---Columns of the terminal; nil when there is none.
---@return integer?
function system.columns()
  local pipe = io.popen("stty size 2>/dev/null </dev/tty")
  local size = pipe and pipe:read("*a") or ""
  if pipe then
    pipe:close()
  end
  local columns = tonumber(size:match("^%d+ (%d+)"))
  return columns and columns > 0 and columns or nil
end

system.getenv = os.getenv

---The time, for a person.
---@return string "2025-01-31 12:00:00Z"
function system.now()
  return os.date("!%Y-%m-%d %H:%M:%SZ")
end

---Waits. An interrupt ends it, and then it is false.
---@param seconds number
---@return boolean whole
function system.pause(seconds)
  return succeeded(os.execute("exec sleep " .. quote(decimal("%.3f", seconds))))
end

return system
