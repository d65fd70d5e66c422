local analysis = require "traceroute.analysis"
local sample = require "spec.support.sample"

local node = sample.node

local function path(colo, rtt, asn, lost)
  return sample.path({ colo = colo, ip = "203.0.113.1", mean = rtt }, {
    { 10, 0, node("10.0.0.1", { asn = "AS13335" }) },
    { 10, lost or 0, node("203.0.113.1", { asn = asn, mean = rtt }) },
  })
end

describe("analysis.summary", function()
  it("counts, ranks and groups the colos of a target", function()
    local found = analysis.summary { target = "a.example", colos = {
      path("den01", 30, "AS174"), path("sin02", 10, "AS3356", 5), path("lhr01", 20, "AS174"),
      sample.path({ colo = "fra01", ip = "203.0.113.1" }, {
        { 10, 0, node("10.0.0.1", { asn = "AS13335" }) }, { 10, 10 } }),
      sample.path({ colo = "ams01", error = "Could not gather traceroute data: Code 3" }, {}),
    } }
    assert.equal("5 3 1 1 1",
      table.concat({ found.colos, found.reached, found.unreached, found.unknown, found.failed }, " "))
    assert.same({ best = 10, best_colo = "sin02", median = 20, worst = 30, worst_colo = "den01" }, found.rtt_ms)
    -- 0, 50, 0 and 100 where it did not answer; the colo in error counted nothing.
    assert.same({ best = 0, best_colo = "den01", median = 25, worst = 100, worst_colo = "fra01" }, found.loss_percent)
    assert.equal(2, found.hops.median)
    assert.same({
      { as_path = "AS13335 AS174", colos = { "den01", "lhr01" }, count = 2, reached = 2, median_rtt_ms = 25 },
      { as_path = "AS13335 AS3356", colos = { "sin02" }, count = 1, reached = 1, median_rtt_ms = 10 },
      { as_path = "AS13335", colos = { "fra01" }, count = 1, reached = 0 },
    }, found.as_paths)
  end)

  it("counts a colo that sent nothing among the failed", function()
    local found = analysis.summary { target = "a.example", colos = {
      sample.path({ colo = "fra01", ip = "203.0.113.1" }, {}),
      sample.path({ colo = "ams01", ip = "203.0.113.1" }, { { 0, 0 } }) } }
    assert.equal("2 0 0 2 2",
      table.concat({ found.colos, found.reached, found.unreached, found.unknown, found.failed }, " "))
    assert.is_nil(found.loss_percent.worst)
  end)

  it("takes both spellings of the target's summary", function()
    local colo = path("den01", 30, "AS174")
    colo.target_summary = { ip = "203.0.113.1", packet_count = 3, mean_latency_ms = 31 }
    assert.equal(31, analysis.summary({ target = "a.example", colos = { colo } }).rtt_ms.median)
    assert.equal(0.021, analysis.summary(sample.published()[1]).rtt_ms.median)
  end)

  it("has nothing to say of no colos", function()
    local found = analysis.summary { target = "a.example", colos = {} }
    assert.equal(0, found.colos)
    assert.is_nil(found.rtt_ms.median)
    assert.same({}, found.as_paths)
  end)

  it("refuses a whole result", function()
    assert.equal("invalid_request: target: an element of a result expected, got the result",
      tostring(select(2, analysis.summary(sample.published()))))
    assert.equal("invalid_request: target: an element of a result expected, got nil",
      tostring(select(2, analysis.summary(nil))))
  end)
end)
