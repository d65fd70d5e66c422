-- system: what the command line needs of the machine: files, streams, the terminal, a pause. It must
-- not know what is written or read. Specs hand the command a table of their own instead.

local decimal = require "traceroute.decimal"

local system = {}

-- Seconds after which a pause looks up: of an interrupt that was sent to this process alone.
local TICK = 1
-- Bytes of a line that is not wanted.
local LINE_MAX = 4096

-- Makes room beside the file that the name leads to, with the mode and owner of what it is to replace. Says t and the
-- new file's name, or d for what is written straight into: a device, a FIFO, and whatever cannot be written at all.
local PREPARE = [[
p=%s
[ -e "$p" ] && ! [ -f "$p" ] && { printf d; exit; }
r=$(readlink -f -- "$p" && echo .) || { printf d; exit; }
r=${r%%??}
t=$(mktemp -- "$r.XXXXXX" && echo .) || exit
t=${t%%??}
if [ -f "$r" ]; then cp -p -- "$r" "$t"; else chmod =rw -- "$t"; fi || { rm -f -- "$t"; exit; }
printf 't%%s' "$t"
]]
local SUFFIX_SIZE = #".XXXXXX"

local function succeeded(...)
  local status = ...
  return status == true or status == 0
end

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- What a shell's commands print; nothing where there is no shell.
local function ask(commands)
  local pipe = io.popen(commands)
  local said = pipe and pipe:read("*a") or ""
  if pipe then
    pipe:close()
  end
  return said
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

-- Nobody is to take half a line for a name.
local function leave(begun)
  if io.stdin:seek("cur", -#begun) then
    return
  end
  for _ = 1, LINE_MAX do
    if (io.stdin:read(1) or "\n") == "\n" then
      return
    end
  end
end

---Standard input, unless its first character but white space is another than these: then that much of it, and it is all
---left there for whom it is meant; of a pipe, all but the line.
---@param first string a class of characters
---@return string? content
---@return string? err
function system.read_input(first)
  io.stdin:setvbuf("no")
  local begun = ""
  repeat
    local character, err = io.stdin:read(1)
    if not character then
      return not err and begun or nil, err
    end
    begun = begun .. character
  until not character:find("%s")
  if not begun:find(first) then
    leave(begun)
    return begun
  end
  local rest, err = io.stdin:read("*a")
  return rest and begun .. rest, err
end

local function put(file, name, content)
  local ok, why = file:write(content)
  local closed, why_not = file:close()
  if not ok or not closed then
    return nil, name .. ": " .. tostring(why or why_not)
  end
  return true
end

local function replace(name, fresh, content)
  local file, err = io.open(fresh, "wb")
  local ok
  if file then
    ok, err = put(file, name, content)
  end
  if ok then
    ok, err = os.rename(fresh, fresh:sub(1, -SUFFIX_SIZE - 1))
  end
  return ok, err
end

---Puts a file in place as a whole: whoever reads it meanwhile sees the old one or the new one. Symlinks are followed;
---a file keeps its mode; what is no regular file is written to and stays what it is.
---@param name string
---@param content string
---@return boolean? ok
---@return string? err
function system.write(name, content)
  local said = ask(("{ %s} 2>&1"):format(PREPARE:format(quote(name))))
  local way, fresh = said:match("^([dt])(.*)$")
  if way == "d" and fresh == "" then
    local file, err = io.open(name, "wb")
    if not file then
      return nil, err
    end
    return put(file, name, content)
  elseif way ~= "t" then
    return nil, name .. ": " .. (said:match("([^\n:]+)\n*$") or "the shell said nothing"):gsub("^%s+", "")
  end
  local ran, ok, err = pcall(replace, name, fresh, content)
  if not ran or not ok then
    os.remove(fresh)
  end
  if not ran then
    error(ok, 0)
  end
  return ok and true or nil, err
end

---Whether two names lead to the same file, or will when it is there.
---@param a string
---@param b string
---@return boolean
function system.is_same(a, b)
  return a == b or ask(("a=$(readlink -f -- %s) && b=$(readlink -f -- %s) && [ \"$a\" = \"$b\" ] && echo same")
    :format(quote(a), quote(b))) == "same\n"
end

---@param stream 0|1|2 standard input, output or error
---@return boolean
function system.is_terminal(stream)
  return succeeded(os.execute("test -t " .. stream))
end

---Columns of the terminal; nil when there is none.
---@return integer?
function system.columns()
  local columns = tonumber(ask("stty size 2>/dev/null </dev/tty"):match("^%d+ (%d+)"))
  return columns and columns > 0 and columns or nil
end

system.getenv = os.getenv

---The time, for a person.
---@return string "2025-01-31 12:00:00Z"
function system.now()
  return os.date("!%Y-%m-%d %H:%M:%SZ")
end

---Waits. An interrupt is raised as usual, within a second: os.execute would keep it away. A child that outlives this
---process sleeps for no longer than that.
---@param seconds number
---@return boolean whole false when something else ended it
function system.pause(seconds)
  local left = seconds
  while left > 0 do
    if ask(("sleep %s && echo slept"):format(quote(decimal("%.3f", math.min(left, TICK))))) ~= "slept\n" then
      return false
    end
    left = left - TICK
  end
  return true
end

return system
