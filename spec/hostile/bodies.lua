-- Cases of a hostile server: bodies that are too large, wrongly compressed or wrongly named. The form of a case is in
-- spec/support/hostile_server.lua.

local host = require "spec.support.host"

local cases = {}

local function add(name, case)
  case[1] = name
  cases[#cases + 1] = case
end

local BOTH = { "den01", "sin02" }
local UNREADABLE = "^the response cannot be read: .*ncoding"
local OPEN = '{"success":true,"errors":[],"messages":[],"result":'
local COLO = '{"colo":{"name":"den01","city":"Denver"},"error":"","hops":[]}'
local FIRST = OPEN .. '[{"target":"1.1.1.1","colos":[' .. COLO
local LARGE_PAGE = "^HTTP 502; try again later"
local TOO_LARGE = "^the response is too large in one of its parts"

-- ---- content types ----

for _, kind in ipairs {
  "text/plain", "text/html", "application/octet-stream", "image/png", "application/json;charset=x",
  ("a"):rep(1000) .. "/b", "/", "",
} do
  add(('an answer that is named "%.40s"'):format(kind), { text = FIRST .. "]}]}", type = kind, colos = { "den01" } })
end

-- ---- compression ----

local function compressed(name, bytes, case)
  case.wire = ("HTTP/1.1 %d OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"):format(case.status or 200, name,
    #bytes) .. bytes
  return case
end

local directory = host.private_directory("traceroute-hostile")
host.write(directory .. "/body", FIRST .. "]}]}")
local gzip = host.run("gzip -9nc " .. host.quote(directory .. "/body"))
host.write(directory .. "/half", FIRST .. ',{"colo":{"na')
local half = host.run("gzip -9nc " .. host.quote(directory .. "/half"))
host.write(directory .. "/gzip", gzip)
local twice = host.run("gzip -9nc " .. host.quote(directory .. "/gzip"))
host.remove(directory)

local function broken(more)
  local case = { kind = "invalid_response", status = 200, says = UNREADABLE, opts = { retries = 2 } }
  for name, value in pairs(more or {}) do
    case[name] = value
  end
  return case
end

for _, listener in ipairs { "https", "http11" } do
  add("gzip that is none at " .. listener, broken { at = "bad_gzip", on = listener })
  add("plain text that is named gzip at " .. listener, broken { at = "plain_gzip", on = listener })
end
add("gzip as it should be", compressed("gzip", gzip, { colos = { "den01" } }))
add("gzip twice", compressed("gzip, gzip", twice, { colos = { "den01" } }))
add("gzip twice that is named once", compressed("gzip", twice, broken { says = "^the response is not JSON" }))
add("gzip, six times", compressed(("gzip, "):rep(5) .. "gzip", gzip, broken()))
add("gzip that ends early", compressed("gzip", gzip:sub(1, -20), broken { says = "ends early" }))
add("gzip of a text that ends early", compressed("gzip", half, broken { says = "ends early", colos = { "den01" } }))
add("gzip with a wrong sum", compressed("gzip", gzip:sub(1, -9) .. "\0\0\0\0" .. gzip:sub(-4),
  broken { colos = { "den01" } }))
add("gzip with a wrong byte", compressed("gzip", gzip:sub(1, 20) .. "\255\255\255" .. gzip:sub(24), broken()))
add("gzip with something after it", compressed("gzip", gzip .. "more", { colos = { "den01" } }))
add("gzip of nothing", compressed("gzip", "", broken { says = "^the response is empty" }))
add("brotli that is none", compressed("br", ("\255"):rep(64), broken()))
add("deflate that is none", compressed("deflate", ("\255"):rep(64), broken()))
add("an unknown compression", compressed("rot13", FIRST .. "]}]}", broken()))

-- ---- far more at once than is taken in ----

-- 100 MB of colos, which libcurl unpacks on from what it has read already, though no more is asked of it.
local FLOOD = ("{ printf %%s %s; yes %s | tr -d '\\n' | head -c %d; printf %%s %s; } | "):format(
  host.quote(FIRST .. ","), host.quote(COLO .. ","), math.floor(1e8 / (#COLO + 1)) * (#COLO + 1),
  host.quote(COLO .. "]}]}"))
local AT_ONCE = "^the response holds more in one go than is taken in"

local function flood(name, packed_by, listener, case)
  case.is_long = true
  case.on, case.colos, case.opts = listener, 7540, { retries = 2, timeout = 60 } -- it takes valgrind ten
  case.wire = function()
    return compressed(name, host.run(FLOOD .. packed_by), { status = case.status }).wire
  end
  add(("100 MB of colos in %s with %d at %s"):format(name, case.status, listener), case)
end
flood("gzip, gzip", "gzip -1nc | gzip -1nc", "http11", { kind = "invalid_response", status = 200, says = AT_ONCE })
flood("br", "brotli -3c", "http", { kind = "invalid_response", status = 200, says = AT_ONCE })
flood("zstd", "zstd -1qc", "http11", { kind = "invalid_response", status = 200, says = AT_ONCE })
flood("zstd", "zstd -1qc", "http", { kind = "permission", status = 403, says = "^HTTP 403; the token needs" })

-- ---- sizes ----

for _, listener in ipairs { "https", "http11" } do
  local at = " at " .. listener
  add("200 MB of spaces" .. at, { at = "space/200", on = listener, kind = "invalid_response", status = 200,
    is_long = true, says = TOO_LARGE })
  add("a gzip bomb of 200 MB" .. at, { at = "gzip_bomb/200", on = listener, kind = "invalid_response", status = 200,
    is_long = true, says = TOO_LARGE })
  add("200 MB of spaces with 502" .. at, { at = "space/200/502", on = listener, kind = "server", status = 502,
    is_long = true, says = LARGE_PAGE })
  add("a gzip bomb of 200 MB with 502" .. at, { at = "gzip_bomb/200/502", on = listener, kind = "server", status = 502,
    is_long = true, says = LARGE_PAGE })
end
add("more than max_response_bytes", { at = "ok", opts = { max_response_bytes = 3000 }, kind = "invalid_response",
  status = 200, says = "^the response is larger than max_response_bytes %(3000%)" })
add("a bomb beyond max_response_bytes", { at = "gzip_bomb/8", opts = { max_response_bytes = 1048576, retries = 2 },
  kind = "invalid_response", status = 200, says = "^the response is larger than max_response_bytes %(1048576%)" })
add("a string of 3 MB in the envelope", { text = '{"x":"' .. ("a"):rep(3000000) .. '",' .. FIRST:sub(2)
  .. "]}]}", kind = "invalid_response", status = 200, says = TOO_LARGE })
add("a name of 3 MB in the envelope", { text = '{"' .. ("a"):rep(3000000) .. '":1,' .. FIRST:sub(2) .. "]}]}",
  kind = "invalid_response", status = 200, says = TOO_LARGE })
add("a colo of 2 MB", { text = FIRST .. ',{"error":"' .. ("a"):rep(2000000) .. '"}]}]}',
  kind = "invalid_response", status = 200, says = TOO_LARGE, colos = { "den01" } })
add("spaces between the colos, 3 MB of them", { text = FIRST .. (" "):rep(3000000) .. "]}]}",
  kind = "invalid_response", status = 200, says = TOO_LARGE, colos = { "den01" } })
add("a million colos", { text = FIRST .. (",{}"):rep(999999) .. "]}]}", kind = "invalid_response", status = 200,
  says = TOO_LARGE, colos = 32760 })
add("a million colos that are numbers", { text = OPEN .. '[{"target":"1.1.1.1","colos":[1' .. (",1"):rep(999999)
  .. "]}]}", kind = "invalid_response", status = 200, says = TOO_LARGE, is_long = true })
add("a colo of 300,000 nodes", { text = FIRST .. ',{"hops":[{"nodes":[' .. ("{},"):rep(299999) .. "{}]}]}]}]}",
  kind = "invalid_response", status = 200, says = TOO_LARGE, colos = { "den01" } })
add("two megabytes of empty arrays", { text = OPEN .. "[" .. ("[],"):rep(699999) .. "[]]}", kind = "invalid_response",
  status = 200, says = TOO_LARGE })
add("fifty thousand results for one target", { kind = "invalid_response", status = 200, says = TOO_LARGE,
  colos = { "den01" }, text = OPEN .. "[" .. ('{"target":"1.1.1.1","colos":[' .. COLO .. "]},"):rep(50000) .. "0]}" })
add("five thousand results, broken off twice", { kind = "connection", status = 200, attempts = 2,
  opts = { retries = 1 }, colos = 1,
  cut = OPEN .. "[" .. ('{"target":"1.1.1.1","colos":[' .. COLO .. "]},"):rep(5000) })

add("an answer in full", { at = "ok", colos = BOTH })
add("an answer in pieces of one byte", { at = "drip/1/0", on = "http11", colos = BOTH })

return cases
