-- Forward and return path side by side, on paths made by hand: what a colo saw of the way here, and what a trace
-- from here saw of the way there.

local both_ways = require("traceroute.report").both_ways
local sample = require "spec.support.sample"
local text = require "traceroute.text"

local node = sample.node

-- Ten packets a hop; the forward path loses two of them from its fourth hop on, the third is silent.
local function there(f)
  f = f or {}
  return sample.path({ colo = f.colo or "den01", ip = "203.0.113.9", mean = 21 }, {
    { 10, 0, node("198.51.100.1", { name = "r1.den.example", asn = "AS13335", mean = 1 }) },
    { 10, 0, node("198.51.100.9", { name = "core.transit.example", asn = "AS64500", mean = 10, count = 6 }),
      node("198.51.100.10", { asn = "AS64500", mean = 11, count = 4 }) },
    { 10, 10 },
    { 10, 2, node("203.0.113.1", { name = "gw.here.example", asn = "AS64501", mean = 20 }) },
    { 10, 2, node("203.0.113.9", { asn = "AS64501", mean = 21 }) },
  })
end

local function back()
  return sample.path({ colo = "here", city = "Utrecht, NL", ip = "198.51.100.1", mean = 22 }, {
    { 10, 0, node("203.0.113.1", { name = "gw.here.example", asn = "AS64501", mean = 0.4 }) },
    { 10, 0, node("192.0.2.77", { asn = "AS64510", mean = 9 }) },
    { 10, 0, node("198.51.100.1", { name = "r1.den.example", asn = "AS13335", mean = 22 }) },
  })
end

local function forward(...)
  return sample.result("203.0.113.9", ...)
end

local BACK = sample.result("198.51.100.1", back())

