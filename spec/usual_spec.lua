-- A colo's result is read in two ways: straight from the text where it is as usual, by lua-cjson and the schema where
-- it is not. Both give the same tables: each text here is asked for twice, once with an escape in a member's name,
-- which is beyond the first way and nothing to the second.

local generate = require "spec.bench.generate"
local server = require "spec.support.server"
local traceroute = require "traceroute"

local kind_of = math.type or type

describe("a colo's result", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  local function ask(text, validate)
    local base = stand_in:raw("usual", '{"success":true,"errors":[],"messages":[],"result":' .. text .. "}")
    return traceroute.create(stand_in.account, "target1.example",
      stand_in:options(base, { token = "secret", retries = 0, quota = 0, validate = validate }))
  end

  local function assert_same(one, other, path)
    assert.equal(kind_of(one), kind_of(other), path)
    if type(one) ~= "table" then
      assert.equal(one, other, path)
      assert.equal(tostring(one), tostring(other), path)
      return
    end
    for name, value in pairs(one) do
      assert_same(value, other[name], path .. "." .. tostring(name))
    end
    for name in pairs(other) do
      assert.is_not_nil(one[name], path .. "." .. tostring(name))
    end
  end

  -- Without the excerpt of the text.
  local function words_of(err)
    return err and err.message:gsub("it begins .*", "")
  end

  -- `colos` is the text of an array's elements.
  local function both_ways(colos, validate)
    local text = '[{"target":"target1.example","colos":[' .. colos .. "]}]"
    local escaped, count = text:gsub('"colo"', '"col\\u006f"')
    assert.is_true(count > 0)
    local spaced = text:gsub('"colo"', '"colo"     ')
    local one, one_err, one_info = ask(spaced, validate)
    local other, other_err, other_info = ask(escaped, validate)
    assert.equal(words_of(one_err), words_of(other_err))
    assert.equal(one_err and one_err.path, other_err and other_err.path)
    assert_same(one_info.dropped, other_info.dropped, "dropped")
    assert_same(one, other, "result")
    return one, one_err
  end

  local function colo(hops, more)
    return ('{"colo":{"city":"Here, XX","name":"den01"},"error":"","hops":%s%s}'):format(hops, more or "")
  end

  local function node(members)
    return colo('[{"nodes":[{' .. members .. '}],"packets_lost":0,"packets_sent":3,"packets_ttl":1}]')
  end

  it("comes out the same, as the service sends it", function()
    local text = generate.generate(1, 20, 15, 7):match('^%[{"colos":%[(.*)%],"target":"target1.example"}%]$')
    local result = both_ways(text)
    assert.equal(20, #result[1].colos)
    assert.equal(15, #result[1].colos[20].hops)
  end)

  it("comes out the same with any spelling of numbers", function()
    for _, number in ipairs { "0", "-0", "0.0", "-0.0", "-0.5", "1", "-1", "12.5", "0.1", "0.30000000000000004", "1e2",
      "1E-2", "1.5e300", "123456789012345", "1234567890123456", "12345678901234567890", "0.123456789012345",
      "0.1234567890123456", "9007199254740993", "99999999999999.9", "999999999999999.9", "4.9e-324", "1e400", "01",
      "1.", ".5", "-", "+1", "0x10", "1.0", "5.000", "Infinity", "NaN" } do
      both_ways(node('"ip":"192.0.2.1","min_rtt_ms":' .. number))
      both_ways(node('"packet_count":' .. number))
      both_ways(colo("[]", ',"traceroute_time_ms":' .. number))
    end
  end)

  it("has the number that is nearest to the text", function()
    local state, numbers, members = 1, {}, {}
    for i = 1, 600 do
      state = state * 16807 % 2147483647
      local whole, digits = state % 100000, i % 10
      local fraction = digits > 0 and ("." .. ("%0" .. digits .. "d"):format(i * 7919 % 10 ^ digits)) or ""
      numbers[i] = ("%d"):format(whole) .. fraction
      members[i] = '{"ip":"192.0.2.1","mean_rtt_ms":' .. numbers[i] .. "}"
    end
    local result = both_ways(colo('[{"nodes":[' .. table.concat(members, ",") .. "]}]"))
    for i, number in ipairs(numbers) do
      assert.equal(tonumber(number) + 0.0, result[1].colos[1].hops[1].nodes[i].mean_rtt_ms, number)
    end
  end)

  it("comes out the same with any bytes in its strings", function()
    for _, text in ipairs { "", "plain", "caf\195\169", "\255\254", "a\\\"b", "\\u00e9", "\\ud83d\\ude00", "\\n",
      "\127", "tab\there", "nul\0here", ("x"):rep(5000), "[{\\\"colo\\\"", "null" } do
      both_ways(node('"ip":"192.0.2.1","name":"' .. text .. '"'))
      both_ways(node('"labels":["a","' .. text .. '"]'))
    end
  end)

  it("comes out the same with members that are missing, null, twice, unknown or of another type", function()
    for _, members in ipairs { "", '"ip":null', '"labels":null', '"labels":[]', '"labels":{}', '"labels":[null]',
      '"labels":["a",null,"b"]', '"labels":["a",7]', '"ip":"a","ip":"b"', '"ip":"a","ip":null', '"ip":null,"ip":"a"',
      '"new":{"a":[1,null,2.0]}', '"new":null', '"ip":7', '"min_rtt_ms":"7"', '"packet_count":1.5',
      '"packet_count":true',
      '"ip":nul', '"ip":nullx', '"ip":nul l', '"ip":true', '"ip":{}', '"ip":[]', ' "ip" : "a" \n, \t"asn"\r: "b" ' } do
      for _, validate in ipairs { "strict", "lenient", false } do
        both_ways(node(members), validate)
      end
    end
    for _, hops in ipairs { "[]", "{}", "null", "[null]", "[{}]", "[[]]", "7", '[{"nodes":[]}]', '[{"nodes":null}]',
      '[{"nodes":[null]}]', '[{"nodes":[{}]}, {"nodes":{}}]', '[{"packets_ttl":1},{"packets_ttl":2}]' } do
      for _, validate in ipairs { "strict", "lenient", false } do
        both_ways(colo(hops), validate)
        both_ways(colo(hops, ',"target_summary":{"ip":"192.0.2.1","max_rtt_ms":0.5}'), validate)
      end
    end
  end)

  it("comes out the same when it is no JSON", function()
    for _, text in ipairs { '{"colo":{},}', '{"colo":{} "error":""}', '{"colo":{},"error"}', '{"colo":{},"error":}',
      '{"colo":{,}}', '{"colo":{}},', '{"colo":{"name":"a" "b"}}', '{"colo":{},"hops":[,]}', '{"colo":{},"hops":[{},]}',
      '{"colo":{},"error":"a"x}', '{"colo":{},1:2}' } do
      both_ways(text)
    end
  end)

  it("keeps what its tables held when the collector runs", function()
    local text = generate.generate(1, 200, 15, 3):match('^%[{"colos":%[(.*)%],"target":"target1.example"}%]$')
    local result = assert(ask('[{"target":"target1.example","colos":[' .. text .. "]}]"))
    collectgarbage()
    collectgarbage()
    for i, entry in ipairs(result[1].colos) do
      assert.equal(("col%02d"):format(i), entry.colo.name)
      assert.equal("target1.example", entry.hops[15].nodes[1].name)
    end
  end)

  it("is the same after many that were not as usual", function()
    local parts = {}
    for i = 1, 30 do
      parts[i] = colo("[]", i > 5 and i < 20 and ',"newer":1')
    end
    local result = both_ways(table.concat(parts, ","))
    assert.equal(30, #result[1].colos)
    assert.equal(1, result[1].colos[6].newer)
    assert.is_nil(result[1].colos[30].newer)
  end)
end)
