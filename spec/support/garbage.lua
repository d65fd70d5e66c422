-- Bodies that are no valid answer, numbered and named, each with what is wrong with it. `lenient` marks
-- those that some JSON decoders take. Pure data: specs walk it, and the behaviour `garbage` sends it.

local garbage = {}

local function add(name, body, why, lenient)
  local entry = { name = name, body = body, why = why, lenient = lenient or false }
  garbage[#garbage + 1] = entry
  garbage[name] = entry
end

local OPEN = '{"success":true,"errors":[],"messages":[],"result":'
local COLO = '{"colo":{"name":"den01","city":"Denver"},"error":"","hops":[],"target_summary":{},"traceroute_time_ms":1}'
local WHOLE = OPEN .. '[{"target":"1.1.1.1","colos":[' .. COLO .. ']}]}'

add("nothing", "", "no byte")
add("space", " \r\n\t ", "white space alone")
add("text", "upstream connect error", "no JSON")
add("number", "42", "a number for the envelope")
add("string", '"result"', "a string for the envelope")
add("null", "null", "null for the envelope")
add("array", "[]", "an array for the envelope")
add("empty_object", "{}", "an envelope without its members")
add("no_success", '{"errors":[],"messages":[],"result":[]}', "no success")
add("success_text", '{"success":"true","errors":[],"messages":[],"result":[]}', "success is a string")
add("result_null", OPEN .. "null}", "success with a null result")
add("result_object", OPEN .. "{}}", "the result is an object")
add("result_absent", '{"success":true,"errors":[],"messages":[]}', "success without a result")
add("target_number", OPEN .. '[{"target":1,"colos":[]}]}', "the target is a number")
add("colos_object", OPEN .. '[{"target":"1.1.1.1","colos":{}}]}', "colos is an object")
add("colo_text", OPEN .. '[{"target":"1.1.1.1","colos":["den01"]}]}', "a string for a colo's result")
add("unclosed", WHOLE:sub(1, -2), "the last brace is missing")
add("half", WHOLE:sub(1, math.floor(#WHOLE / 2)), "ends within a colo's result")
add("in_string", WHOLE:sub(1, WHOLE:find("Denver", 1, true) + 2), "ends within a string")
add("trailing", WHOLE .. "x", "text after the envelope")
add("twice", WHOLE .. WHOLE, "two envelopes")
add("comma", (WHOLE:gsub('"colos":%[', '"colos":[,')), "a comma too many")
add("single_quotes", (WHOLE:gsub('"', "'")), "single quotes")
add("nan", (WHOLE:gsub(":1}", ":NaN}")), "NaN for a number", true)
add("infinity", (WHOLE:gsub(":1}", ":1e999}")), "a number beyond a double", true)
add("leading_zero", (WHOLE:gsub(":1}", ":01}")), "a number with a leading zero", true)
add("bad_escape", (WHOLE:gsub("Denver", "\\x")), "an escape that JSON lacks")
add("lone_surrogate", (WHOLE:gsub("Denver", "\\ud800")), "half of a surrogate pair", true)
add("control", (WHOLE:gsub("Denver", "a\1b")), "a bare control character in a string", true)
add("zero_byte", (WHOLE:gsub("Denver", "a%%zb"):gsub("%%z", "\0")), "a zero byte in a string", true)
add("bad_utf8", (WHOLE:gsub("Denver", "\255\254")), "bytes that are not UTF-8", true)
add("byte_order_mark", "\239\187\191" .. WHOLE, "a byte order mark", true)
add("utf16", "\255\254" .. WHOLE:gsub(".", "%0\0"), "UTF-16")
add("deep_arrays", ("["):rep(100000), "100,000 open arrays")
add("deep_objects", ('{"a":'):rep(100000), "100,000 open objects")
add("deep_in_colo", OPEN .. '[{"target":"1.1.1.1","colos":[{"x":' .. ("["):rep(2000) .. ("]"):rep(2000) .. "}]}]}",
  "arrays 2,000 deep within a colo's result")
add("braces_in_string", OPEN .. '[{"target":"}]}","colos":[' .. COLO:gsub("Denver", '\\"}]}{[') .. "]}]",
  "braces in strings, and the last one missing")
add("key_twice", (WHOLE:gsub('"error":"",', '"error":"","error":1,')), "a key twice, the second of a wrong type", true)
add("result_twice", WHOLE:sub(1, -2) .. ',"result":[{"target":"1.1.1.1","colos":[' .. COLO .. ']}]}',
  "the result twice, of which the last one counts", true)
add("long_string", OPEN .. '[{"target":"' .. ("a"):rep(1048576) .. '","colos":[',
  "a megabyte of a target, then nothing")

return garbage