describe("both ways", function()
  it("stand side by side, the colo's end above, shared nodes on one line", function()
    assert.equal([[
there: 203.0.113.9 from den01 (Denver, CO, US): reached at hop 5, 21.00 ms, 20.0% loss
back:  198.51.100.1 from here (Utrecht, NL): reached at hop 3, 22.00 ms, 0.0% loss
   Host                                 ASN       Loss%    Avg |    Host                           ASN      Loss%    Avg
1  r1.den.example (198.51.100.1)        AS13335    0.0%   1.00 | 3  r1.den.example (198.51.100.1)  AS13335   0.0%  22.00
2  core.transit.example (198.51.100.9)  AS64500    0.0%  10.00 |
   198.51.100.10                        AS64500          11.00 |
3  ???                                           100.0%        |
                                                               | 2  192.0.2.77                     AS64510   0.0%   9.00
4  gw.here.example (203.0.113.1)        AS64501   20.0%  20.00 | 1  gw.here.example (203.0.113.1)  AS64501   0.0%   0.40
5  203.0.113.9                          AS64501   20.0%  21.00 |
AS path there AS13335 AS64500 AS64501, back AS64501 AS64510 AS13335
only on the way there: AS64500
only on the way back: AS64510
loss on the way there: 20.0% from hop 4 on (AS64501)
]], both_ways(forward(there()), BACK))
  end)

  it("fit a terminal by cutting names, never addresses", function()
    local drawn = both_ways(forward(there()), BACK, { width = 90 })
    local bars = 0
    for line in drawn:gmatch("[^\n]+") do
      if line:find(" |", 1, true) then
        bars = bars + 1
        assert.is_true(text.width(line) <= 90, line)
      end
    end
    assert.equal(8, bars)
    assert.truthy(drawn:find("\n2  core.transit.exa…  AS64500  ", 1, true), drawn)
    drawn = both_ways(forward(there()), BACK, { width = 80 })
    for line in drawn:gmatch("[^\n]+ |[^\n]*") do
      assert.is_true(text.width(line) <= 80, line)
    end
    assert.truthy(drawn:find("\n2  core.transit.example  ", 1, true), drawn)
    local six = "2001:db8:1111:2222:3333:4444:5555:6666"
    drawn = both_ways(sample.result(six, sample.path({ ip = six }, { { 3, 0, node(six) } })), BACK, { width = 80 })
    assert.truthy(drawn:find("\n1  " .. six .. "  ", 1, true))
  end)

  it("with hops of one AS stand on one line, in either's order", function()
    local a = forward(sample.path({ ip = "192.0.2.9" }, {
      { 3, 0, node("192.0.2.1", { asn = "AS1" }) }, { 3, 0, node("192.0.2.2", { asn = "AS2" }) },
      { 3, 0, node("192.0.2.9", { asn = "AS3" }) } }))
    local b = sample.result("198.51.100.9", sample.path({ ip = "198.51.100.9" }, {
      { 3, 0, node("198.51.100.1", { asn = "AS3" }) }, { 3, 0, node("198.51.100.2", { asn = "AS2" }) },
      { 3, 0, node("198.51.100.9", { asn = "AS1" }) } }))
    local drawn = both_ways(a, b)
    assert.truthy(drawn:find("\n1  192.0.2.1  [^\n]* | 3  198.51.100.9  "))
    assert.truthy(drawn:find("\n2  192.0.2.2  [^\n]* | 2  198.51.100.2  "))
    assert.truthy(drawn:find("\n3  192.0.2.9  [^\n]* | 1  198.51.100.1  "))
    assert.truthy(drawn:find("\nAS path the same both ways: AS1 AS2 AS3\n$"))
  end)

  it("pair one path with each, and several in order", function()
    local drawn = both_ways(forward(there(), there { colo = "sin02" }), BACK)
    assert.equal(2, select(2, drawn:gsub("back:  198%.51%.100%.1 from here", "")))
    assert.truthy(drawn:find("\n\nthere: 203.0.113.9 from sin02", 1, true))
    drawn = both_ways(forward(there(), there { colo = "sin02" }),
      { BACK[1], { target = "198.51.100.2", colos = { back() } } })
    assert.truthy(drawn:find("from sin02[^\n]*\nback:  198%.51%.100%.2 %(198%.51%.100%.1%) from here"))
    local nothing, err = both_ways(forward(there(), there(), there()), { BACK[1], BACK[1] })
    assert.is_nil(nothing)
    assert.equal("invalid_request: back: as many paths as there, or one, expected; got 2 for 3", tostring(err))
  end)

  it("say from where on nothing answers", function()
    local drawn = both_ways(forward(sample.path({ ip = "203.0.113.9" }, {
      { 3, 0, node("198.51.100.1", { asn = "AS13335" }) }, { 3, 3 }, { 3, 3 } })), BACK)
    assert.truthy(drawn:find("\nno answer on the way there from hop 2 on, the last from AS13335\n", 1, true), drawn)
  end)

  it("do not need hops, ASes or an answer", function()
    local silent = sample.result("192.0.2.1", sample.path({ error = "Could not gather traceroute data: Code 2" }, {}))
    assert.equal([[
there: 192.0.2.1 from den01 (Denver, CO, US): Could not gather traceroute data: Code 2
back:  192.0.2.1 from den01 (Denver, CO, US): Could not gather traceroute data: Code 2
  Host  ASN  Loss%  Avg |   Host  ASN  Loss%  Avg
]], both_ways(silent, silent))
  end)

  it("let no control character through, and change nothing", function()
    local hostile = forward(sample.path({ colo = "\27[2Jden", ip = "192.0.2.1" }, {
      { 3, 0, node("192.0.2.1", { name = "a\27[31m\nb" }) } }))
    local drawn = both_ways(hostile, BACK)
    assert.is_nil(drawn:find("[%z\1-\9\11-\31\127]"))
    assert.same(sample.result("198.51.100.1", back()), BACK)
  end)

  it("refuse what cannot be used", function()
    local function refused(expected, ...)
      local nothing, err = both_ways(...)
      assert.is_nil(nothing)
      assert.equal("invalid_request: " .. expected, tostring(err))
    end
    refused("there: table expected, got nil", nil, BACK)
    refused("back: table expected, got string", BACK, "x")
    refused("there: there is no path in it", {}, BACK)
    refused("back: there is no path in it", BACK, { { target = "a", colos = {} } })
    refused("opts.width: 80 columns or more expected", BACK, BACK, { width = 79 })
    refused("opts.colour: unknown", BACK, BACK, { colour = true })
  end)
end)
