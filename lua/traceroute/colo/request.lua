-- request: what a client asks for, checked by the client's own schema, or the refusal that the service would give.
-- It knows HTTP's and the body's form; who asks and what is done then is not its business.

local cjson = require "cjson"
local core = require "traceroute.core"

local ngx = ngx -- luacheck: ignore (nginx's own global)

local request = {}

-- Ten targets, a thousand colos and the options are far shorter.
local MAX_BODY = 64 * 1024
local KNOWN = { targets = true, colos = true, options = true }
-- The defaults of the contract, for the bound on packets.
local MAX_TTL = 15
local PACKETS_PER_TTL = 3

local codec = cjson.new()
codec.decode_invalid_numbers(false)

---@class traceroute.colo.Refusal
---@field status integer
---@field code integer
---@field message string
---@field pointer? string JSON pointer to what is wrong
---@field retry_after? integer
---@field allow? string
---@field authenticate? boolean

local function bad(code, message, pointer)
  return nil, { status = 400, code = code, message = message, pointer = pointer }
end

--- The account in the path; nil and a refusal when the path is not the endpoint's.
function request.account()
  local account = ngx.var.uri:match("/accounts/([%w_-]+)/diagnostics/traceroute$")
  if not account or #account > 32 then
    return nil, { status = 404, code = 7003, message = "Could not route: no such endpoint" }
  end
  return account
end

--- A refusal, or nil.
function request.method()
  if ngx.req.get_method() ~= "POST" then
    return { status = 405, code = 10405, message = "Method not allowed", allow = "POST" }
  end
end

local function too_large()
  return nil, { status = 413, code = 10413, message = ("the body is longer than %d bytes"):format(MAX_BODY) }
end

local function read_text()
  local content_type = (ngx.var.content_type or ""):lower()
  if not content_type:find("^application/json%s*$") and not content_type:find("^application/json%s*;") then
    return nil, { status = 415, code = 1000, message = "the body is not application/json" }
  elseif (tonumber(ngx.var.content_length) or 0) > MAX_BODY then
    return too_large()
  end
  ngx.req.read_body()
  local text = ngx.req.get_body_data()
  if not text then
    -- Longer than client_body_buffer_size.
    local path = ngx.req.get_body_file()
    local file = path and io.open(path, "rb")
    text = file and file:read(MAX_BODY + 1) or ""
    if file then
      file:close()
    end
  end
  if #text > MAX_BODY then
    return too_large()
  end
  return text
end

-- "targets[3]" -> "/targets/2"
local function pointer(path)
  return "/" .. path:gsub("%[(%d+)%]", function(n)
    return "/" .. n - 1
  end):gsub("%.", "/")
end

local function decode(text)
  local ok, body = pcall(codec.decode, text)
  if not ok or type(body) ~= "table" or not text:find("^%s*{") then
    return bad(1001, "the body is not a JSON object")
  end
  for name, value in next, body do
    if not KNOWN[name] then
      return bad(1001, "the body has an unknown member; targets, colos and options are known")
    elseif value == cjson.null then
      body[name] = nil
    end
  end
  return body
end

local function read_targets(body, config)
  local targets = body.targets
  if type(targets) ~= "table" or #targets == 0 then
    return bad(1002, ("targets is not an array of 1 to %d strings"):format(config.max_targets), "/targets")
  elseif #targets > config.max_targets then
    return bad(1003, ("more than %d targets"):format(config.max_targets), "/targets")
  end
  local each_once, err = core.vet_targets(targets)
  if not each_once then
    return bad(1002, err.message, pointer(err.path))
  end
  return each_once
end

-- Names in the order asked for; all that there are when none is named.
local function read_colos(body, config)
  local known, all = { [config.name] = true }, { config.name }
  for i, neighbour in ipairs(config.neighbours) do
    known[neighbour.name] = true
    all[i + 1] = neighbour.name
  end
  if body.colos == nil then
    return all
  end
  local asked, seen, count = {}, {}, 0
  for key, name in next, type(body.colos) == "table" and body.colos or {} do
    count = count + 1
    if type(key) ~= "number" or type(name) ~= "string" or not known[name] then
      return bad(1005, "Colo is not a valid colo", "/colos")
    end
  end
  if count == 0 then
    return bad(1005, "Colo is not a valid colo", "/colos")
  end
  for _, name in ipairs(body.colos) do
    if not seen[name] then
      seen[name] = true
      asked[#asked + 1] = name
    end
  end
  return asked
end

local function read_options(body, config)
  local options = body.options
  if options == nil then
    options = {}
  elseif type(options) ~= "table" then
    return bad(1004, "options is not an object", "/options")
  end
  local ok, err = core.vet_options("measure", options)
  if not ok then
    if err.path == "opts" then
      return bad(1004, err.message, "/options")
    end
    return bad(1004, err.path .. ": " .. err.message, "/options" .. pointer(err.path))
  elseif options.packet_type == "gre" or options.packet_type == "gre+icmp" then
    return bad(1004, "packet_type: gre and gre+icmp are not sent from here; icmp, tcp or udp", "/options/packet_type")
  end
  local packets = (options.max_ttl or MAX_TTL) * (options.packets_per_ttl or PACKETS_PER_TTL)
  if packets > config.max_packets then
    return bad(1004, ("max_ttl x packets_per_ttl is %d, more than this colo's %d"):format(packets, config.max_packets),
      "/options")
  end
  return options
end

--- What the body asks for: `targets`, each once and as it was written, `colos` by name, `options`; nil and a refusal
--- otherwise.
function request.body(config)
  local text, refusal = read_text()
  if not text then
    return nil, refusal
  end
  local body
  body, refusal = decode(text)
  if not body then
    return nil, refusal
  end
  local asked = {}
  asked.targets, refusal = read_targets(body, config)
  if not asked.targets then
    return nil, refusal
  end
  asked.colos, refusal = read_colos(body, config)
  if not asked.colos then
    return nil, refusal
  end
  asked.options, refusal = read_options(body, config)
  if not asked.options then
    return nil, refusal
  end
  return asked
end

return request
