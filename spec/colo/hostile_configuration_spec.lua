-- Every place of a colo's configuration with every kind of value: refused by its path, or taken because it fits, as is
-- said here of each place; nothing else is ever raised. colo.new raises, as documented, what is refused, and names the
-- field.

local hostile = require "spec.support.hostile"

-- What of nginx it takes to read a configuration and to make a colo of it.
local NGINX = { shared = { calls = {} }, hmac_sha1 = function(_, text) return text end }

-- ---- what fits ----

local function nothing()
  return false
end

local function is_empty(value)
  return type(value) == "table" and next(value) == nil
end

local function is_boolean(value)
  return type(value) == "boolean"
end

local function is_function(value)
  return type(value) == "function"
end

local function is_of_size(value, most)
  return type(value) == "string" and #value >= 1 and #value <= most
end

-- Without what the pattern finds.
local function text(most, pattern)
  return function(value)
    return is_of_size(value, most) and not value:find(pattern or "%c")
  end
end

local function number(least, most, whole)
  return function(value)
    return type(value) == "number" and value >= least and value <= most and (not whole or value % 1 == 0)
  end
end

local function optional(fits)
  return function(value)
    return value == nil or fits(value)
  end
end

-- ---- where it is wrong ----

-- A member of the table, whichever is met first, or the table itself for a name that is no string.
local function is_within(path, place, value)
  local name = path:match("^([%a_]+)$", #place + 2)
  return path == place or path:sub(1, #place + 1) == place .. "." and name ~= nil and rawget(value, name) ~= nil
end

-- empty: what is said of an element without members.
local function is_of_list(empty)
  return function(path, place, value)
    local first = type(value) == "table" and rawget(value, 1)
    if not first then
      return path == place
    end
    place = place .. "[1]"
    return is_empty(first) and path == place .. empty or type(first) == "table" and is_within(path, place, first)
  end
end

local function is_of_element(empty)
  return function(path, place, value)
    if value == nil then
      return path == place:match("^[^%[]+") -- and there is a gap
    elseif type(value) ~= "table" then
      return path == place
    end
    return is_empty(value) and path == place .. empty or is_within(path, place, value)
  end
end

local function is_of_networks(path, place, value)
  local members = 0
  for _ in next, type(value) == "table" and value or {} do
    members = members + 1
  end
  return path == place .. (members == 1 and rawget(value, 1) ~= nil and "[1]" or "")
end

local function is_of_table(path, place, value)
  return path == place or type(value) == "table" and is_within(path, place, value)
end

-- A token is missing, or the other half of a pair.
local function is_of_token(path, place, value)
  return path == (value == nil and "credentials[1]" or place)
end

local function is_of_pair(most)
  return function(path, place, value)
    return path == ((value == nil or is_of_size(value, most)) and "credentials[2]" or place)
  end
end

-- place = { what fits, whether a path says where what does not is wrong; nil: the place itself }
local PLACES = {
  name = { text(64, "[^%w._-]") },
  city = { optional(text(128)) },
  credentials = { nothing, is_of_list "" },
  ["credentials[1]"] = { nothing, is_of_element "" },
  ["credentials[1].token"] = { text(4096, "[%s%c]"), is_of_token },
  ["credentials[1].account"] = { optional(text(32, "[^%w_-]")) },
  ["credentials[2].email"] = { text(320), is_of_pair(320) },
  ["credentials[2].key"] = { text(4096), is_of_pair(4096) },
  neighbours = { optional(is_empty), is_of_list ".name" },
  ["neighbours[1]"] = { optional(nothing), is_of_element ".name" },
  ["neighbours[1].name"] = { text(64, "[^%w._-]") },
  ["neighbours[1].city"] = { optional(text(128)) },
  ["neighbours[1].base_url"] = { nothing },
  ["neighbours[1].account"] = { text(32, "[^%w_-]") },
  ["neighbours[1].token"] = { text(4096) },
  ["neighbours[1].ca_file"] = { optional(text(4096)) },
  allow = { optional(is_empty), is_of_networks },
  ["allow[1]"] = { optional(nothing) },
  deny = { optional(is_empty), is_of_networks },
  ["deny[1]"] = { optional(nothing) },
  max_targets = { optional(number(1, 10, true)) },
  max_packets = { optional(number(0, 640, true)) },
  max_calls = { optional(number(1, 1000, true)) },
  max_seconds = { optional(number(0.1, 3600)) },
  rate = { optional(number(0.1, 100000)) },
  shared_dict = { optional(nothing) },
  probe = { optional(is_empty), is_of_table },
  ["probe.family"] = { optional(nothing) },
  ["probe.gap"] = { optional(number(0, 64, true)) },
  ["probe.resolve"] = { optional(is_boolean) },
  ["probe.asn"] = { optional(is_boolean) },
  ["probe.asn_zone"] = { optional(text(200)) },
  ["probe.asn6_zone"] = { optional(text(200)) },
  ["probe.dns_servers"] = { optional(nothing) },
  ["probe.dns_timeout"] = { optional(number(0.001, 60)) },
  log = { optional(is_function) },
}

local function good()
  return {
    name = "den01", city = "Denver", credentials = { { token = "t", account = "a" }, { email = "a@b", key = "k" } },
    neighbours = {
      { name = "sin02", city = "S", base_url = "https://x", account = "a", token = "t", ca_file = "f" },
    },
    allow = { "10.0.0.0/8" }, deny = { "10.0.0.0/9" }, max_targets = 1, max_packets = 1, max_calls = 1,
    max_seconds = 1, rate = 1, shared_dict = "calls", log = function() end,
    probe = {
      family = "ipv4", gap = 1, resolve = true, asn = true, asn_zone = "x", asn6_zone = "x", dns_servers = "192.0.2.1",
      dns_timeout = 1,
    },
  }
end

-- The good configuration but for one place, "credentials[1].token".
local function with(place, value)
  local config, steps = good(), {}
  for step in place:gmatch("[%w_]+") do
    steps[#steps + 1] = tonumber(step) or step
  end
  local at = config
  for i = 1, #steps - 1 do
    at = at[steps[i]]
  end
  at[steps[#steps]] = value
  return config
end

describe("a colo's configuration", function()
  local configuration, colo

  -- They know nginx from when they are loaded, which is LuaJIT where there is a whole colo.
  local function load_anew(nginx)
    for name in pairs(package.loaded) do
      if type(name) == "string" and name:find("^traceroute%.colo") then
        package.loaded[name] = nil
      end
    end
    rawset(_G, "ngx", nginx)
  end

  setup(function()
    load_anew(NGINX)
    configuration = require "traceroute.colo.configuration"
    colo = rawget(_G, "jit") and require "traceroute.colo"
  end)

  teardown(function()
    load_anew(nil)
  end)

  -- What is read of it, and an error that is one. colo.new says the same.
  local function read(label, config)
    local found, err = hostile.call(label, configuration.read, config)
    if found then
      assert.equal("table", type(found), label)
    else
      hostile.is_error(err, label)
    end
    if colo then
      local made, raised = pcall(colo.new, config)
      assert.equal(found ~= nil, made, label)
      if err then
        local expected = ("traceroute.colo: %s: %s"):format(err.path, err.message)
        assert.equal("string", type(raised), label)
        assert.equal(expected, raised:sub(-#expected), label)
        assert.is_nil(raised:find("%c"), label)
      end
    end
    return found, err
  end

  it("is good without what is hostile, and has the places that are tried", function()
    assert.is_table(read("good", good()))
    local function visit(tree, place)
      for name, value in pairs(tree) do
        local here = type(name) == "number" and ("%s[%d]"):format(place, name) or place .. (place ~= "" and "." or "")
          .. name
        assert.is_truthy(PLACES[here] or here == "credentials[2]", here)
        if type(value) == "table" then
          visit(value, here)
        end
      end
    end
    visit(good(), "")
  end)

  it("is refused where it is no table, or of other members", function()
    for _, case in ipairs(hostile.values) do
      local found, err = read(case.name, case.value)
      assert.is_nil(found, case.name)
      if is_empty(case.value) then
        assert.equal("credentials", err.path, case.name)
      else
        assert.is_true(is_of_table(err.path, "config", case.value), case.name .. err.path)
      end
    end
  end)

  for place, about in pairs(PLACES) do
    it("takes what fits and refuses what does not: " .. place, function()
      local fits, is_wrong_at = about[1], about[2]
      for _, case in ipairs(hostile.values) do
        local label = place .. " " .. case.name
        local found, err = read(label, with(place, case.value))
        if fits(case.value) then
          assert.is_nil(err, label)
        else
          assert.is_nil(found, label)
          if is_wrong_at then
            assert.is_true(is_wrong_at(err.path, place, case.value), label .. ": " .. err.path)
          else
            assert.equal(place, err.path, label)
          end
        end
      end
    end)
  end

  for _, place in ipairs { "", "credentials[1]", "credentials[2]", "neighbours[1]", "probe" } do
    it("has no hostile name in it: " .. place, function()
      for _, case in ipairs(hostile.values) do
        local name = case.value
        if name ~= nil and name == name then
          local config = good()
          local at = config
          for step in place:gmatch("[%w_]+") do
            at = at[tonumber(step) or step]
          end
          at[name] = 1
          local label = place .. " named " .. case.name
          local found, err = read(label, config)
          assert.is_nil(found, label)
          hostile.is_path_of(err.path, place == "" and "config" or place, name, label)
        end
      end
    end)
  end
end)
