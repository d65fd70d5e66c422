-- Cases of a hostile server: HTTP/2 that is wrong, breaks off or does not end, frame by frame. The form of a case is in
-- spec/support/hostile_server.lua.

local host = require "spec.support.host"

local SOON = 1 * host.patience() -- after the handshake
local cases = {}

local function add(name, case)
  case[1] = name
  cases[#cases + 1] = case
end

local DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
local END_STREAM, END_HEADERS = 1, 4

local function frame(kind, flags, stream, payload, length)
  length = length or #payload
  return string.char(math.floor(length / 65536), math.floor(length / 256) % 256, length % 256, kind, flags, 0, 0, 0,
    stream) .. payload
end

local ASK = frame(PING, 0, 0, "12345678")
local HELLO = frame(SETTINGS, 0, 0, "")
local OK = HELLO .. frame(HEADERS, END_HEADERS, 1, "\136") -- :status 200
local COLO = '{"colo":{"name":"den01","city":"Denver"},"error":"","hops":[]}'
local HALF = '{"success":true,"result":[{"target":"1.1.1.1","colos":[' .. COLO .. ',{"colo":{"na'
local BODY = '{"success":true,"result":[{"target":"1.1.1.1","colos":[' .. COLO .. "]}]}"
local WHOLE = { "den01" }
local PROTOCOL_ERROR, CANCEL = "\0\0\0\1", "\0\0\0\8"

local function broken(case)
  case.kind = "connection"
  return case
end

add("an answer frame by frame", { frames = OK .. frame(DATA, END_STREAM, 1, BODY), colos = WHOLE })
add("an answer in frames of one byte", { colos = WHOLE, frames = OK .. BODY:gsub(".", function(byte)
  return frame(DATA, 0, 1, byte)
end) .. frame(DATA, END_STREAM, 1, "") })
add("GOAWAY at once", broken { frames = HELLO .. frame(GOAWAY, 0, 0, "\0\0\0\0" .. PROTOCOL_ERROR) })
add("the stream is reset", broken { frames = HELLO .. frame(RESET, 0, 1, CANCEL) })
-- Without a length libcurl may take it for the end.
add("the stream is reset in the body", broken { status = 200, colos = WHOLE,
  frames = HELLO .. frame(HEADERS, END_HEADERS, 1, "\136\15\13\0045000") .. frame(DATA, 0, 1, HALF) .. ASK,
  after = frame(RESET, 0, 1, CANCEL) })
add("GOAWAY in the body", broken { status = 200, colos = WHOLE, frames = OK .. frame(DATA, 0, 1, HALF) .. ASK,
  after = frame(GOAWAY, 0, 0, "\0\0\0\0" .. PROTOCOL_ERROR) })
add("closed in the body", broken { status = 200, colos = WHOLE, frames = OK .. frame(DATA, 0, 1, HALF) .. ASK,
  after = "" })
add("closed within a frame", broken { status = 200, colos = WHOLE, frames = OK .. frame(DATA, 0, 1, HALF) .. ASK,
  after = frame(DATA, 0, 1, "me", 10000) })
add("a body without headers", broken { frames = HELLO .. frame(DATA, END_STREAM, 1, BODY) })
-- libcurl says goodbye, and waits.
add("a body of no stream", { kind = "timeout", status = 200, opts = { timeout = SOON },
  frames = OK .. frame(DATA, 0, 0, BODY) })
add("a frame of 16 MB", { kind = "timeout", status = 200, opts = { timeout = SOON },
  frames = OK .. frame(DATA, 0, 1, HALF, 16777215) })
add("headers that cannot be unpacked", broken { frames = HELLO
  .. frame(HEADERS, END_HEADERS, 1, ("\255"):rep(32)) })
add("headers that go on without an end", broken { frames = HELLO .. frame(HEADERS, 0, 1, "\136"),
  endless = frame(CONTINUATION, 0, 1, "\0\1a\1b"):rep(100) })
add("pings without an end", { kind = "timeout", opts = { timeout = 0.5 }, frames = HELLO,
  endless = ASK:rep(100) })
add("a window of nothing, and no more", { kind = "timeout", opts = { timeout = 0.3 },
  frames = frame(SETTINGS, 0, 0, "\0\4\0\0\0\0") })

return cases
