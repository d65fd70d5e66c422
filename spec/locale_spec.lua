-- A script may set the locale of its users, in which a decimal point is a comma, before or after it loads the module:
-- what is read and what is written stays the same.

local host = require "spec.support.host"
local server = require "spec.support.server"

local LOCALE = "de_DE.UTF-8"

describe("in a locale with a decimal comma", function()
  local stand_in, directory, expected

  local function draw(locale, moment)
    local words = {}
    for i, word in ipairs { host.interpreter(), "spec/support/in_locale.lua", locale, moment,
      stand_in:url("ok"), stand_in.ca_file } do
      words[i] = host.quote(word)
    end
    local log = directory .. "/log"
    local output, status = host.run(("LUA_PATH=%s LUA_CPATH=%s LOCPATH=%s %s 2>%s"):format(host.quote(package.path),
      host.quote(package.cpath), host.quote(directory), table.concat(words, " "), host.quote(log)))
    assert.equal(locale, host.read(log))
    assert.equal(0, status)
    return output
  end

  setup(function()
    stand_in = server.get()
    directory = host.private_directory("traceroute-locale")
    local said, status = host.run(("localedef -i de_DE -f UTF-8 %s/%s 2>&1"):format(host.quote(directory), LOCALE))
    assert(status == 0, said)
    expected = draw("C", "before")
    assert.truthy(expected:find("%d%.%d%d"))
  end)

  teardown(function()
    host.remove(directory)
  end)

  for _, moment in ipairs { "before", "after" } do
    it("all is as it was, if that is set " .. moment .. " the module's first call", function()
      assert.equal(expected, draw(LOCALE, moment))
    end)
  end
end)
