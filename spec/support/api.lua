-- The stand-in's face to HTTP, run inside nginx: writes down what arrives, finds the behaviour that the
-- URL names and lets it answer. What the behaviours do is theirs.

local cjson = require "cjson"
local behaviours = require "spec.support.behaviours"
local encodings = require "spec.support.encodings"
local faults = require "spec.support.faults"

local api = {}

-- What answers under that name, or nil.
function api.behaviour(name)
  return behaviours[name] or encodings[name] or faults[name]
end

-- Kept open: what is in a fifo is lost when nobody holds it.
local fifo

function api.ready()
  fifo = assert(io.open(ngx.config.prefix() .. "ready", "r+"))
  fifo:write("ready\n")
  fifo:flush()
end

local log
local served = 0

-- One write a line, at the end of the file: several workers may write.
local function record(event)
  if not log then
    log = assert(io.open(ngx.config.prefix() .. "requests.log", "ab"))
    log:setvbuf("full", 1048576)
  end
  ngx.update_time()
  event.time = ngx.now()
  event.id = ngx.ctx.id
  log:write(cjson.encode(event), "\n")
  log:flush()
end

local function read_body()
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  local path = not body and ngx.req.get_body_file()
  if path then
    local file = assert(io.open(path, "rb"))
    body = file:read("*a")
    file:close()
  end
  return body or ""
end

-- "/retry/2/503/client/v4/accounts/x/…" -> { "retry", "2", "503" }, "/accounts/x/…"; nil when the URL is
-- not the API's.
local function split(uri)
  local prefix, path = uri:match("^(.-)/client/v4(/.*)$")
  if not prefix then
    return nil
  end
  local parts = {}
  for part in prefix:gmatch("[^/]+") do
    parts[#parts + 1] = part
  end
  return parts, path
end

function api.serve()
  local body = read_body()
  served = served + 1
  ngx.ctx.id = ngx.worker.pid() .. "." .. served
  record {
    event = "received",
    method = ngx.req.get_method(),
    uri = ngx.var.request_uri,
    headers = ngx.req.get_headers(0),
    body = body,
    protocol = ngx.var.server_protocol,
    connection = tonumber(ngx.var.connection),
    connection_requests = tonumber(ngx.var.connection_requests),
    listener = ngx.var.listener,
    server_name = ngx.var.ssl_server_name,
    tls = ngx.var.ssl_protocol,
    worker = ngx.worker.id(),
  }
  local parts, path = split(ngx.var.uri)
  local name = parts and (table.remove(parts, 1) or ngx.var.bare)
  local behaviour = name and api.behaviour(name)
  if not behaviour then
    ngx.status = 404
    ngx.header.content_type = "text/plain"
    ngx.say("the stand-in knows no behaviour for ", ngx.var.uri)
    return
  end
  ngx.header["cf-ray"] = "8f0000000000" .. ("%04x"):format(tonumber(ngx.var.connection) % 65536) .. "-DEN"
  behaviour(parts, { body = body, path = path })
end

function api.ended()
  if ngx.ctx.id then -- nginx answers some malformed requests before they get here
    record {
      event = "ended",
      status = ngx.status,
      sent = tonumber(ngx.var.body_bytes_sent),
      completed = ngx.var.request_completion == "OK",
    }
  end
end

return api
