-- Cases of a hostile server: refusals, with each form of Retry-After, and answers that are none of the service's. The
-- form of a case is in spec/support/hostile_server.lua.

local cases = {}

local function add(name, case)
  case[1] = name
  cases[#cases + 1] = case
end

local KINDS = {
  [401] = "authentication", [403] = "permission", [404] = "not_found", [409] = "invalid_request",
  [422] = "invalid_request", [429] = "rate_limit",
}
local HOUR = 3600

-- name = { header lines, seconds that come of it }, or with `date` that form of the time in an hour
local FORMS = {
  ["without a wait"] = { {} },
  ["with seconds"] = { { "Retry-After: 7" }, 7 },
  ["with a fraction of seconds"] = { { "retry-after: 1.5" }, 1.5 },
  ["with no seconds"] = { { "Retry-After: 0" }, 0 },
  ["with seconds in white space"] = { { "Retry-After: \t 7 \t" }, 7 },
  ["with more seconds than a century has"] = { { "Retry-After: 4000000000" } },
  ["with seconds beyond a double"] = { { "Retry-After: " .. ("9"):rep(400) } },
  ["with seconds below zero"] = { { "Retry-After: -7" } },
  ["with an exponent"] = { { "Retry-After: 1e3" } },
  ["with a hexadecimal number"] = { { "Retry-After: 0x10" } },
  ["with no number"] = { { "Retry-After: nan" } },
  ["with infinity"] = { { "Retry-After: inf" } },
  ["with words"] = { { "Retry-After: soon" } },
  ["with an empty wait"] = { { "Retry-After:" } },
  ["with seconds and words"] = { { "Retry-After: 7 seconds" } },
  ["with a date ahead"] = { date = "!%a, %d %b %Y %H:%M:%S GMT" },
  ["with a date of RFC 850"] = { date = "!%A, %d-%b-%y %H:%M:%S GMT" },
  ["with a date of asctime"] = { date = "!%a %b %d %H:%M:%S %Y" },
  ["with a date that is over"] = { { "Retry-After: Mon, 01 Jan 1990 00:00:00 GMT" }, 0 },
  ["with a date that is none"] = { { "Retry-After: Thu, 99 Foo 2030 99:99:99 GMT" } },
  ["with milliseconds"] = { { "retry-after-ms: 1500" }, 1.5 },
  ["with milliseconds before seconds"] = { { "retry-after-ms: 250", "Retry-After: 7" }, 0.25 },
  ["with seconds before milliseconds"] = { { "Retry-After: 7", "retry-after-ms: 250" }, 0.25 },
  ["with milliseconds that are none, and seconds"] = { { "retry-after-ms: some", "Retry-After: 7" }, 7 },
  ["with two waits, of which the last counts"] = { { "Retry-After: 7", "Retry-After: 9" }, 9 },
  ["with a wait of 10 kB"] = { { "Retry-After: " .. ("7"):rep(10000) } },
}

for status, kind in pairs(KINDS) do
  local body = ('{"success":false,"errors":[{"code":%d,"message":"no"}],"messages":[],"result":null}'):format(status)
  for name, form in pairs(FORMS) do
    add(("HTTP %d %s"):format(status, name), { kind = kind, status = status, code = status, retry_after = form[2],
      at_most = form.date and HOUR, wire = function()
        local lines = { ("HTTP/1.1 %d No"):format(status), "Content-Length: " .. #body }
        for _, line in ipairs(form.date and { "Retry-After: " .. os.date(form.date, os.time() + HOUR) } or form[1]) do
          lines[#lines + 1] = line
        end
        return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
      end })
  end
end

-- ---- success that is none ----

local OPEN = '{"success":false,"errors":[{"code":1001,"message":"not enabled"}],"messages":[],"result":'
local COLO = '{"colo":{"name":"den01"},"error":"","hops":[]}'
local NO = "^HTTP 200, code 1001: not enabled; support asks for the ray$"

add("success is false with 200", { text = OPEN .. "null}", kind = "api", status = 200, code = 1001, says = NO })
add("success is false with 200, and there is a result", { text = OPEN .. '[{"target":"1.1.1.1","colos":[' .. COLO
  .. "]}]}", kind = "api", status = 200, code = 1001, says = NO, colos = { "den01" } })
add("success is false without a word", { text = '{"success":false}', kind = "api", status = 200,
  says = "^HTTP 200; support asks for the ray$" })
add("success is true with 403", { text = '{"success":true,"errors":[],"messages":[],"result":[]}', status = 403,
  kind = "permission", says = "^HTTP 403; the token needs" })
add("success is true with 500, and there is a result", { text = '{"success":true,"result":[{"target":"1.1.1.1",'
  .. '"colos":[' .. COLO .. "]}]}", status = 500, kind = "server", colos = { "den01" } })

-- ---- pages ----

local PAGE = "^HTTP %d: %d | api%%.cloudflare%%.com Error %d Please try again in a few minutes%%.; "
local LATER = "try again later; support asks for the ray$"
for _, status in ipairs { 500, 502, 503, 520, 522, 524, 530 } do
  add("HTML with " .. status, { at = "html/" .. status, kind = "server", status = status,
    says = PAGE:format(status, status, status) .. LATER })
end
add("HTML with 403", { at = "html/403", kind = "permission", status = 403, says = PAGE:format(403, 403, 403) })
add("HTML with 429", { at = "html/429", kind = "rate_limit", status = 429, says = PAGE:format(429, 429, 429) })
add("HTML with 200", { at = "html/200", kind = "invalid_response", status = 200,
  says = '^the response is not JSON %(at byte 10; it begins "200 | api%.cloudflare%.com Error 200' })

-- ---- nothing ----

local EMPTY = "^the response is empty; check base_url and proxy$"
for _, listener in ipairs { "https", "http11" } do
  add("an empty body at " .. listener, { at = "empty/200", on = listener, kind = "invalid_response", status = 200,
    says = EMPTY })
  add("HTTP 204 at " .. listener, { at = "no_content", on = listener, kind = "invalid_response", status = 204,
    says = EMPTY })
  add("an empty body with 503 at " .. listener, { at = "empty/503", on = listener, kind = "server", status = 503,
    says = "^HTTP 503; " .. LATER })
end
add("HTTP 304", { at = "empty/304", kind = "invalid_response", status = 304 })
add("HTTP 205 with a body", { at = "status/205", kind = "api", status = 205 })

return cases
