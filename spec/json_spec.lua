local analysis = require "traceroute.analysis"
local cjson = require "cjson"
local json = require "traceroute.json"
local sample = require "spec.support.sample"

describe("json", function()
  it("keeps the API's shape: empty lists are arrays, strings are left alone", function()
    assert.equal('{"hops":[]}', json.encode { hops = {} })
    assert.equal('[{"colos":[]}]', json.encode { { colos = {} } })
    assert.equal('{"nodes":[]}', json.encode { nodes = {} })
    assert.equal('{"labels":[]}', json.encode { labels = {} })
    assert.equal("[]", json.encode {})
    local tricky = { name = '"hops":{}' }
    assert.same(tricky, cjson.decode(json.encode(tricky)))
    assert.equal('{"extra":{}}', json.encode { extra = {} })
  end)

  it("keeps the lists of a diff, and what is called like them elsewhere", function()
    local diff = analysis.diff({}, {})
    assert.equal("[][][]", (json.encode(diff):gsub('"status":"equal"', ""):gsub('[{},:]', ""):gsub('"%a+"', "")))
    local silent = sample.path({}, { { 3, 3 } })
    local encoded = json.encode(analysis.diff(silent, silent))
    assert.truthy(encoded:find('"a":[]', 1, true))
    assert.truthy(encoded:find('"b":[]', 1, true))
    assert.truthy(encoded:find('"rtt":{}', 1, true))
    assert.equal('{"a":{}}', json.encode { a = {} })
  end)

  it("writes whole numbers without a fraction", function()
    assert.equal("[3,2.5]", json.encode { 3.0, 2.5 })
  end)

  it("writes UTF-8 and no control characters", function()
    assert.equal('["\\u001b[31m"]', json.encode { "\27[31m" })
    assert.equal('["\\u009b31m"]', json.encode { "\194\15531m" })
    assert.equal('["\239\191\189é"]', json.encode { "\255é" })
  end)

  it("writes the same text for the same value: members in the order of their names' bytes", function()
    local function node(names)
      local built = {}
      for name in names:gmatch("%a+") do
        built[name] = #name
      end
      return built
    end
    local expected = '{"A":1,"asn":3,"ip":2,"name":4,"nodes":5,"z":1}'
    assert.equal(expected, json.encode(node "A asn ip name nodes z"))
    assert.equal(expected, json.encode(node "z nodes name ip asn A"))
    assert.equal('[{"a":[{"b":[1,2.5,"x",true],"c":{}}]}]',
      json.encode { { a = { { c = {}, b = { 1, 2.5, "x", true } } } } })
  end)

  it("fills the holes of a list, and names what is neither list nor object by its numbers", function()
    assert.equal('[{"colos":[]},null,{"colos":[]}]', json.encode { { colos = {} }, nil, { colos = {} } })
    assert.equal('{"-1":"z","1":"a","10":"c","2":"b","2.5":"d","hops":[]}',
      json.encode { "a", "b", [10] = "c", [2.5] = "d", [-1] = "z", hops = {} })
    assert.equal('{"1":"text","1":"number"}', json.encode { "number", ["1"] = "text" })
    assert.is_nil((json.encode { [1] = 1, [11] = 2 }))
    local function raise() error {} end
    assert.equal("[1,null,3]", json.encode(setmetatable({ 1, nil, 3 }, { __index = raise, __len = raise })))
    assert.is_nil((json.encode { [2 ^ 53] = 1 }))
  end)

  it("writes a slash in one way, and no page's script ends within it", function()
    assert.equal([==[["a\/b","é\/b","<\/script>"]]==], json.encode { "a/b", "é/b", "</script>" })
  end)

  it("writes what it reads again: a thousand levels", function()
    local function nested(levels)
      local value = {}
      for level = 2, levels do
        value = level % 2 == 0 and { value } or { a = value }
      end
      return value
    end
    for _, levels in ipairs { 1, 999, 1000 } do
      local text = assert(json.encode(nested(levels)))
      assert.equal(text, json.encode(assert(json.decode(text))))
    end
    local encoded, err = json.encode(nested(1001))
    assert.is_nil(encoded)
    assert.equal("invalid_request: result: nested too deeply", tostring(err))
  end)

  it("needs no os", function()
    local os = _G.os
    finally(function() _G.os = os end) -- luacheck: ignore
    _G.os = nil -- luacheck: ignore
    local encoded = json.encode { b = 1, a = 2 }
    assert.equal('{"a":2,"b":1}', encoded)
  end)

  it("says what it cannot write", function()
    local encoded, err = json.encode { print }
    assert.is_nil(encoded)
    assert.equal("invalid_request", err.kind)
    local cycle = {}
    cycle.hops = cycle
    assert.is_nil((json.encode(cycle)))
    assert.is_nil((json.encode { { [{}] = 1 } }))
    assert.is_nil((json.encode { a = { 0 / 0 } }))
    assert.is_nil((json.encode { a = { math.huge } }))
  end)

  it("does not change the settings of the shared cjson", function()
    assert.equal(14, cjson.encode_number_precision())
    assert.is_truthy(pcall(cjson.decode, "[1,null]"))
    assert.are_not.equal(nil, cjson.decode("[null]")[1])
  end)

  it("reads null as absent, and arrays close ranks", function()
    local value = json.decode '{"a":null,"b":[null,1,null,2],"c":{"d":null}}'
    assert.same({ b = { 1, 2 }, c = {} }, value)
  end)

  it("reads whole numbers as integers", function()
    local value = json.decode "[3,3.0,2.5,1e3]"
    assert.equal("3 3 2.5 1000", table.concat(value, " "))
  end)

  it("refuses what is not JSON", function()
    for _, bad in ipairs { "", "{", "[1]]", "NaN", "[nan]", "5", '"x"', "null", ("["):rep(2000) } do
      local value, err = json.decode(bad)
      assert.is_nil(value, bad)
      assert.equal("invalid_request", err.kind)
      assert.is_nil(tostring(err):find("\n"))
    end
    assert.is_nil((json.decode(nil)))
  end)

  it("takes a result as it is and in the API's envelope", function()
    local result = sample.published()
    assert.equal("1.1.1.1", result[1].target)
    local again = json.result(json.encode(result))
    -- 0.011269427669584647 in the example: lua-cjson writes 14 digits.
    assert.equal(0.011269427669585, again[1].colos[1].target_summary.std_dev_latency_ms)
    result[1].colos[1].target_summary.std_dev_latency_ms = 0.011269427669585
    assert.same(result, again)
    assert.same({}, json.result "[]")
    assert.same({}, json.result '{"success":true,"result":[]}')
  end)

  it("takes nothing else for a result", function()
    local _, err = json.result '{"success":false,"errors":[{"code":1005,"message":"Colo is not a valid colo"}]}'
    assert.equal("invalid_request: json: a response that failed: Colo is not a valid colo", tostring(err))
    for _, bad in ipairs { '{"a":1}', "[1]", '[{"ip":"192.0.2.1"}]', '{"result":{"x":1}}' } do
      assert.is_nil((json.result(bad)), bad)
    end
  end)
end)
