-- lazy: the core, loaded by whoever first asks for it, since libcurl and what that needs take milliseconds which those
-- who only read results need not wait for. It lets results draw themselves; it knows nothing else of the core.
local invalid = require "traceroute.invalid"

local lazy = {}

local core, failure

local function draw(result)
  local drawn, err = require("traceroute.report").table(result)
  return drawn or tostring(err)
end

---@return table? core nil when it does not load
---@return string? reason one line
function lazy.load()
  if not core and not failure then
    local is_loaded, found = pcall(require, "traceroute.core")
    if is_loaded then
      found.result_metatable.__tostring = draw
      core = found
    else
      invalid.let_pass(found)
      failure = tostring(found):match("^[^\n]*") -- LuaJIT says it the first time alone
    end
  end
  return core, failure
end

return lazy
