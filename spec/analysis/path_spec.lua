local analysis = require "traceroute.analysis"
local sample = require "spec.support.sample"

local node = sample.node

local function routed()
  -- AS13335, unknown, AS13335, silent, AS174 with one node of AS3356, AS13335 again at the target.
  return sample.path({ ip = "203.0.113.1", mean = 40 }, {
    { 3, 0, node("10.0.0.1", { asn = "AS13335" }) },
    { 3, 0, node("10.0.0.2", { asn = "*" }) },
    { 3, 0, node("10.0.0.3", { asn = "13335" }) },
    { 3, 3, sample.no_response() },
    { 3, 0, node("10.0.5.2", { asn = "AS3356", count = 1 }), node("10.0.5.1", { asn = "AS174", count = 2 }) },
    { 3, 0, node("203.0.113.1", { asn = "AS13335" }) },
  })
end

describe("analysis.path", function()
  it("pools the nodes of a hop as one measurement", function()
    -- 1, 2, 3 at one node: mean 2, sample deviation 1. 6, 8 at the other: mean 7, deviation sqrt(2).
    -- All five: mean 20/5 = 4; squared distances 9+4+1+4+16 = 34; deviation sqrt(34/4).
    local read = analysis.path(sample.path({}, { { 5, 0,
      node("10.0.0.2", { min = 6, mean = 7, max = 8, dev = math.sqrt(2), count = 2 }),
      node("10.0.0.1", { min = 1, mean = 2, max = 3, dev = 1, count = 3 }) } }))
    local hop = read.hops[1]
    assert.equal(4, hop.mean_rtt_ms)
    assert.equal(1, hop.min_rtt_ms)
    assert.equal(8, hop.max_rtt_ms)
    assert.equal(5, hop.packet_count)
    assert.near(math.sqrt(34 / 4), hop.std_dev_rtt_ms, 1e-12)
    assert.equal("10.0.0.1", hop.nodes[1].ip)
    assert.equal(60, hop.nodes[1].share)
    assert.equal(40, hop.nodes[2].share)
  end)

  it("puts hops in order of TTL", function()
    local colo = routed()
    colo.hops[1], colo.hops[6] = colo.hops[6], colo.hops[1]
    local read = analysis.path(colo)
    assert.equal(1, read.hops[1].ttl)
    assert.equal(6, read.target_index)
  end)

  it("refuses what is no path, and says what it got", function()
    assert.equal("invalid_request: colo: an element of result[i].colos expected, got nil",
      tostring(select(2, analysis.path(nil))))
    assert.equal("invalid_request: colo: an element of result[i].colos expected, got what holds them",
      tostring(select(2, analysis.path(sample.published()))))
    for _, name in ipairs { "destination_responded", "last_responding_hop", "hop_status", "ip_path", "as_path",
      "path_id", "multipath", "loss", "loss_begins", "rtt_jumps" } do
      local value, err = analysis[name](5)
      assert.is_nil(value, name)
      assert.equal("invalid_request", err.kind, name)
    end
  end)
end)

