-- Cases of a hostile server: connections that are refused, not to be trusted, reset at every stage, or silent. The
-- form of a case is in spec/support/hostile_server.lua.

local host = require "spec.support.host"
local server = require "spec.support.server"
local uv = require "luv"

local cases = {}

local function add(case)
  cases[#cases + 1] = case
end

local CERTIFICATE = "^the server's certificate is not trusted: "
-- Time for a handshake and a request before it runs out.
local SOON = 0.4 * host.patience()
local WITHIN = ("^no complete answer within %s s; raise timeout"):format((tostring(SOON):gsub("%.", "%%.")))
local NO_TLS = "^no TLS connection: .*; check the port of base_url, TLS 1%.2 is the least$"

-- ---- before there is a connection ----

add { "a port that refuses", kind = "connection", says = "connect", url = function()
  return "https://127.0.0.1:" .. server.free_port()
end }
add { "a name that cannot be looked up", kind = "connection", says = "; check the name and the resolver$",
  url = function()
    return ("https://%s.invalid"):format(("a"):rep(64)) -- too long a label to be asked for
  end }

for how, close in pairs { closed = "close", reset = "close_reset" } do
  add { how .. " before TLS", kind = "connection", serve = function(client)
    client[close](client)
  end }
  add { how .. " after the client's hello", kind = "connection", serve = function(client, text)
    if text ~= "" then
      client[close](client)
    end
  end }
  add { how .. " within the server's hello", kind = "connection", serve = function(client, text)
    if text ~= "" then
      client:write("\22\3\3\0\122\2\0\0\118\3\3", function()
        if not client:is_closing() then
          client[close](client)
        end
      end)
    end
  end }
end

-- An alert of TLS: handshake failure. And what is no TLS at all.
for name, answer in pairs {
  ["an alert instead of a hello"] = "\21\3\3\0\2\2\40", ["another protocol's hello"] = "220 mail.example ESMTP\r\n",
  ["a record of 16 MB"] = "\22\3\3\255\255\2\255\255\255", ["zero bytes instead of a hello"] = ("\0"):rep(1000),
} do
  add { name, kind = "connection", says = NO_TLS, serve = function(client, text)
    if text ~= "" then
      client:write(answer)
    end
  end }
end

local function silent()
  local port, handle = server.silent_port()
  return "https://127.0.0.1:" .. port, handle.close
end
add { "silence in the handshake, until connect_timeout", kind = "connection", url = silent,
  says = "^no connection within 0%.2 s", opts = { connect_timeout = 0.2 } }
add { "silence in the handshake, until timeout", kind = "timeout", url = silent,
  says = WITHIN, opts = { timeout = SOON } }

-- A server's hello, as far as it goes, in pieces of one byte.
local RECORD = "\22\3\3\0\122\2\0\0\118\3\3" .. ("r"):rep(1000)
local function drip(bytes, milliseconds)
  return function(client, text)
    if text == "" then
      return
    end
    local timer, at = uv.new_timer(), 0
    timer:start(0, milliseconds, function()
      at = at + 1
      if client:is_closing() or at > #bytes then
        timer:close()
      else
        client:write(bytes:sub(at, at))
      end
    end)
  end
end
add { "a handshake of one byte a second", kind = "connection", says = "^no connection within 0%.3 s",
  opts = { connect_timeout = 0.3 }, serve = drip(RECORD, 1000) }
add { "a handshake of one byte every 50 ms", kind = "connection", says = "^no connection within 0%.3 s",
  opts = { connect_timeout = 0.3 }, serve = drip(RECORD, 50) }

-- ---- whom not to trust ----

for listener, says in pairs {
  expired = CERTIFICATE .. ".*has expired.*ca_file", wrong_name = CERTIFICATE .. ".*name.*localhost",
  self_signed = CERTIFICATE .. ".*self.signed", old_tls = NO_TLS,
} do
  add { "a server that is " .. listener, at = "ok", on = listener, kind = "connection", says = says, requests = 0,
    opts = { retries = listener ~= "old_tls" and 3 or nil } }
end
add { "a server of an unknown CA", at = "ok", kind = "connection", says = CERTIFICATE .. ".*issuer.*ca_file",
  requests = 0, opts = function(stand_in)
    return { ca_file = stand_in.directory .. "/self_signed.pem" }
  end }
add { "plain HTTP on the TLS port", kind = "connection", says = NO_TLS, requests = 0, url = function(stand_in)
  return "https://localhost:" .. stand_in.ports.http
end }
add { "TLS on the plain HTTP port", kind = "invalid_request", status = 400, requests = 0,
  says = "HTTP request was sent to HTTPS port", url = function(stand_in)
    return "http://localhost:" .. stand_in.ports.http11
  end }

-- ---- redirects, which the token does not follow ----

for _, status in ipairs { 301, 302, 303, 307, 308 } do
  for to, scheme in pairs { [""] = "https", ["/http"] = "http" } do
    add { ("HTTP %d to another host, by %s"):format(status, scheme), at = "redirect/" .. status .. to,
      kind = "invalid_response", status = status, requests = 1, opts = { retries = 2 },
      says = ('^HTTP %d: redirected to "%s://127%%.0%%.0%%.1:%%d+/ok/client/v4/accounts/.*", '):format(status, scheme)
        .. "which is not followed with credentials; check base_url$" }
  end
end

-- ---- broken off after the request ----

-- A server that takes little at a time, so that much of the request is still to be sent.
add { "reset while the request is being sent", kind = "connection", plain = true, window = 1024,
  opts = { token = ("t"):rep(4096) }, serve = function(client, text)
    if text ~= "" then
      client:close_reset()
    end
  end }

local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n"
local COLO = '{"colo":{"name":"den01","city":"Denver"},"error":"","hops":[]}'
local HALF = '{"success":true,"result":[{"target":"1.1.1.1","colos":[' .. COLO .. ',{"colo":{"na'

for _, listener in ipairs { "https", "http11", "http" } do
  local function at(name, case)
    case[1], case.on = name .. " at " .. listener, listener
    add(case)
  end
  at("closed after the request", { at = "close", kind = "connection", requests = 1 })
  at("reset after the request", { at = "reset", kind = "connection", requests = 1 })
  at("cut after a hundred bytes of the body", { at = "cut/100", kind = "connection", status = 200 })
  at("cut after the first colo", { at = "cut/3000", kind = "connection", status = 200, colos = { "den01" } })
  at("cut in a body without a length", { at = "cut_chunked/3000", kind = "connection", status = 200,
    colos = { "den01" } })
  at("no answer", { at = "hang", kind = "timeout", opts = { timeout = SOON }, says = WITHIN, requests = 1 })
  at("an answer that stops coming", { at = "hang_after/3000", kind = "timeout", status = 200, colos = { "den01" },
    opts = { timeout = SOON } })
end
add { "cut after the first colo in each of two tries", at = "cut/3000", kind = "connection", status = 200,
  colos = { "den01" }, opts = { retries = 1 }, attempts = 2, requests = 2 }

for _, listener in ipairs { "http11", "http" } do
  local function at(name, case)
    case[1], case.on = name .. " at " .. listener, listener
    add(case)
  end
  for how, word in pairs { ["bytes/NAME"] = "closed", ["reset_bytes/NAME"] = "reset" } do
    at(word .. " within the status line", { wire = "HTTP/1.1 2", how = how, kind = "connection" })
    at(word .. " within a header", { wire = HEAD .. "X-Half: ha", how = how, kind = "connection", status = 200 })
    at(word .. " after the headers", { wire = HEAD .. "\r\n", how = how, kind = "connection", status = 200 })
    at(word .. " in the body", { wire = HEAD .. "\r\n" .. HALF, how = how, kind = "connection", status = 200,
      colos = { "den01" } })
  end
  at("silence after the headers", { wire = HEAD .. "\r\n", how = "stall_bytes/NAME", kind = "timeout", status = 200,
    opts = { timeout = SOON }, says = WITHIN })
  at("headers that stop coming", { wire = HEAD .. "X-Half: ha", how = "stall_bytes/NAME", kind = "timeout",
    status = 200, opts = { timeout = SOON }, says = WITHIN })
end
add { "one byte of headers a second", wire = HEAD, how = "drip_bytes/NAME/1000", kind = "timeout",
  opts = { timeout = 1 + SOON } }
add { "one byte of the body a second", at = "drip/1/1000", kind = "timeout", status = 200,
  opts = { timeout = 1 + SOON } }

return cases
