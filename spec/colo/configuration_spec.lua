-- What an operator may configure: defaults, and which field is wrong. nginx runs LuaJIT, so this is for the run on
-- LuaJIT.
if not rawget(_G, "jit") then
  return
end

local client = require "spec.support.colo_client"
local colo = require "spec.support.colo"
local traceroute = require "traceroute"

describe("a colo's configuration", function()
  local configuration = require "traceroute.colo.configuration"
  local gather = require "traceroute.colo.gather"

  local function changed(name, value)
    local given = { name = "ams01", credentials = { { token = "secret-token" } } }
    if name then
      given[name] = value
    end
    return given
  end

  local NEIGHBOUR = {
    name = "den01", base_url = "https://den.example/client/v4", account = "a", token = "secret-token",
  }

  local function with(base, name, value)
    local copy = {}
    for key, item in pairs(base) do
      copy[key] = item
    end
    copy[name] = value
    return copy
  end

  it("has defaults", function()
    local given = changed()
    local read = assert(configuration.read(given))
    assert.equal(10, read.max_targets)
    assert.equal(192, read.max_packets)
    assert.equal(10, read.max_calls)
    assert.equal(50, read.max_seconds)
    assert.equal(200, read.rate)
    assert.same({}, read.allow)
    assert.same({}, read.neighbours)
    assert.same(changed(), given)
  end)

  -- Else the client's own timeout is all that it learns of a neighbour that hangs.
  it("ends a call before a client with its defaults does", function()
    local plan = traceroute.plan("account", "192.0.2.1", { max_ttl = 1, packets_per_ttl = 1 })
    assert.is_true(gather.longest(configuration.read(changed())) < plan.timeout - 4)
  end)

  it("says which field is wrong, and shows no credential", function()
    for _, case in ipairs {
      { "nmae", "x", "config.nmae", "did you mean name" },
      { "name", nil, "name", "missing" },
      { "name", "two words", "name" },
      { "name", 7, "name", "string expected, got number" },
      { "credentials", nil, "credentials", "missing" },
      { "credentials", {}, "credentials", "missing" },
      { "credentials", { token = "secret-token" }, "credentials" },
      { "credentials", { {} }, "credentials[1]" },
      { "credentials", { { token = "secret-token", key = "secret-token" } }, "credentials[1]" },
      { "credentials", { { email = "a@example.com" } }, "credentials[1]" },
      { "credentials", { { token = "secret-token\n" } }, "credentials[1].token" },
      { "credentials", { { token = "a" }, { token = 5 } }, "credentials[2].token" },
      { "credentials", { { token = "secret-token", account = "a/b" } }, "credentials[1].account" },
      { "credentials", { "secret-token" }, "credentials[1]", "table expected" },
      { "credentials", { { email = "a@example.com", key = "secret-token\r" } }, "credentials[1]", "control character" },
      { "neighbours", { with(NEIGHBOUR, "name", "two words") }, "neighbours[1].name", "letters" },
      { "neighbours", { with(NEIGHBOUR, "account", "a/b") }, "neighbours[1].account", "letters" },
      { "neighbours", { with(NEIGHBOUR, "ca_file", "/no\0where") }, "neighbours[1].ca_file" },
      { "neighbours", { with(NEIGHBOUR, "token", nil) }, "neighbours[1].token", "missing" },
      { "neighbours", { with(NEIGHBOUR, "base_url", "http://den.example") }, "neighbours[1].base_url", "https" },
      { "neighbours", { with(NEIGHBOUR, "name", "ams01") }, "neighbours[1].name", "another colo" },
      { "neighbours", { NEIGHBOUR, NEIGHBOUR }, "neighbours[2].name", "another colo" },
      { "neighbours", { with(NEIGHBOUR, "tokn", "x") }, "neighbours[1].tokn", "did you mean token" },
      { "allow", { "10.0.0.0/8", "private" }, "allow[2]", "network" },
      { "deny", { "10.0.0.0/33" }, "deny[1]", "network" },
      { "allow", "10.0.0.0/8", "allow", "table expected" },
      { "max_targets", 11, "max_targets" }, { "max_targets", 0, "max_targets" }, { "max_calls", 1.5, "max_calls" },
      { "max_packets", 641, "max_packets" }, { "max_seconds", 0, "max_seconds" }, { "rate", 0 / 0, "rate" },
      { "probe", { max_ttl = 3 }, "probe.max_ttl", "unknown" },
      { "probe", { dns_timeout = 0 }, "probe.dns_timeout" },
      { "log", "file", "log", "function expected" },
    } do
      local read, err = configuration.read(changed(case[1], case[2]))
      assert.is_nil(read, case[3])
      assert.equal(case[3], err.path)
      assert.matches(case[4] or ".", err.message)
      assert.is_nil(tostring(err):find("secret-token", 1, true))
    end
  end)

  it("keeps nginx from starting when it is wrong", function()
    local started, why = colo.try { config = '{ name = "ams01", credentials = {} }' }
    assert.is_nil(started)
    assert.matches("traceroute%.colo: credentials: missing", why)
    started, why = colo.try { config = client.config 'shared_dict = "none"' }
    assert.is_nil(started)
    assert.matches("shared_dict: nginx has no lua_shared_dict of that name", why)
  end)
end)
