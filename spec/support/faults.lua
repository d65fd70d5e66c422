-- The behaviours that go wrong below the answer, run inside nginx: late, in pieces, broken off, never.
-- What a whole answer says is in behaviours.lua.

local cjson = require "cjson"
local service = require "spec.support.service"
local traces = require "spec.support.traces"

local faults = {}

local FOREVER = 3600

-- The text of the ok answer, or nil when the request was refused and answered.
local function text(request)
  local asked = service.accept(request)
  return asked and service.envelope(traces.result(asked))
end

-- Waits until the client is gone, and says so in the status. nginx by itself does not see that a client of
-- TLS over HTTP/1.1 goes: the farewell looks like more of a request.
local function wait_for_the_end()
  if ngx.var.scheme == "https" and ngx.req.http_version() < 2 then
    local socket = assert(ngx.req.socket(true))
    socket:settimeout(FOREVER * 1000)
    socket:receive(1)
    ngx.exit(499)
  end
  ngx.sleep(FOREVER)
end

local function sleep(milliseconds)
  ngx.sleep(tonumber(milliseconds) / 1000)
end

-- What a spec wrote with server:raw(name, …).
local function written(name)
  local file = assert(io.open(ngx.config.prefix() .. "raw/" .. name, "rb"))
  local body = file:read("*a")
  file:close()
  return body
end

-- slow/<ms>: ok, after that long. slow_target/<target>/<ms>: only when the target is among those asked for.
function faults.slow(args, request)
  sleep(args[1])
  service.answer(request)
end

-- held/<key>: ok, once there is an answer of that name (Server:raw).
function faults.held(args, request)
  local path = ngx.config.prefix() .. "raw/" .. args[1]
  repeat
    ngx.sleep(0.02)
    local file = io.open(path)
  until file and file:close()
  service.answer(request)
end

function faults.slow_target(args, request)
  for _, target in ipairs(cjson.decode(request.body).targets) do
    if target == args[1] then
      sleep(args[2])
    end
  end
  service.answer(request)
end

-- hang: never answers.
function faults.hang()
  wait_for_the_end()
end

-- hang_after/<bytes>: ok, but stays silent after so many bytes of the body.
function faults.hang_after(args, request)
  local body = text(request)
  if body then
    ngx.header.content_length = #body
    ngx.print(body:sub(1, tonumber(args[1])))
    ngx.flush(true)
    wait_for_the_end()
  end
end

-- drip/<bytes>/<ms>: ok, in pieces of so many bytes with a pause after each.
function faults.drip(args, request)
  local body, size = text(request), tonumber(args[1])
  if body then
    for from = 1, #body, size do
      ngx.print(body:sub(from, from + size - 1))
      if not ngx.flush(true) then
        return ngx.exit(ngx.ERROR)
      end
      sleep(args[2])
    end
  end
end

-- cut/<bytes>: promises the whole by Content-Length, sends so many bytes, closes. cut_chunked/<bytes>: the
-- same without a length. Over HTTP/2 the stream is reset.
local function cut(args, request, chunked)
  local body = text(request)
  if body then
    ngx.header.content_length = not chunked and #body or nil
    ngx.print(body:sub(1, tonumber(args[1])))
    ngx.flush(true)
    ngx.exit(ngx.ERROR)
  end
end

function faults.cut(args, request)
  cut(args, request, false)
end

function faults.cut_chunked(args, request)
  cut(args, request, true)
end

-- cut_raw/<name>[/<name>…]: the body that a spec wrote with server:raw(name, …), broken off after its last byte;
-- of several the first one first, and the last one from then on.
function faults.cut_raw(args)
  local count = ngx.shared.counters:incr("cut_raw/" .. table.concat(args, "/"), 1, 0)
  ngx.header.content_type = "application/json"
  ngx.print(written(args[math.min(count, #args)]))
  ngx.flush(true)
  ngx.exit(ngx.ERROR)
end

-- close: ends the connection without an answer. reset: the same by a TCP reset.
function faults.close()
  ngx.exit(444)
end

faults.reset = faults.close

-- Writes these bytes instead of an HTTP answer and closes; HTTP/1.1 listeners only.
local function bytes(...)
  local socket = assert(ngx.req.socket(true))
  assert(socket:send(table.concat { ... }))
  return ngx.exit(444)
end

-- until_close: ok in HTTP/1.0's way, without a length.
function faults.until_close(_, request)
  local body = text(request)
  if body then
    bytes("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n", body)
  end
end

-- early_hints: ok, after an informational answer.
function faults.early_hints(_, request)
  local body = text(request)
  if body then
    bytes("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\ncf-ray: not-this\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ",
      #body, "\r\n\r\n", body)
  end
end

-- bytes/<name>: what a spec wrote with server:raw(name, …), instead of an HTTP answer. reset_bytes/<name> ends it
-- by a TCP reset, stall_bytes/<name> with silence; drip_bytes/<name>/<ms> pauses after each byte, and
-- endless_bytes/<name> says the same over and over.
function faults.bytes(args)
  bytes(written(args[1]))
end

faults.reset_bytes = faults.bytes

function faults.stall_bytes(args)
  local socket = assert(ngx.req.socket(true))
  assert(socket:send(written(args[1])))
  socket:settimeout(FOREVER * 1000)
  socket:receive(1)
  ngx.exit(444)
end

function faults.drip_bytes(args)
  local socket, all = assert(ngx.req.socket(true)), written(args[1])
  for i = 1, #all do
    if not socket:send(all:sub(i, i)) then
      break
    end
    sleep(args[2])
  end
  ngx.exit(444)
end

function faults.endless_bytes(args)
  local socket, all = assert(ngx.req.socket(true)), written(args[1])
  while socket:send(all) do -- luacheck: ignore 542
  end
  ngx.exit(444)
end

return faults
