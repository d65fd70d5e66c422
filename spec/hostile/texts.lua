-- Cases of a hostile server: JSON that is wrong, in each mode of the option `validate`. The bodies of garbage.lua and
-- some that are about single values. The form of a case is in spec/support/hostile_server.lua.

local garbage = require "spec.support.garbage"

local cases = {}

local OPEN = '{"success":true,"errors":[],"messages":[],"result":'
local COLO = '{"colo":{"name":"den01","city":"Denver"},"error":"","hops":[]}'
local WHOLE = OPEN .. '[{"target":"1.1.1.1","colos":[' .. COLO .. "]}]}"
local AT = "result[1].colos[1]"
local DEN = { "den01" }

-- What comes of a text in each mode: of kind invalid_response and status 200 unless it is taken.
local function always(expected)
  return { strict = expected, lenient = expected, none = expected }
end
local function wrong(path)
  return { strict = { path = path, colos = DEN }, lenient = { taken = true, colos = DEN },
    none = { taken = true, colos = DEN } }
end
local REFUSED = always {}
local LATE = always { colos = DEN } -- what is wrong comes after the colo
local COLO_LOST = always { path = AT }
local TAKEN = always { taken = true, colos = DEN }
local NO_SUCCESS, NO_RESULT = always { path = "success" }, always { path = "result" }

