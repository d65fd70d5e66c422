-- What `make demo` shows: a colo of one's own that is asked for a real trace, in the lab and of this machine. nginx
-- runs LuaJIT, so this is for the run on LuaJIT.
if not rawget(_G, "jit") then
  return
end

local host = require "spec.support.host"
local lab = require "spec.support.lab"
local prober = require "spec.support.prober"

describe("the demonstration", function()
  local function run(environment)
    local said, status = host.run(("cd %s && env -u CLOUDFLARE_API_TOKEN %s timeout 120 %s spec/support/demo.lua 2>&1")
      :format(host.quote(host.root()), environment, host.quote(host.interpreter())))
    assert.equal(0, status, said)
    return said
  end

  local function needs(available, why)
    if not available then
      pending(why)
    end
    return available
  end

  it("traces the target that it is given", function()
    if not needs(prober.available()) then
      return
    end
    local said = run "TARGET=127.0.0.1"
    assert.matches("^Asking a colo of one's own, nginx at https://localhost:%d+/client/v4, "
      .. "for traceroutes to 127%.0%.0%.1%.\n", said)
    assert.matches("\n127%.0%.0%.1 from demo01 %(this machine%)\nreached at hop 1, [^\n]* 0%.0%% loss\n", said)
  end)

  it("shows the lab's paths, where there may be a lab", function()
    if not (needs(lab.available()) and needs(prober.available())) then
      return
    end
    local said = run "-u TARGET"
    assert.matches("^Asking a colo of one's own, nginx at https://[%d.]+:443/client/v4 "
      .. "in a lab of network namespaces, ", said)
    local net = lab.start()
    local paths = { net:path("plain", 4), net:path("diamond", 4) }
    net:stop()
    local shown = 0
    for target, rows in said:gmatch("([%d.]+) from demo01 %(this machine%)\nreached at hop 6, (.-\n6 [^\n]*)") do
      shown = shown + 1
      assert.equal(paths[shown][6][1], target)
      local found = 0
      for ttl, ip in rows:gmatch("\n(%d+) +([%d.]+) ") do
        local nodes = paths[shown][tonumber(ttl)]
        found = found + 1
        assert.is_true(ip == nodes[1] or ip == nodes[2], ttl .. ": " .. ip)
      end
      assert.equal(6, found, rows)
    end
    assert.equal(2, shown, said)
  end)
end)
