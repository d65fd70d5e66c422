-- Notes each line of lua/ that runs, once for each process, in the file that TRACEROUTE_COVERAGE names, or the
-- argument where there is no environment. Runs before anything else does: LUA_INIT names it to interpreters,
-- conf.lua to nginx. Knows nothing of what is made of the lines: .ci/coverage.lua does.
--
-- A line is written as soon as it runs, so that a process may end however it likes, and the file is not kept open:
-- specs count descriptors, use them up, and close the standard ones. What cannot be noted then is when it runs again.

local notes = ... or os.getenv("TRACEROUTE_COVERAGE")
assert(io.open(notes, "a")):close()

local getinfo, sethook, open = debug.getinfo, debug.sethook, io.open
-- By source: the lines noted, or false where the source is none of ours.
local seen = {}

local function note(_, line)
  local source = getinfo(2, "S").source
  local lines = seen[source]
  if lines == nil then
    local path = source:match("^@.*/(lua/traceroute/[%w_/]+%.lua)$")
    lines = path and { path = path } or false
    seen[source] = lines
  end
  local file = lines and not lines[line] and open(notes, "a")
  if file then
    lines[line] = true
    file:write(lines.path, ":", line, "\n")
    file:close()
  end
end

sethook(note, "l")

-- LuaJIT has one hook for all coroutines, but none in compiled code; elsewhere each has its own.
local jit = rawget(_G, "jit")
if jit then
  jit.off()
  jit.flush()
  return
end

local create = coroutine.create

function coroutine.create(body)
  local thread = create(body)
  sethook(thread, note, "l")
  return thread
end

local function values(ran, ...)
  if not ran then
    error((...), 0)
  end
  return ...
end

function coroutine.wrap(body)
  local thread = coroutine.create(body)
  return function(...)
    return values(coroutine.resume(thread, ...))
  end
end

-- cqueues makes its coroutines in C.
function package.preload.cqueues()
  package.preload.cqueues, package.loaded.cqueues = nil, nil
  local cqueues = require "cqueues"
  local wrap
  wrap = cqueues.interpose("wrap", function(queue, body, ...)
    return wrap(queue, function(...)
      sethook(note, "l")
      return body(...)
    end, ...)
  end)
  return cqueues
end
