-- Two self-hosted colos in two namespaces of the lab, each an nginx with the module, one asking the other: one
-- call returns both their paths to one target, as the lab knows them to be. nginx runs LuaJIT, so this is for the
-- run on LuaJIT; and it takes root.
if not rawget(_G, "jit") then
  return
end

local cjson = require "cjson"
local colo = require "spec.support.colo"
local host = require "spec.support.host"
local lab = require "spec.support.lab"

local ACCOUNT = "both"
local PORT = 443

-- Runs create() inside a node, which the colo's address is reachable from, and says what came of it as JSON.
local CLIENT = [[
local given = require("cjson").decode(arg[1])
local result, err = require("traceroute").create("both", given.targets, given.opts)
print(require("cjson").encode { result = result, kind = err and err.kind, message = err and err.message })
]]

describe("two colos in the lab", function()
  local available, why = lab.available()
  if not available then
    pending(why)
    return
  end

  local net, here, there

  local function config(name, more)
    return ([[{
      name = "%s", credentials = { { token = "token-of-%s" } }, max_seconds = 20,
      allow = { "192.0.2.0/24", "2001:db8::/32" }, probe = { resolve = false, asn = false }, %s
    }]]):format(name, name, more or "")
  end

  local function run(node, options)
    options.under = net:prefix(node)
    options.address, options.port = net:address(node, 4), PORT
    return colo.start(options)
  end

  setup(function()
    net = lab.start()
    there = run("away", { config = config "far01" })
    here = run("source", {
      config = config("near01", ([[neighbours = {
        { name = "far01", city = "Far, AW", base_url = "%s", account = "%s", token = "token-of-far01", ca_file = "%s" },
      }]]):format(there.base_url, ACCOUNT, there.ca_file)),
    })
  end)

  teardown(function()
    if here then
      here:stop()
    end
    if there then
      there:stop()
    end
    if net then
      net:stop()
    end
  end)

  local function create(targets, opts)
    opts.base_url, opts.ca_file, opts.token = here.base_url, here.ca_file, "token-of-near01"
    local file = here.directory .. "/client.lua"
    host.write(file, CLIENT)
    local said = net:exec("r1", ("%s %s %s"):format(host.quote(arg and arg[-1] or "luajit"), host.quote(file),
      host.quote(cjson.encode { targets = targets, opts = opts })))
    local ok, outcome = pcall(cjson.decode, said)
    assert(ok, said)
    assert.is_nil(outcome.message)
    return outcome.result
  end

  local function colos_of(entry)
    local found = {}
    for _, one in ipairs(entry.colos) do
      found[one.colo.name] = one
    end
    return found
  end

  local function assert_path(expected, found)
    assert.equal("", found.error)
    assert.equal(#expected, #found.hops)
    for i, hop in ipairs(found.hops) do
      assert.equal(i, hop.packets_ttl)
      assert.equal(3, hop.packets_sent)
      assert.equal(#expected[i] == 0 and 3 or 0, hop.packets_lost)
      -- Both nodes of the diamond are seen where the ports change.
      assert.is_true(#hop.nodes <= #expected[i] and #hop.nodes >= math.min(1, #expected[i]), "hop " .. i)
      for _, node in ipairs(hop.nodes) do
        assert.is_true(node.ip == expected[i][1] or node.ip == expected[i][2], "hop " .. i)
      end
    end
  end

  for _, family in ipairs { 4, 6 } do
    for _, kind in ipairs { "icmp", "udp", "tcp" } do
      it(("show both paths to each target, by %s over IPv%d"):format(kind, family), function()
        local names, targets = { "plain", "diamond", "muted" }, {}
        for i, name in ipairs(names) do
          targets[i] = net:address(name, family)
        end
        local result = create(targets, { packet_type = kind, max_ttl = 10 })
        assert.equal(3, #result)
        for i, name in ipairs(names) do
          assert.equal(targets[i], result[i].target)
          local found = colos_of(result[i])
          assert_path(net:path(name, family, "source"), found.near01)
          assert_path(net:path(name, family, "away"), found.far01)
        end
      end)
    end
  end

  it("keep to their own allowed networks", function()
    local result = create({ "198.18.0.1" }, { max_ttl = 3 })
    for _, found in pairs(colos_of(result[1])) do
      assert.equal("Could not gather traceroute data: Code 2", found.error)
    end
  end)

  -- The last, since it takes the neighbour away.
  it("say so when the neighbour is down, and show the other's path", function()
    there:stop()
    there = nil
    local target = net:address("plain", 4)
    local found = colos_of(create({ target }, { max_ttl = 10 })[1])
    assert_path(net:path("plain", 4, "source"), found.near01)
    assert.equal("Could not gather traceroute data: Code 1", found.far01.error)
    assert.equal("Far, AW", found.far01.colo.city)
    assert.same({}, found.far01.hops)
  end)
end)
