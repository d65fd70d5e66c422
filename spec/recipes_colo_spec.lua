-- The README's colo of one's own, in a real nginx: its configuration is taken from there word for word.
-- nginx runs LuaJIT, so this is for the run on LuaJIT.
if not rawget(_G, "jit") then
  return
end

local host = require "spec.support.host"
local readme = require "spec.support.readme"
local traceroute = require "traceroute"
local worker = require "spec.support.worker"

describe("the README's colo", function()
  local running, directory

  setup(function()
    directory = host.private_directory("readme-colo")
    host.run("chmod 755 " .. host.quote(directory))
    host.write(directory .. "/colo.lua", readme.block("lua", 'name = "ams01"'))
    local block = readme.block("nginx", "traceroute.colo")
    local http, count = block:match("\n(  lua_shared_dict.-)\n  server {"):gsub("/etc/nginx", directory)
    assert.equal(1, count)
    running = worker.start { http = http, locations = block:match("\n(    location .*)\n  }\n}") }
  end)

  teardown(function()
    if running then
      running:stop()
    end
    host.remove(directory)
  end)

  local function ask(token, account, targets)
    return traceroute.create(account, targets, {
      base_url = running:url("/client/v4"), token = token, colos = { "ams01" }, retries = 0,
    })
  end

  it("knows whom it may answer", function()
    assert.equal("permission", select(2, ask("TOKEN-OF-ALICE", "bob", "127.0.0.1")).kind)
    assert.equal("authentication", select(2, ask("TOKEN-OF-MALLORY", "alice", "127.0.0.1")).kind)
  end)

  it("probes no network that it was not told of", function()
    local result, err = ask("TOKEN-OF-ALICE", "alice", { "127.0.0.1", "203.0.112.9" })
    assert.is_nil(err)
    for i = 1, 2 do
      assert.equal("Could not gather traceroute data: Code 2", result[i].colos[1].error)
      assert.equal("ams01", result[i].colos[1].colo.name)
    end
  end)
end)
