-- Runs before the specs: finds the modules of spec/support from any directory, makes the specs
-- independent of the user's environment, and ends what they share when the run ends. The file $RUNNING_TEST, if given,
-- names the test that runs, for when one never ends.

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
package.path = here .. "../../?.lua;" .. package.path

-- Loaded here, so that busted's insulation of the spec files does not load them once for each.
local host = require "spec.support.host"
local server = require "spec.support.server"

host.clean_environment()
host.setenv("TZ", "UTC")

local busted = require "busted"

busted.subscribe({ "exit" }, function()
  server.finish()
  return nil, true
end)

local note = os.getenv "RUNNING_TEST"
if note then
  busted.subscribe({ "test", "start" }, function(test)
    host.write(note, ("%s:%d: %s\n"):format(test.trace.short_src, test.trace.currentline, test.name))
    return nil, true
  end)
end
