-- The slicer against a decoder that sees the whole text: however a body is cut up, broken or garbled,
-- what comes out is what lua-cjson makes of the whole, or both refuse. Needs csrc built; the slicer's own
-- states are unit tests.

local cjson = require "cjson"
local json = require "spec.support.json"
local server = require "spec.support.server"
local traces = require "spec.support.traces"
local traceroute = require "traceroute"

describe("the slicer", function()
  local stand_in
  local decoder = cjson.new()
  decoder.decode_invalid_numbers(false)

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  local function create(url, targets, more)
    return traceroute.create(stand_in.account, targets or "1.1.1.1",
      stand_in:options(url, { token = "slicer-spec-token", retries = 0, quota = 0 }, more))
  end

  -- The same value without its nulls, as results have none.
  local function without_nulls(value)
    if type(value) ~= "table" then
      return value
    end
    local copy, length = {}, #value
    for key, item in pairs(value) do
      if item ~= cjson.null and length == 0 then
        copy[key] = without_nulls(item)
      end
    end
    for i = 1, length do
      copy[#copy + 1] = value[i] ~= cjson.null and without_nulls(value[i]) or nil
    end
    return copy
  end

  local OPEN = '{"success":true,"errors":[],"messages":[],"result":'
  local COLO = '{"colo":{"name":"den01","city":"Denver"},"error":"","hops":[{"packets_ttl":1,"nodes":[]}]}'
  local WHOLE = OPEN .. '[{"target":"1.1.1.1","colos":[' .. COLO .. "," .. COLO:gsub("den01", "sin02") .. "]}]}"

  it("finds the same in a body of any pieces", function()
    local targets = { "1.1.1.1", "example.com" }
    local expected = cjson.decode(json.encode(traces.result { targets = targets }))
    for _, listener in ipairs { "https", "http11", "http" } do
      for _, size in ipairs { 1, 2, 3, 5, 17, 64, 255, 256, 1000, 4096 } do
        local result, err = create(stand_in:url(("drip/%d/0"):format(size), listener), targets)
        assert.is_nil(err and tostring(err))
        assert.same(expected, result)
      end
    end
  end)

  it("finds it in a compressed body, too", function()
    for _, behaviour in ipairs { "gzip", "br" } do
      local result, err = create(stand_in:url(behaviour))
      assert.is_nil(err and tostring(err))
      assert.same(cjson.decode(json.encode(traces.result { targets = { "1.1.1.1" } })), result)
    end
  end)

  local function spaced(text) -- between all tokens of a text without brackets, commas and colons in its strings
    return (text:gsub("[%[%]{},:]", " \n%0\r\t"))
  end
  local function escaped(name)
    return (name:gsub(".", function(c) return ("\\u%04x"):format(c:byte()) end))
  end
  local function with(colos, more)
    return OPEN .. '[{"target":"1.1.1.1","colos":' .. colos .. (more or "") .. "}]}"
  end
  local BODIES = {
    ["plain"] = WHOLE,
    ["white space everywhere"] = spaced(WHOLE),
    ["no colos"] = with "[]",
    ["no colos, with a space"] = with "[ ]",
    ["empty colos"] = with "[{},{}]",
    ["brackets in strings"] = with('[{"error":"]}],[{\\"\\\\"},{"error":"[[{{"}]'),
    ["escaped member names"] =
      (WHOLE:gsub('"result"', '"' .. escaped "result" .. '"'):gsub('"colos"', '"' .. escaped "colos" .. '"')),
    ["half escaped member names"] = (WHOLE:gsub('"result"', '"resu\\u006Ct"'):gsub('"colos"', '"\\u0063olos"')),
    ["longer names"] = (WHOLE:gsub('"messages"', '"resultx"'):gsub('"errors"', '"xresult"')),
    ["colos elsewhere"] = '{"colos":[{"a":1}],"messages":[{"code":1,"result":[{"colos":[1,2]}]}],' .. WHOLE:sub(2),
    ["a result within a colo"] = with('[{"result":[{"colos":[{"error":"x"},5]}],"colos":[[[{"a":[]}]]]}]'),
    ["colos within a target, deeper"] = with("[" .. COLO .. "]", ',"more":{"colos":[1],"result":[{"colos":[{}]}]}'),
    ["the name after the colos"] = OPEN .. '[{"colos":[' .. COLO .. '],"target":"1.1.1.1"}]}',
    ["success last"] = '{"result":[{"target":"1.1.1.1","colos":[' .. COLO .. ']}],"messages":[],"success":true}',
    ["colos twice, of which the last counts"] = with("[" .. COLO .. ',{"error":"1"}]', ',"colos":[{"error":"2"}]'),
    ["a result twice, of which the last counts"] =
      (WHOLE:sub(1, -2) .. ',"result":[{"target":"1.1.1.1","colos":[{"error":"last"}]}]}'),
    ["numbers of all forms"] = with('[{"a":[0,-0,1.5,1e3,1E-3,-1.25e+2,123456789012,0.1],"traceroute_time_ms":7}]'),
    ["a string of all escapes"] = with('[{"error":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00"}]'),
    ["UTF-8 in strings"] = with('[{"error":"caf\195\169 \226\130\172 \240\159\152\128"}]'),
    ["nulls among members"] = with('[{"error":null,"hops":null,"colo":{"name":null}}]', ',"x":null'),
    ["deep, but not too deep"] = with('[{"x":' .. ("["):rep(40) .. ("]"):rep(40) .. "}]"),
    ["a long string"] = with('[{"error":"' .. ("a"):rep(300000) .. '"}]'),
    -- of period three, so that some of the pieces in which it comes end between a backslash and its letter
    ["escapes where pieces end"] = with('[{"error":"' .. ('\\"]'):rep(100000) .. '"},{"error":"x"}]'),
    ["a thousand colos"] = with("[" .. (COLO .. ","):rep(999) .. COLO .. "]"),
    ["white space around"] = "\r\n\t " .. WHOLE .. " \n\n",
  }
  for name, body in pairs(BODIES) do
    it("and lua-cjson agree on " .. name, function()
      local expected = without_nulls(decoder.decode(body).result)
      for _, validate in ipairs { "strict", "none" } do
        local result, err = create(stand_in:raw("body", body), nil, { validate = validate ~= "none" and validate })
        assert.is_nil(err and tostring(err))
        assert.same(expected, result)
      end
    end)
  end

  it("keeps whole colos of a body that ends early at any byte, and nothing else", function()
    local whole = decoder.decode(WHOLE).result[1]
    local first = select(2, WHOLE:find(COLO, 1, true))
    local second = #WHOLE - #"]}]}"
    for length = 0, #WHOLE - 1 do
      local result, err = create(stand_in:raw("body", WHOLE:sub(1, length)))
      assert.equal("invalid_response", err.kind)
      assert.equal(200, err.status)
      local colos = result and result[1].colos or {}
      local arrived = length >= second and 2 or length >= first and 1 or 0
      assert.equal(arrived, #colos)
      for i = 1, arrived do
        assert.same(whole.colos[i], colos[i])
      end
    end
  end)

  it("and lua-cjson agree on a body with any byte changed", function()
    local seed = 20240229
    local function random(below) -- the same numbers in every Lua
      seed = (seed * 16807) % 2147483647
      return seed % below
    end
    local BYTES = '{}[]",:\\ 019.-eEtfn\0\1\127\255ax'
    local agreed = { taken = 0, refused = 0 }
    for _ = 1, 1500 do
      local at, pick = 1 + random(#WHOLE), 1 + random(#BYTES)
      local body = WHOLE:sub(1, at - 1) .. BYTES:sub(pick, pick) .. WHOLE:sub(at + random(2))
      local fine, decoded = pcall(decoder.decode, body)
      local result, err = create(stand_in:raw("body", body), nil, { validate = false })
      local entry = fine and type(decoded) == "table" and type(decoded.result) == "table" and decoded.result[1]
      if type(entry) == "table" and (entry.target == nil or entry.target == decoder.null) then
        entry.target = "1.1.1.1" -- a single result without a name is for the single target
      end
      if not fine then
        agreed.refused = agreed.refused + 1
        assert.equal("invalid_response", err and err.kind, body)
      elseif type(decoded) == "table" and decoded.success == true and type(decoded.result) == "table"
        and type(decoded.result[1]) == "table" and decoded.result[1].target == "1.1.1.1" then
        agreed.taken = agreed.taken + 1
        assert.is_nil(err and tostring(err), body)
        assert.same(without_nulls(decoded.result), result)
      else
        assert.equal("invalid_response", err and err.kind, body)
      end
    end
    assert.is_true(agreed.taken > 100 and agreed.refused > 100)
  end)
end)
