-- configuration: what an operator says a colo is, checked in full when nginx starts. It knows every field and its
-- bounds; what they are for is others' business.

local core = require "traceroute.core"
local invalid = require "traceroute.invalid"

local ngx = ngx -- luacheck: ignore (nginx's own global)

local configuration = {}

---@class traceroute.colo.Credential
---@field token? string or `email` and `key`
---@field email? string
---@field key? string
---@field account? string the only account that it is for; nil: all

---@class traceroute.colo.Neighbour
---@field name string what the neighbour calls itself
---@field city? string said where the neighbour cannot be asked
---@field base_url string https://colo.example/client/v4
---@field account string the account that is asked for there
---@field token string
---@field ca_file? string

---@class traceroute.colo.Configuration
---@field name string of this colo
---@field city? string
---@field credentials traceroute.colo.Credential[]
---@field neighbours? traceroute.colo.Neighbour[]
---@field allow? string[] networks that may be traced besides public ones
---@field deny? string[] networks that may not, whatever `allow` says
---@field max_targets? integer of one call; 10
---@field max_packets? integer of one target: max_ttl x packets_per_ttl; 192
---@field max_calls? integer at once; 10
---@field max_seconds? number that a call may take; 50
---@field rate? number packets a second of one call; 200
---@field shared_dict? string a lua_shared_dict that counts the calls of all workers; nil: each worker counts its own
---@field probe? table options of traceroute.probe: family gap resolve asn asn_zone asn6_zone dns_servers dns_timeout
---@field log? fun(entry: table) called once a request, instead of a line of level notice in nginx's log

-- name = { type, least, most, default }
local KNOWN = {
  name = { "string" },
  city = { "string", 1, 128 },
  credentials = { "table" },
  neighbours = { "table" },
  allow = { "table" },
  deny = { "table" },
  max_targets = { "integer", 1, 10, 10 },
  max_packets = { "integer", 0, 640, 192 },
  max_calls = { "integer", 1, 1000, 10 },
  -- With a neighbour's share less than a client waits at least.
  max_seconds = { "number", 0.1, 3600, 50 },
  rate = { "number", 0.1, 100000, 200 },
  shared_dict = { "string", 1, 128 },
  probe = { "table" },
  log = { "function" },
}

local CREDENTIAL = {
  token = { "string", 1, 4096 },
  email = { "string", 1, 320 },
  key = { "string", 1, 4096 },
  account = { "string", 1, 32 },
}

local NEIGHBOUR = {
  name = { "string" },
  city = { "string", 1, 128 },
  base_url = { "string", 1, 2048 },
  account = { "string", 1, 32 },
  token = { "string", 1, 4096 },
  ca_file = { "string", 1, 4096 },
}

local PROBE = {
  family = true, gap = true, resolve = true, asn = true, asn_zone = true, asn6_zone = true, dns_servers = true,
  dns_timeout = true,
}

local function check_value(value, rule, path)
  local kind, least, most = rule[1], rule[2], rule[3]
  local lua_type = kind == "integer" and "number" or kind
  if type(value) ~= lua_type then
    return invalid.value(path, ("%s expected, got %s"):format(kind, type(value)))
  elseif not least then
    return true
  end
  local measure = kind == "string" and #value or value
  local is_whole = kind == "number" or measure % 1 == 0
  if not (measure >= least and measure <= most and is_whole) then
    return invalid.value(path, ("%s of %.14g to %.14g%s expected"):format(
      kind, least, most, kind == "string" and " bytes" or ""))
  end
  return true
end

-- A copy with the defaults filled in; nil and an error when a field is unknown or wrong. The values may be
-- credentials and are never shown.
local function read_table(value, known, path)
  if type(value) ~= "table" then
    return invalid.value(path, "table expected, got " .. type(value))
  end
  local prefix, out = path == "config" and "" or path .. ".", {}
  for name, item in next, value do
    if not known[name] then
      return invalid.unknown(name, known, path)
    end
    local ok, err = check_value(item, known[name], prefix .. name)
    if not ok then
      return nil, err
    end
    out[name] = item
  end
  for name, rule in next, known do
    if out[name] == nil then
      out[name] = rule[4]
    end
  end
  return out
end

local function read_list(list, known, path, check)
  local out = {}
  for i = 1, math.huge do
    local item = rawget(list, i)
    if item == nil then
      break
    end
    local here = ("%s[%d]"):format(path, i)
    local read, err = read_table(item, known, here)
    if read then
      local ok
      ok, err = check(read, here)
      read = ok and read
    end
    if not read then
      return nil, err
    end
    out[i] = read
  end
  local members = 0
  for _ in next, list do
    members = members + 1
  end
  if members ~= #out then
    return invalid.value(path, "an array expected, got a table with other keys or gaps")
  end
  return out
end

local function is_account(text)
  return text == nil or text:find("^[%w_-]+$") ~= nil
end

local function is_name(text)
  return type(text) == "string" and #text <= 64 and text:find("^[%w._-]+$") ~= nil
end

local function check_credential(credential, path)
  local has_token, has_pair = credential.token ~= nil, credential.email ~= nil and credential.key ~= nil
  if not is_account(credential.account) then
    return invalid.value(path .. ".account", "letters, digits, - and _ expected")
  elseif has_token and not credential.email and not credential.key then
    if credential.token:find("[%s%c]") then
      return invalid.value(path .. ".token", "white space or a control character in it")
    end
    return true
  elseif has_pair and not has_token then
    if (credential.email .. credential.key):find("%c") then
      return invalid.value(path, "a control character in it")
    end
    return true
  end
  return invalid.value(path, "either token, or email and key expected")
end

local function nested(err, path)
  return invalid.value(err.path and path .. "." .. err.path or path, err.message)
end

local function check_neighbour(neighbour, path)
  for _, name in ipairs { "name", "base_url", "account", "token" } do
    if neighbour[name] == nil then
      return invalid.value(path .. "." .. name, "missing")
    end
  end
  if not is_name(neighbour.name) then
    return invalid.value(path .. ".name", "1 to 64 letters, digits, - _ . expected")
  elseif not is_account(neighbour.account) then
    return invalid.value(path .. ".account", "letters, digits, - and _ expected")
  elseif not neighbour.base_url:find("^https://") then
    return invalid.value(path .. ".base_url", "https:// expected")
  end
  local ok, err = core.vet_options("options", {
    base_url = neighbour.base_url, token = neighbour.token, ca_file = neighbour.ca_file,
  })
  if ok then
    ok, err = core.vet_options("probe_options", { city = neighbour.city })
  end
  if not ok then
    return nested(err, path)
  end
  return true
end

local function check_names(config)
  if not is_name(config.name) then
    return invalid.value("name", config.name == nil and "missing; the colo's own, such as ams01"
      or "1 to 64 letters, digits, - _ . expected")
  end
  local seen = { [config.name] = true }
  for i, neighbour in ipairs(config.neighbours) do
    if seen[neighbour.name] then
      return invalid.value(("neighbours[%d].name"):format(i), "another colo has that name")
    end
    seen[neighbour.name] = true
  end
  return true
end

local function check_probe(config)
  local options = {}
  for name, value in next, config.probe or {} do
    if not PROBE[name] then
      return invalid.unknown(name, PROBE, "probe")
    end
    options[name] = value
  end
  local ok, err = core.vet_options("probe_options", options)
  if not ok then
    return nested(err, "probe")
  end
  -- These are named as the configuration names them.
  ok, err = core.vet_options("probe_options", { allow = config.allow, deny = config.deny, city = config.city })
  if not ok then
    return nil, err
  end
  config.probe = options
  return true
end

local function check_lists(config)
  local err
  if config.credentials == nil or next(config.credentials) == nil then
    return invalid.value("credentials", "missing; at least one { token = … } is needed")
  end
  config.credentials, err = read_list(config.credentials, CREDENTIAL, "credentials", check_credential)
  if not config.credentials then
    return nil, err
  end
  config.neighbours, err = read_list(config.neighbours or {}, NEIGHBOUR, "neighbours", check_neighbour)
  return config.neighbours and true, err
end

--- A checked copy; nil and an error that names the field.
---@param given traceroute.colo.Configuration
---@return table?
---@return traceroute.Error? err
function configuration.read(given)
  local config, err = read_table(given, KNOWN, "config")
  if not config then
    return nil, err
  end
  for _, check in ipairs { check_lists, check_names, check_probe } do
    local ok, why = check(config)
    if not ok then
      return nil, why
    end
  end
  if config.shared_dict and not ngx.shared[config.shared_dict] then
    return invalid.value("shared_dict", "nginx has no lua_shared_dict of that name")
  end
  -- An empty list is what restricts probes to public networks.
  config.allow = config.allow or {}
  return config
end

return configuration
