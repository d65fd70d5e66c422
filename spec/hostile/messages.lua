-- Cases of a hostile server: HTTP that is wrong or too much, in status lines, headers, lengths and chunks. What is in
-- the body is not looked at here. The form of a case is in spec/support/hostile_server.lua.

local cases = {}

local function add(name, case)
  case[1] = name
  cases[#cases + 1] = case
end

local JSON = "Content-Type: application/json\r\n"
local COLO = '{"colo":{"name":"den01","city":"Denver"},"error":"","hops":[]}'
local BODY = '{"success":true,"errors":[],"messages":[],"result":[{"target":"1.1.1.1","colos":[' .. COLO .. "]}]}"
local WHOLE = { "den01" }
local MORE = "^the response has more than 262144 bytes of headers"
local UNREADABLE = "^the response cannot be read: .*; check base_url$"

local function ok(...) -- header lines
  return "HTTP/1.1 200 OK\r\n" .. JSON .. table.concat({ ... }, "\r\n") .. "\r\n\r\n"
end

-- { name, what is said on the wire, what comes of it }
for _, case in ipairs {
  -- the status line
  { "a line of another protocol", "SSH-2.0-elsewhere\r\n", { kind = "invalid_response", says = UNREADABLE } },
  { "HTTP/0.9: a body alone", BODY, { kind = "invalid_response", says = UNREADABLE } },
  { "HTTP/7.3", "HTTP/7.3 200 OK\r\n\r\n" .. BODY, { kind = "invalid_response", says = UNREADABLE } },
  { "a status that is a word", "HTTP/1.1 fine OK\r\n\r\n" .. BODY, { kind = "invalid_response", says = UNREADABLE } },
  { "a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n" .. BODY, { kind = "invalid_response", says = UNREADABLE } },
  { "status 0", "HTTP/1.1 000 Nothing\r\n\r\n" .. BODY, { kind = "invalid_response", says = UNREADABLE } },
  { "status 99", "HTTP/1.1 099 Low\r\n\r\n" .. BODY, { kind = "invalid_response", says = UNREADABLE } },
  { "status 999", "HTTP/1.1 999 High\r\n\r\n" .. BODY, { kind = "server", status = 999, colos = WHOLE } },
  { "a status line without words", "HTTP/1.1 200\r\nContent-Length: " .. #BODY .. "\r\n\r\n" .. BODY,
    { colos = WHOLE } },
  { "an answer of HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n" .. BODY, { colos = WHOLE } },
  { "a change of protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" .. BODY,
    { kind = "invalid_response", status = 101, colos = WHOLE } },
  { "a hundred hints before the answer", ("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"):rep(100)
    .. ok("Content-Length: " .. #BODY) .. BODY, { colos = WHOLE } },
  -- headers
  { "a header without a colon", ok("X-Nothing", "Content-Length: " .. #BODY) .. BODY,
    { kind = "invalid_response", status = 200, says = UNREADABLE } },
  { "a header with a zero byte", ok("X-Zero: a\0b", "Content-Length: " .. #BODY) .. BODY,
    { kind = "invalid_response", status = 200, says = UNREADABLE } },
  { "a folded header", ok("X-Folded: a\r\n b", "Content-Length: " .. #BODY) .. BODY, { colos = WHOLE } },
  { "line ends without returns", (ok("Content-Length: " .. #BODY):gsub("\r", "")) .. BODY, { colos = WHOLE } },
  { "no header at all", "HTTP/1.1 200 OK\r\n\r\n" .. BODY, { colos = WHOLE } },
  { "a header of 100 kB", ok("X-Long: " .. ("x"):rep(100000), "Content-Length: " .. #BODY) .. BODY, { colos = WHOLE } },
  { "a ray, a location and a limit of 90 kB", ok("cf-ray: " .. ("r"):rep(30000), "Location: " .. ("l"):rep(30000),
    "Ratelimit: " .. ("q"):rep(30000), "Content-Length: " .. #BODY) .. BODY, { colos = WHOLE } },
  { "a header of 200 kB", ok("X-Long: " .. ("x"):rep(200000), "Content-Length: " .. #BODY) .. BODY,
    { kind = "invalid_response", status = 200, says = "a header is too long" } },
  -- lengths
  { "a length that is a word", ok "Content-Length: many" .. BODY,
    { kind = "invalid_response", status = 200, says = UNREADABLE } },
  { "a length below zero", ok "Content-Length: -1" .. BODY,
    { kind = "invalid_response", status = 200, says = UNREADABLE } },
  { "a length beyond 64 bits", ok "Content-Length: 99999999999999999999999" .. BODY, { colos = WHOLE } },
  { "a length of 8 EB", ok "Content-Length: 9223372036854775807" .. BODY,
    { kind = "connection", status = 200, colos = WHOLE } },
  { "two lengths", ok("Content-Length: 5", "Content-Length: " .. #BODY) .. BODY, { colos = WHOLE } },
  { "a length of 0 before a body", ok "Content-Length: 0" .. BODY,
    { kind = "invalid_response", status = 200, says = "^the response is empty" } },
  { "a length too short, within the first colo", ok "Content-Length: 100" .. BODY,
    { kind = "invalid_response", status = 200, says = "ends early %(at byte 100;" } },
  { "a length too short, after the first colo", ok("Content-Length: " .. #BODY - 3) .. BODY,
    { kind = "invalid_response", status = 200, colos = WHOLE, says = "ends early" } },
  { "a length too long", ok("Content-Length: " .. #BODY + 1) .. BODY,
    { kind = "connection", status = 200, colos = WHOLE } },
  { "a length and chunks", ok("Content-Length: 5", "Transfer-Encoding: chunked")
    .. ("%x\r\n%s\r\n0\r\n\r\n"):format(#BODY, BODY), { colos = WHOLE } },
  -- chunks
  { "a chunk size that is no number", ok "Transfer-Encoding: chunked" .. "zz\r\n{}\r\n0\r\n\r\n",
    { kind = "connection", status = 200, says = "chunked%-encoding" } },
  { "a chunk size below zero", ok "Transfer-Encoding: chunked" .. "-1\r\n{}\r\n0\r\n\r\n",
    { kind = "connection", status = 200, says = "chunked%-encoding" } },
  { "a chunk size beyond 64 bits", ok "Transfer-Encoding: chunked" .. ("f"):rep(17) .. "\r\n" .. BODY,
    { kind = "connection", status = 200, says = "chunked%-encoding" } },
  { "a chunk longer than it says", ok "Transfer-Encoding: chunked" .. "5\r\n" .. BODY .. "\r\n0\r\n\r\n",
    { kind = "connection", status = 200, says = "chunked%-encoding" } },
  { "a chunk shorter than it says", ok "Transfer-Encoding: chunked"
    .. ("%x\r\n%s"):format(#BODY + 10, BODY) .. "\r\n0\r\n\r\n",
    { kind = "invalid_response", status = 200, colos = WHOLE, says = "goes on after the end" } },
  { "no last chunk", ok "Transfer-Encoding: chunked" .. ("%x\r\n%s\r\n"):format(#BODY, BODY),
    { kind = "connection", status = 200, colos = WHOLE } },
  { "chunks with endless extensions", ok "Transfer-Encoding: chunked"
    .. ("%x;%s\r\n%s\r\n0\r\n\r\n"):format(#BODY, ("a=b;"):rep(20000), BODY), { colos = WHOLE } },
  { "trailers after the chunks", ok "Transfer-Encoding: chunked"
    .. ("%x\r\n%s\r\n0\r\ncf-ray: late\r\n\r\n"):format(#BODY, BODY), { colos = WHOLE } },
  { "an unknown transfer encoding", ok "Transfer-Encoding: rot13" .. BODY,
    { kind = "invalid_response", status = 200, says = UNREADABLE } },
} do
  case[3].wire = case[2]
  add(case[1], case[3])
end

-- Headers without an end: of one answer, and of answers that announce another.
local function endless(head, piece)
  return function(client, text)
    if text == "" then
      return
    end
    local function more(err)
      if not err and not client:is_closing() then
        client:write(piece, more)
      end
    end
    client:write(head, more)
  end
end
add("headers without an end",
    { kind = "invalid_response", status = 200, says = MORE,
  plain = true, serve = endless("HTTP/1.1 200 OK\r\n", ("X-More: of it\r\n"):rep(500)) })
add("hints without an end",
    { kind = "invalid_response", status = 103, says = MORE,
  plain = true, serve = endless("", ("HTTP/1.1 103 Early Hints\r\n\r\n"):rep(500)) })

add("a header of 100 kB over HTTP/2", { at = "long_header/100000", kind = "connection" })
add("five hundred headers over HTTP/2", { at = "many_headers/500", colos = { "den01", "sin02" } })
add("five hundred headers", { at = "many_headers/500", on = "http11", colos = { "den01", "sin02" } })

return cases
