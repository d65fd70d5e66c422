-- A finalizer of the script's may run while the core reads what the script passed, and clear, exchange or grow it, as
-- when pooled tables go back to their pool. What was read by then stays as it was: a credential goes to the URL that it
-- was passed with, and nothing is looked at that was freed.

local host = require "spec.support.host"

-- Under valgrind a call is slow.
local STRIDE = os.getenv("CHECKED_LUA") and 5 or 1

-- How many cycles of the collector fall into a call at the least: fewer mean that they are not provoked.
local LEAST = { plan = 40, start = 25, survey = 15, vet_options = 3, vet_targets = 10 }

describe("a finalizer changes nothing that is already read:", function()
  -- How many calls there were, one for each cycle, and how many of them read what was there before.
  local function run(call, change)
    local words = {}
    for i, word in ipairs { host.checked_interpreter(), "spec/support/finalizers.lua", call, change, STRIDE } do
      words[i] = host.quote(word)
    end
    local said, status = host.run(("cd %s && LUA_PATH=%s LUA_CPATH=%s %s 2>&1"):format(host.quote(host.root()),
      host.quote(package.path), host.quote(package.cpath), table.concat(words, " ")))
    assert.equal(0, status, said)
    local calls, first = said:match("^(%d+)%s+(%d+)\n$")
    assert.is_string(calls, said)
    return tonumber(calls), tonumber(first)
  end

  for call, least in pairs(LEAST) do
    for _, change in ipairs { "cleared", "spoilt", "grown", "exchanged" } do
      it("by " .. call .. ", arguments that are " .. change, function()
        local calls, first = run(call, change)
        assert.is_true(calls * STRIDE >= least, calls)
        assert.is_true(first > 0 and first <= calls)
      end)
    end
  end
end)