describe("analysis.destination_responded", function()
  it("compares with the summary's address, however it is spelt", function()
    assert.is_true(analysis.destination_responded(routed(), "a.example"))
    local colo = sample.path({ ip = "2001:DB8:0:0::1" }, { { 3, 0, node "2001:db8::1" } })
    assert.is_true(analysis.destination_responded(colo, "b.example"))
    assert.is_true(analysis.destination_responded(sample.published()[1].colos[1], "1.1.1.1"))
  end)

  it("is false when the target is not among the hops, or nothing is", function()
    assert.is_false(analysis.destination_responded(sample.path({ ip = "203.0.113.9" },
      { { 3, 0, node "10.0.0.1" }, { 3, 3 } })))
    assert.is_false(analysis.destination_responded(sample.path({ ip = "203.0.113.9" }, { { 3, 3 }, { 3, 3 } })))
    -- The summary names the target, but the node's packet count says that it never answered.
    assert.is_false(analysis.destination_responded(sample.path({ ip = "203.0.113.9" },
      { { 3, 3, node("203.0.113.9", { count = 0 }) } })))
  end)

  it("falls back to the target itself where the summary has no address", function()
    local colo = sample.path({}, { { 3, 0, node("203.0.113.1", { name = "a.example" }) } })
    assert.is_true(analysis.destination_responded(colo, "203.0.113.1"))
    assert.is_true(analysis.destination_responded(colo, "a.example"))
    colo.hops[2] = { packets_ttl = 2, packets_sent = 3, packets_lost = 3, nodes = {} }
    assert.is_false(analysis.destination_responded(colo, "203.0.113.2"))
  end)

  it("cannot tell what was not measured", function()
    local function responded(f, list)
      f.ip = "203.0.113.9"
      return tostring(analysis.destination_responded(sample.path(f, list)))
    end
    local error = "Could not gather traceroute data: Code 2"
    assert.equal("nil", responded({ error = error }, {}))
    assert.equal("nil", responded({ error = error }, { { 3, 3 } }))
    assert.equal("nil", responded({}, {}))
    assert.equal("nil", responded({}, { { 0, 0 }, { 0, 0 } }))
    assert.is_nil(analysis.destination_responded({}))
    -- What did answer counts, whatever the colo says.
    assert.equal("true", responded({ error = error }, { { 3, 0, node "203.0.113.9" } }))
    assert.equal("false", responded({ error = error }, { { 3, 0, node "10.0.0.1" }, { 3, 3 } }))
  end)

  it("cannot tell of a target that max_ttl is too low for", function()
    local colo = sample.path({ ip = "203.0.113.9" }, { { 3, 3 }, { 3, 1, node "10.0.0.2" } })
    assert.is_false(analysis.destination_responded(colo)) -- silent hops may have been left out
    assert.is_nil(analysis.path(colo).cut_off)
    colo = sample.cut(colo)
    assert.is_nil(analysis.destination_responded(colo))
    assert.is_true(analysis.path(colo).cut_off)
    -- A router that refuses ends the path, too; and a colo's error says by itself why it is short.
    colo.hops[2].nodes[1].labels = { "no-route" }
    assert.is_false(analysis.destination_responded(colo))
    colo.hops[2].nodes[1].labels, colo.error = nil, "Could not gather traceroute data: Code 3"
    assert.is_nil(analysis.destination_responded(colo))
    assert.is_nil(analysis.path(colo).cut_off)
    -- Nor is it, where the summary counts answers of a target that no hop shows.
    colo = sample.path({ ip = "203.0.113.9", mean = 5 }, { { 3, 0, node "10.0.0.2" } })
    assert.is_nil(analysis.destination_responded(colo))
    assert.is_nil(analysis.path(colo).cut_off)
  end)

  it("judges a target at the end of branches of unequal length where it answers best", function()
    local function at(...)
      local read = analysis.path(sample.path({ ip = "203.0.113.9" }, { { 10, 0, node "10.0.0.1" }, ... }))
      return ("%d %g"):format(read.hops[read.target_index].ttl, read.hops[read.target_index].loss)
    end
    local half, other = node("203.0.113.9", { count = 5 }), node("10.0.0.2", { count = 5 })
    local full = node("203.0.113.9", { count = 10 })
    assert.equal("3 0", at({ 10, 5, half }, { 10, 0, full }))
    assert.equal("3 0", at({ 10, 0, half, other }, { 10, 0, full }))
    assert.equal("2 0", at({ 10, 0, half, other }))
    assert.equal("2 0", at({ 10, 0, full }, { 10, 0, full }))
  end)

  it("does not guess", function()
    local value, err = analysis.destination_responded(sample.path({}, { { 3, 0, node "203.0.113.1" } }), "b.example")
    assert.is_nil(value)
    assert.is_nil(err)
  end)
end)

