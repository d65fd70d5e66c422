local analysis = require "traceroute.analysis"
local cjson = require "cjson"
local generate = require "spec.bench.generate"
local hops = require "traceroute.hops"
local json = require "traceroute.json"
local report = require "traceroute.report"
local sample = require "spec.support.sample"

local node = sample.node

-- Two targets, three paths:
--   a.example from den01: 192.0.2.1 (gateway, AS13335), silent by NO RESPONSE, two nodes, the target
--   a.example from sin02: an error and no hops
--   b.example from den01: silent without a node, 2001:db8::9
local function fixture()
  return {
    { target = "a.example", colos = {
      sample.path({ colo = "den01", ip = "203.0.113.1" }, {
        { 10, 0, node("192.0.2.1", { name = "_gateway", asn = "AS13335", mean = 0, count = 10 }) },
        { 10, 10, sample.no_response() },
        { 10, 5, node("198.51.100.1", { asn = "174", mean = 20, count = 3, labels = { "MPLS 16" } }),
          node("198.51.100.2", { asn = "AS3356", mean = 30, count = 2 }) },
        { 10, 0, node("203.0.113.1", { name = "a.example", asn = "*", mean = 40, count = 10 }) },
      }),
      sample.path({ colo = "sin02", city = "Singapore, SG", error = "Could not gather traceroute data: Code 1" }, {}),
    } },
    { target = "b.example", colos = {
      sample.path({ colo = "den01" }, { { 3, 3 }, { 3, 0, node("2001:db8::9", { mean = 7 }) } }),
    } },
  }
end

local function ips(criteria)
  local out = {}
  for i, record in ipairs(assert(hops.filter(fixture(), criteria))) do
    out[i] = record.ip or "-"
  end
  return table.concat(out, " ")
end

