-- What the real service does with a request, run inside nginx: asks for credentials, checks the body,
-- answers in its envelope. Knows the contract and none of the ways to break it.

local cjson = require "cjson"
local json = require "spec.support.json"
local traces = require "spec.support.traces"

local service = {}

local OPTIONS = {
  max_ttl = { 0, 64 },
  packets_per_ttl = { 0, 10 },
  port = { 0, 65535 },
  wait_time = { 1, 5 },
}
local PACKET_TYPES = { icmp = true, tcp = true, udp = true, gre = true, ["gre+icmp"] = true }
local MAX_TARGETS = 10
local MAX_ACCOUNT = 32

do
  local here = debug.getinfo(1, "S").source:match("^@(.*/)")
  local file = assert(io.open(here .. "published.json", "rb"))
  service.PUBLISHED = file:read("*a")
  file:close()
end

function service.envelope(result, messages)
  return json.encode {
    success = true,
    errors = json.array {},
    messages = json.array(messages or {}),
    result = result,
  }
end

function service.failure(code, message)
  return json.encode {
    success = false,
    errors = json.array { { code = code, message = message } },
    messages = json.array {},
    result = json.null,
  }
end

function service.send(status, body, content_type)
  ngx.status = status
  ngx.header.content_type = content_type or "application/json"
  ngx.header.content_length = #body
  ngx.print(body)
end

-- The status, code and message of a refusal, or nil.
local function refuse_credentials()
  local headers = ngx.req.get_headers(0)
  local token = (headers.authorization or ""):match("^Bearer (%S+)$")
  if token == "forbidden" then
    return 403, 10000, "Authentication error: the token lacks the permission"
  elseif token == "expired" then
    return 401, 10000, "Authentication error"
  elseif not token and not (headers["x-auth-email"] and headers["x-auth-key"]) then
    return 401, 10001, "Unable to authenticate request"
  end
end

local function is_list(value, text, name)
  return type(value) == "table" and not text:find('"' .. name .. '"%s*:%s*{')
end

-- As a typed decoder would: 15.0 and "15" are no integers.
local function refuse_options(options, text)
  if options == nil then
    return
  end
  if type(options) ~= "table" then
    return "options is not an object"
  end
  for name, value in pairs(options) do
    local range = OPTIONS[name]
    if range then
      local written = text:match('"' .. name .. '"%s*:%s*([^,}%s]+)')
      if not written:find("^%-?%d+$") then
        return name .. " is not an integer"
      elseif value < range[1] or value > range[2] then
        return ("%s is not within %d and %d"):format(name, range[1], range[2])
      end
    elseif name == "packet_type" then
      if not PACKET_TYPES[value] then
        return "packet_type is not known"
      end
    else
      return "options has no " .. name
    end
  end
end

local function refuse_strings(list, name)
  for _, value in ipairs(list) do
    if type(value) ~= "string" or value == "" then
      return name .. " is not an array of strings"
    end
  end
end

local function refuse_body(asked, text)
  if type(asked) ~= "table" then
    return 1001, "the body is not a JSON object"
  elseif not is_list(asked.targets, text, "targets") or #asked.targets == 0 then
    return 1002, "targets is not an array of 1 to 10 strings"
  elseif #asked.targets > MAX_TARGETS then
    return 1003, "more than 10 targets"
  end
  local why = refuse_strings(asked.targets, "targets")
  if why then
    return 1002, why
  end
  if asked.colos ~= nil then
    if not is_list(asked.colos, text, "colos") or #asked.colos == 0 or refuse_strings(asked.colos, "colos") then
      return 1005, "Colo is not a valid colo"
    end
  end
  why = refuse_options(asked.options, text)
  if why then
    return 1004, why
  end
end

-- Checks path, credentials and body. Returns the decoded body; or nil when it has answered with an error.
function service.accept(request)
  local account = request.path:match("^/accounts/([^/]+)/diagnostics/traceroute$")
  if not account or #account > MAX_ACCOUNT then
    return service.send(404, service.failure(7003, "Could not route to " .. request.path))
  elseif ngx.req.get_method() ~= "POST" then
    return service.send(405, service.failure(10405, "Method not allowed for this authentication scheme"))
  end
  local status, code, message = refuse_credentials()
  if status then
    return service.send(status, service.failure(code, message))
  end
  local content_type = ngx.var.content_type or ""
  if not content_type:find("^application/json") then
    return service.send(415, service.failure(1000, "the body is not application/json"))
  end
  local decoded, asked = pcall(cjson.decode, request.body)
  code, message = refuse_body(decoded and asked, request.body)
  if code then
    return service.send(400, service.failure(code, message))
  end
  return asked
end

function service.rate_headers(remaining, seconds)
  ngx.header["Ratelimit"] = ('"default";r=%d;t=%d'):format(remaining or 50, seconds or 30)
  ngx.header["Ratelimit-Policy"] = '"burst";q=100;w=60'
end

-- Answers as the service does. `change` may alter the result, or return another.
function service.answer(request, change)
  local asked = service.accept(request)
  if not asked then
    return
  end
  local result = traces.result(asked)
  if change then
    result = change(result) or result
  end
  service.rate_headers()
  service.send(200, service.envelope(result))
end

return service