describe("analysis of one path", function()
  it("finds the last hop that responded", function()
    local colo = sample.losses({ { 3, 0 }, { 3, 1 }, { 3, 3 }, { 3, 3 } })
    assert.equal(2, analysis.last_responding_hop(colo).ttl)
    assert.is_nil(analysis.last_responding_hop(sample.path({}, {})))
  end)

  it("lists the addresses", function()
    assert.same({ { "10.0.0.1" }, { "10.0.0.2" }, { "10.0.0.3" }, {}, { "10.0.5.1", "10.0.5.2" }, { "203.0.113.1" } },
      analysis.ip_path(routed()))
  end)

  it("tells healthy, lossy and silent hops, and the target", function()
    local colo = sample.losses({ { 10, 0 }, { 10, 10 }, { 10, 4 } })
    assert.same({
      { ttl = 1, status = "healthy", role = "intermediate" },
      { ttl = 2, status = "silent", role = "intermediate" },
      { ttl = 3, status = "lossy", role = "target" },
    }, analysis.hop_status(colo))
  end)

  it("shows load-balanced hops with shares", function()
    local hops = analysis.multipath(routed())
    assert.equal(1, #hops)
    assert.equal(5, hops[1].ttl)
    assert.equal("10.0.5.1", hops[1].nodes[1].ip)
    assert.near(200 / 3, hops[1].nodes[1].share, 1e-9)
    assert.near(100 / 3, hops[1].nodes[2].share, 1e-9)
  end)
end)

describe("analysis.as_path", function()
  it("joins adjacent repeats only", function()
    local segments, boundaries, text = analysis.as_path(routed())
    assert.equal("AS13335 AS174 AS13335", text)
    assert.same({
      { asn = "AS13335", first_ttl = 1, last_ttl = 3 },
      { asn = "AS174", first_ttl = 5, last_ttl = 5 },
      { asn = "AS13335", first_ttl = 6, last_ttl = 6 },
    }, segments)
    assert.same({
      { from = "AS13335", to = "AS174", from_ttl = 3, to_ttl = 5 },
      { from = "AS174", to = "AS13335", from_ttl = 5, to_ttl = 6 },
    }, boundaries)
  end)

  it("is empty where nothing is known", function()
    local segments, boundaries, text = analysis.as_path(sample.path({}, {}))
    assert.same({}, segments)
    assert.same({}, boundaries)
    assert.equal("", text)
  end)
end)

describe("analysis.path_id", function()
  it("is the same for the same path on every Lua", function()
    -- Computed apart: the keys "1:\1\1\1\1" under h = (h * f + byte) % 4294967291 from 5381, f 263 and 65599.
    assert.equal("10139f714142a6ac", analysis.path_id(sample.published()[1].colos[1]))
  end)

  it("does not depend on RTT, on the order within a hop, nor on a silent tail", function()
    local one, other = routed(), routed()
    local hop = other.hops[5]
    hop.nodes[1], hop.nodes[2] = hop.nodes[2], hop.nodes[1]
    hop.nodes[1].packet_count, hop.nodes[1].mean_rtt_ms = 9, 99
    other.hops[7] = { packets_ttl = 7, packets_sent = 3, packets_lost = 3, nodes = {} }
    assert.equal(analysis.path_id(one), analysis.path_id(other))
    assert.truthy(analysis.path_id(one):find("^%x+$"))
    assert.equal(16, #analysis.path_id(one))
  end)

  it("differs when a node does, and where silence is", function()
    local one, other, third = routed(), routed(), routed()
    other.hops[2].nodes[1].ip = "10.0.0.9"
    third.hops[2].nodes = {}
    assert.are_not.equal(analysis.path_id(one), analysis.path_id(other))
    assert.are_not.equal(analysis.path_id(one), analysis.path_id(third))
  end)

  it("is nil when nothing answered", function()
    assert.is_nil(analysis.path_id(sample.path({}, { { 3, 3 } })))
  end)
end)