describe("hops.each", function()
  it("gives target, colo, hop and node in turn", function()
    local seen = {}
    for target, colo, hop, item in hops.each(fixture()) do
      seen[#seen + 1] = table.concat({ target.target, colo.colo.name, hop.packets_ttl, item and item.ip or "nil" }, " ")
    end
    assert.same({
      "a.example den01 1 192.0.2.1", "a.example den01 2 ", "a.example den01 3 198.51.100.1",
      "a.example den01 3 198.51.100.2", "a.example den01 4 203.0.113.1",
      "b.example den01 1 nil", "b.example den01 2 2001:db8::9",
    }, seen)
  end)

  it("hands out the result's own tables", function()
    local result = fixture()
    local target, colo, hop, item = hops.each(result)()
    assert.equal(result[1], target)
    assert.equal(result[1].colos[1], colo)
    assert.equal(result[1].colos[1].hops[1], hop)
    assert.equal(result[1].colos[1].hops[1].nodes[1], item)
  end)

  it("passes over what is absent or null", function()
    local null = cjson.null
    local result = { { target = "x" }, { target = "y", colos = null }, { colos = { null, {}, { hops = null },
      { hops = { null, { nodes = null }, {} } } } }, null }
    local count = 0
    for _, _, _, item in hops.each(result) do
      assert.is_nil(item)
      count = count + 1
    end
    assert.equal(2, count)
    assert.equal(2, #hops.filter(result))
  end)

  it("refuses what is no result", function()
    for _, bad in ipairs { "x", 1, true } do
      local iterator, err = hops.each(bad)
      assert.is_nil(iterator)
      assert.equal("invalid_request: result: table expected, got " .. type(bad), tostring(err))
    end
    assert.is_nil((hops.each(nil)))
  end)

  it("refuses a part of a result, and what was made of one: it would have no paths", function()
    local result = fixture()
    local holed = { nil, result[1] }
    for name, bad in pairs { target = result[1], colo = result[1].colos[1], records = hops.filter(result),
      colos = result[1].colos, holed = holed, numbers = { 1 }, info = { { status = 200 }, dropped = {} } } do
      for _, read in ipairs { hops.each, hops.paths, hops.filter, report.table, report.markdown, report.csv,
        report.jsonl, report.prometheus, report.dot } do
        local got, err = read(bad)
        assert.is_nil(got, name)
        assert.same({ "invalid_request", "result" }, { err.kind, err.path })
      end
      local got, err = report.both_ways(result, bad)
      assert.same({ nil, "back" }, { got, err.path })
    end
    assert.equal("a", select(2, analysis.diff({ { 1 } }, {})).path)
    assert.is_not_nil(hops.paths({}))
    assert.is_not_nil(hops.paths({ { target = "nothing came for it" } }))
  end)
end)

describe("hops.paths", function()
  it("gives every path, also those without hops", function()
    local seen = {}
    for target, colo in hops.paths(fixture()) do
      seen[#seen + 1] = target.target .. " " .. colo.colo.name
    end
    assert.same({ "a.example den01", "a.example sin02", "b.example den01" }, seen)
  end)
end)

describe("hops.filter", function()
  it("gives flat records", function()
    assert.same({
      target = "a.example", colo = "den01", city = "Denver, CO, US", ttl = 3, responded = true,
      ip = "198.51.100.1", name = "198.51.100.1", asn = "AS174", labels = { "MPLS 16" },
      packets_sent = 10, packets_lost = 5, loss = 50, packet_count = 3,
      min_rtt_ms = 20, mean_rtt_ms = 20, max_rtt_ms = 20, std_dev_rtt_ms = 0,
    }, hops.filter(fixture(), { ip = "198.51.100.1" })[1])
  end)

  it("gives both kinds of silent hop the same record, without the zeros", function()
    local records = hops.filter(fixture(), { responded = false })
    assert.equal(2, #records)
    assert.same({ target = "a.example", colo = "den01", city = "Denver, CO, US", ttl = 2, responded = false,
      packets_sent = 10, packets_lost = 10, loss = 100, packet_count = 0 }, records[1])
    assert.same({ target = "b.example", colo = "den01", city = "Denver, CO, US", ttl = 1, responded = false,
      packets_sent = 3, packets_lost = 3, loss = 100, packet_count = 0 }, records[2])
  end)

  it("takes an RTT of 0 with packets for a measurement", function()
    assert.equal(0, hops.filter(fixture(), { ip = "192.0.2.1" })[1].mean_rtt_ms)
    assert.equal("192.0.2.1", ips { rtt = { max = 5 } })
  end)

  it("takes each criterion", function()
    assert.equal("- 2001:db8::9", ips { target = "b.example" })
    assert.equal(7, select(2, ips({ target = { "a.example", "b.example" } }):gsub("%S+", "")))
    assert.equal("", ips { colo = "sin02" })
    assert.equal("- 2001:db8::9", ips { colo = { "den01", "sin02" }, target = "b.example" })
    assert.equal("198.51.100.1 198.51.100.2", ips { ttl = 3 })
    assert.equal("198.51.100.1 198.51.100.2 203.0.113.1", ips { ttl = { min = 3 } })
    assert.equal("- 198.51.100.1 198.51.100.2 2001:db8::9", ips { ttl = { min = 2, max = 3 } })
    assert.equal("198.51.100.1 198.51.100.2", ips { ip = "198.51.100.0/24" })
    assert.equal("192.0.2.1 2001:db8::9", ips { ip = { "192.0.2.1", "2001:DB8:0::/48" } })
    assert.equal("2001:db8::9", ips { ip = "2001:0db8:0:0::9" })
    assert.equal("192.0.2.1", ips { asn = 13335 })
    assert.equal("192.0.2.1 198.51.100.1", ips { asn = { "13335", "as174" } })
    assert.equal("192.0.2.1", ips { name = "^_gate" })
    assert.equal("198.51.100.1", ips { label = "MPLS 16" })
    assert.equal("- -", ips { responded = false })
    assert.equal("- -", ips { loss = { min = 51 } })
    assert.equal("198.51.100.1 198.51.100.2", ips { loss = { min = 1, max = 99 } })
    assert.equal("198.51.100.2 203.0.113.1", ips { rtt = { min = 25 } })
    assert.equal("198.51.100.1", ips { where = function(record) return record.asn == "AS174" end })
  end)

  it("combines criteria", function()
    assert.equal("198.51.100.2", ips { ttl = 3, rtt = { min = 25 }, target = "a.example" })
    assert.equal("", ips { ttl = 3, asn = 13335 })
  end)

  it("refuses bad criteria with their path", function()
    local function refused(criteria)
      local records, err = hops.filter(fixture(), criteria)
      assert.is_nil(records)
      assert.equal("invalid_request", err.kind)
      return (tostring(err):gsub("^invalid_request: ", ""))
    end
    assert.equal("criteria.tll: unknown, did you mean ttl?", refused { tll = 3 })
    assert.equal("criteria.respond: unknown, did you mean responded?", refused { respond = true })
    assert.equal("criteria.zzzzz: unknown", refused { zzzzz = 1 })
    assert.equal("criteria: names are strings, got a number", refused { "den01" })
    assert.equal("criteria.ttl: a table with min, max or both expected, got string", refused { ttl = "3" })
    assert.equal("criteria.ttl: min, max or both expected", refused { ttl = {} })
    assert.equal("criteria.ttl.mim: unknown, did you mean min?", refused { ttl = { mim = 1 } })
    assert.equal("criteria.loss: a table with min, max or both expected, got number", refused { loss = 5 })
    assert.equal("criteria.ip: address or network expected, got 1.2.3.0/40", refused { ip = "1.2.3.0/40" })
    assert.equal("criteria.ip[2]: address or network expected, got nowhere", refused {
      ip = { "192.0.2.1", "nowhere" },
    })
    assert.equal("criteria.asn: an AS number expected, got cloudflare", refused { asn = "cloudflare" })
    assert.equal("criteria.colo[2]: a colo's name expected, got 5", refused { colo = { "den01", 5 } })
    assert.equal("criteria.colo: an empty list matches nothing; leave it out to match all", refused { colo = {} })
    assert.equal("criteria.responded: boolean expected, got string", refused { responded = "yes" })
    assert.equal("criteria.where: function expected, got boolean", refused { where = true })
    assert.equal("criteria: table expected, got string", refused "x")
    assert.truthy(refused({ name = "[a" }):find("^criteria.name: malformed pattern"))
    assert.truthy(refused({ name = "_gateway%" }):find("^criteria.name: malformed pattern"))
  end)

  it("makes a value of what a predicate raises, but of no interrupt and no lack of memory", function()
    local function filter(raised)
      return hops.filter(fixture(), { where = function(record) return record.ttl < 2 or error(raised, 0) end })
    end
    local records, err = filter "no such thing"
    assert.is_nil(records)
    assert.equal("invalid_request: criteria.where: raised: no such thing", tostring(err))
    assert.truthy(tostring(select(2, hops.filter(fixture(), { where = function(record) return record.ttl.x.y end })))
      :find("^invalid_request: criteria%.where: raised: .*attempt to index"))
    assert.truthy(tostring(select(2, filter {})):find("^invalid_request: criteria%.where: raised: a table$"))
    for _, message in ipairs { "not enough memory", "script:1: interrupted!" } do
      local ran, same = pcall(filter, message)
      assert.is_false(ran)
      assert.equal(message, same)
    end
  end)

  it("says so when the result is none", function()
    assert.equal("invalid_request: result: table expected, got nil", tostring(select(2, hops.filter(nil))))
  end)

  it("reads the published example", function()
    local records = hops.filter(sample.published())
    assert.equal(1, #records)
    assert.equal("one.one.one.one", records[1].name)
    assert.equal("0 3 0", records[1].ttl .. " " .. records[1].packet_count .. " " .. records[1].packets_sent)
    assert.is_nil(records[1].loss)
    assert.equal("string", records[1].labels[1])
  end)

  it("gives every node once without criteria, over generated results", function()
    for seed = 1, 20 do
      local result = json.result(generate.generate(2, 5, 12, seed))
      local expected = {}
      for target, colo, hop, item in hops.each(result) do
        expected[#expected + 1] = table.concat({ target.target, colo.colo.name, hop.packets_ttl,
          item and item.ip ~= "" and item.ip or "-" }, " ")
      end
      local got = {}
      for i, record in ipairs(hops.filter(result)) do
        got[i] = table.concat({ record.target, record.colo, record.ttl, record.ip or "-" }, " ")
      end
      assert.same(expected, got)
      local nodes = 0
      for _, target in ipairs(result) do
        for _, colo in ipairs(target.colos) do
          for _, hop in ipairs(colo.hops) do
            nodes = nodes + #hop.nodes
          end
        end
      end
      assert.equal(nodes, #got)
    end
  end)

  it("changes nothing in the result", function()
    local result, same = fixture(), fixture()
    hops.filter(result, { responded = true })
    assert.same(same, result)
  end)
end)