local function add(name, body, expected)
  for mode, more in pairs(expected) do
    local case = { ("%s, %s"):format(name, mode), text = body, opts = { validate = mode ~= "none" and mode } }
    if not more.taken then
      case.kind, case.status = "invalid_response", 200
    end
    for field, value in pairs(more) do
      case[field] = value
    end
    case.taken = nil
    cases[#cases + 1] = case
  end
end

-- ---- the bodies of garbage.lua, of which what is not named here is refused ----

local GARBAGE = {
  array = NO_SUCCESS, empty_object = NO_SUCCESS, no_success = NO_SUCCESS, success_text = NO_SUCCESS,
  result_null = NO_RESULT, result_object = NO_RESULT, result_absent = NO_RESULT,
  target_number = { strict = { path = "result[1].target" }, lenient = { taken = true, colos = {} },
    none = { path = "result", colos = {} } },
  colos_object = always { taken = true, colos = {} },
  colo_text = { strict = { path = AT }, lenient = { taken = true, colos = {} }, none = { taken = true, colos = {} } },
  unclosed = LATE, trailing = LATE, twice = LATE, braces_in_string = LATE,
  nan = COLO_LOST, leading_zero = COLO_LOST, bad_escape = COLO_LOST, lone_surrogate = COLO_LOST, zero_byte = COLO_LOST,
  infinity = wrong(AT .. ".traceroute_time_ms"), key_twice = wrong(AT .. ".error"),
  control = TAKEN, bad_utf8 = TAKEN, result_twice = TAKEN, -- lua-cjson takes these
}
for _, entry in ipairs(garbage) do
  add(entry.name .. ": " .. entry.why, entry.body, GARBAGE[entry.name] or REFUSED)
end

-- ---- single numbers: as an integer, as any number, and among what is unknown ----

local function in_place(text, by)
  local from, to = WHOLE:find(text, 1, true)
  return WHOLE:sub(1, from - 1) .. by .. WHOLE:sub(to + 1)
end
local function number(text)
  return in_place('"hops":[]', '"traceroute_time_ms":' .. text .. ',"hops":[]')
end
local function rtt(text)
  return in_place('"hops":[]', '"target_summary":{"min_rtt_ms":' .. text .. '},"hops":[]')
end
local function unknown(text)
  return in_place('"hops":[]', '"x":[' .. text .. '],"hops":[]')
end

local TIME, RTT = wrong(AT .. ".traceroute_time_ms"), wrong(AT .. ".target_summary.min_rtt_ms")
for name, case in pairs {
  ["-Infinity"] = { "-Infinity" }, ["a hexadecimal number"] = { "0x10" }, ["a plus"] = { "+1" },
  ["a bare fraction"] = { ".5" }, ["an exponent without digits"] = { "1e" }, ["two signs"] = { "--1" },
  ["a word"] = { "undefined" }, ["half a word"] = { "tru" },
  ["1e999"] = { "1e999", TIME, RTT }, ["-1e999"] = { "-1e999", TIME, RTT },
  ["10,000 digits"] = { ("9"):rep(10000), TIME, RTT },
  ["10,000 digits of a fraction"] = { "0." .. ("1"):rep(10000), TIME, TAKEN },
  ["1e308"] = { "1e308", TIME, TAKEN }, ["2^63"] = { "9223372036854775808", TIME, TAKEN },
  ["2^64"] = { "18446744073709551616", TIME, TAKEN }, ["1e-999"] = { "1e-999", TAKEN, TAKEN },
} do
  add("the integer " .. name, number(case[1]), case[2] or COLO_LOST)
  add("the number " .. name, rtt(case[1]), case[3] or COLO_LOST)
  add("among what is unknown, " .. name, unknown(case[1]), case[2] and TAKEN or COLO_LOST)
end

-- ---- the rest ----

for name, case in pairs {
  ["a zero byte between tokens"] = { in_place(',"errors"', '\0,"errors"'), REFUSED },
  ["a zero byte at the end"] = { WHOLE .. "\0", LATE },
  ["a zero byte at the beginning"] = { "\0" .. WHOLE, REFUSED },
  ["a comment"] = { "/* hello */" .. WHOLE, REFUSED },
  ["a comma before a bracket"] = { in_place('"hops":[]', '"hops":[],'), REFUSED },
  ["a comma at the end of an array"] = { in_place(COLO, COLO .. ","), LATE },
  ["no colon"] = { in_place('"error":""', '"error"""'), REFUSED },
  ["names without quotes"] = { in_place('"success"', "success"), REFUSED },
  ["brackets that do not match"] = { in_place('"messages":[]', '"messages":[}'), REFUSED },
  ["a guard before the text"] = { ")]}',\n" .. WHOLE, REFUSED },
  ["a callback around the text"] = { "callback(" .. WHOLE .. ")", REFUSED },
  ["lines of JSON"] = { WHOLE .. "\n" .. WHOLE, LATE },
  ["a stray byte order mark"] = { in_place(',"errors"', ',\239\187\191"errors"'), REFUSED },
  ["UTF-32"] = { "\255\254\0\0" .. WHOLE:gsub(".", "%0\0\0\0"), REFUSED },
  ["an overlong encoding"] = { in_place("Denver", "\192\175"), TAKEN },
  ["a surrogate in UTF-8"] = { in_place("Denver", "\237\160\128"), TAKEN },
  ["a low surrogate alone"] = { in_place("Denver", "\\udc00"), COLO_LOST },
  ["two high surrogates"] = { in_place("Denver", "\\ud800\\ud800"), COLO_LOST },
  ["half an escape"] = { in_place("Denver", "\\u00"), COLO_LOST },
  ["an escaped zero byte"] = { in_place("Denver", "a\\u0000b"), TAKEN },
  ["an escaped zero byte in a name"] = { in_place('"city"', '"ci\\u0000ty"'), TAKEN },
  ["an escaped zero byte in the target"] = { in_place("1.1.1.1", "1.1.1.1\\u0000.evil.example"),
    always { path = "result", colos = DEN } },
  ["an empty name"] = { in_place('"city"', '""'), TAKEN },
  ["success twice, false at last"] = { in_place('"errors"', '"success":false,"errors"'),
    always { kind = "api", colos = DEN } },
  ["success twice, no boolean at last"] = { in_place('"errors"', '"success":1,"errors"'),
    always { path = "success", colos = DEN } },
  ["a target twice"] = { in_place('"colos"', '"target":"2.2.2.2","colos"'), always { path = "result", colos = DEN } },
  ["colos twice, an object at last"] = { in_place(COLO .. "]", COLO .. '],"colos":{"a":1}'),
    { strict = { path = "result[1].colos" }, lenient = { taken = true }, none = { taken = true, colos = {} } } },
  ["64 open brackets"] = { unknown(("["):rep(58) .. ("]"):rep(58)), TAKEN },
  ["65 open brackets"] = { unknown(("["):rep(59) .. ("]"):rep(59)), REFUSED },
  ["a name of 100 kB"] = { in_place('"city"', '"' .. ("n"):rep(100000) .. '"'), TAKEN },
  ["a thousand names that are one"] = { in_place('"city":"Denver"', ('"city":"D",'):rep(1000) .. '"city":"Denver"'),
    TAKEN },
  ["a name of Lua's"] = { in_place('"city"', '"__index"'), TAKEN },
  ["text of a terminal's"] = { in_place("Denver", "\\u001b[2J"), TAKEN },
} do
  add(name, case[1], case[2])
end

return cases
