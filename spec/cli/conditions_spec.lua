local analysis = require "traceroute.analysis"
local conditions = require "traceroute.cli.conditions"
local sample = require "spec.support.sample"

local node = sample.node

local function met(written, result, diff)
  return conditions.met(assert(conditions.parse { written }), result, diff)
end

-- One path of two hops: 30 ms and 20 % loss at the target.
local function fair()
  return sample.result("a.example", sample.path({ colo = "den01", ip = "203.0.113.1", mean = 30 }, {
    { 10, 0, node "10.0.0.1" }, { 10, 2, node("203.0.113.1", { mean = 30, count = 8 }) } }))
end

local function silent()
  return sample.result("a.example", sample.path({ colo = "den01", ip = "203.0.113.1" },
    { { 10, 0, node "10.0.0.1" }, { 10, 10 } }))
end

local function failed()
  return sample.result("a.example",
    sample.path({ colo = "den01", error = "Could not gather traceroute data: Code 1" }, {}))
end

describe("conditions", function()
  it("compare with what the target shows", function()
    assert.same({ "loss>5: a.example from den01: 20.0% loss" }, met("loss>5", fair()))
    assert.same({}, met("loss>20", fair()))
    assert.same({ "loss>=20: a.example from den01: 20.0% loss" }, met("loss>=20", fair()))
    assert.same({ "rtt > 29.5: a.example from den01: 30.00 ms" }, met("rtt > 29.5", fair()))
    assert.same({}, met("rtt<30", fair()))
    assert.equal(1, #met("rtt<=30", fair()))
    assert.same({ "hops>1: a.example from den01: 2 hops" }, met("hops>1", fair()))
    assert.equal(1, #met("loss>5%", fair()))
  end)

  it("take a target that does not answer for all lost and for no RTT", function()
    assert.same({ "loss>99: a.example from den01: 100.0% loss" }, met("loss>99", silent()))
    assert.same({}, met("rtt>0", silent()))
    assert.same({ "unreached: a.example from den01: no answer from the target" }, met("unreached", silent()))
    assert.same({}, met("unreached", fair()))
  end)

  it("take a path that max_ttl cut off for no loss, nor for an unreached target", function()
    local cut = silent()
    cut[1].colos[1].hops[2] = nil
    sample.cut(cut[1].colos[1])
    assert.same({}, met("loss>0,unreached", cut))
  end)

  it("tell a data centre's failure from the target's", function()
    local result = fair()
    result[1].colos[2] = failed()[1].colos[1]
    assert.same({}, met("unreached", result))
    assert.same({ "error: a.example from den01: Could not gather traceroute data: Code 1" }, met("error", result))
    assert.same({ "unreached: a.example: no path was measured" }, met("unreached", failed()))
    assert.same({ "unreached: a.example: no path was measured" }, met("unreached", sample.result("a.example")))
    assert.same({ "unreached: a: no path was measured", "unreached: ?: no path was measured" },
      met("unreached", { { target = "a", colos = {} }, 7 }))
  end)

  it("hold when a path changed, came or went", function()
    local other = fair()
    other[1].colos[1].hops[1].nodes[1].ip = "10.0.0.9"
    assert.same({ "path-changed: a.example from den01: from hop 1 on" },
      met("path-changed", other, analysis.diff(fair(), other)))
    assert.same({}, met("path-changed", fair(), analysis.diff(fair(), fair())))
    assert.same({ "path-changed: a.example from den01: is new" },
      met("path-changed", fair(), analysis.diff(sample.result("a.example"), fair())))
    assert.same({ "path-changed: a.example from den01: is gone" }, met("path-changed", {}, analysis.diff(fair(), {})))
    assert.same({}, met("path-changed", fair(), nil))
  end)

  it("say nothing of an empty result", function()
    assert.same({}, met("loss>0,rtt>0,hops>0,unreached,error,path-changed", {}))
  end)

  it("may be several", function()
    assert.equal(2, #met("loss>5,rtt>1", fair()))
    local list = assert(conditions.parse { "loss>5", "unreached,path-changed" })
    assert.equal(3, #list)
    assert.is_true(conditions.need_earlier(list))
    assert.is_false(conditions.need_earlier(assert(conditions.parse { "loss>5" })))
  end)

  it("refuse what they do not know", function()
    local function refused(written)
      local list, err = conditions.parse { written }
      assert.is_nil(list, written)
      return err.message
    end
    assert.equal("no condition 'los>5', did you mean loss?", refused "los>5")
    assert.equal("no condition 'path-chnaged', did you mean path-changed?", refused "path-chnaged")
    assert.equal("loss needs a comparison and a number: loss>5", refused "loss")
    assert.equal("loss needs a comparison and a number: loss>5", refused "loss=5")
    assert.equal("rtt needs a comparison and a number: rtt>5", refused "rtt>fast")
    for _, bad in ipairs { "", "loss>5,", ",", ">5", "unreached>1", "loss>>5", "loss>-1" } do
      refused(bad)
    end
  end)

  it("keep control characters from the lines", function()
    local result = silent()
    result[1].target = "a\27[31m\nb"
    assert.equal("unreached: a?[31m?b from den01: no answer from the target", met("unreached", result)[1])
  end)
end)
