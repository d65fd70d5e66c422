local analysis = require "traceroute.analysis"
local report = require "traceroute.report"
local sample = require "spec.support.sample"

local node = sample.node

-- A path through nodes of AS 1 to 3, named by numbers, that ends at 10.0.0.9; 0 is a silent hop.
local function path(hops, f)
  local list = {}
  for i, number in ipairs(hops) do
    list[i] = number == 0 and { 3, 3 }
      or { 3, 0, node("10.0.0." .. number, { asn = "AS" .. (number % 3 + 1), mean = number }) }
  end
  f = f or {}
  f.ip = "10.0.0.9"
  return sample.path(f, list)
end

local function drawn(a, b, opts)
  return report.diff(analysis.diff(a, b, "a.example"), opts)
end

describe("report.diff", function()
  it("draws where a path changed, through which networks, and how loss and RTT moved", function()
    assert.equal("a.example from den01: changed between hop 1 and hop 3\n"
      .. "  hop 1: 10.0.0.1 -> 10.0.0.2\n"
      .. "  hop 3: 10.0.0.4 -> 10.0.0.5\n"
      .. "  AS path AS2 AS1 AS2 AS1 -> AS3 AS1 AS3 AS1\n"
      .. "  RTT 9.00 ms -> 12.00 ms (+3.00)\n"
      .. "  loss 0.0% -> 0.0% (+0.00)\n",
      drawn(path({ 1, 3, 4, 9 }, { mean = 9 }), path({ 2, 3, 5, 9 }, { mean = 12 })))
  end)

  it("draws a single hop as one, and where the other path had none", function()
    assert.truthy(drawn(path { 1, 9 }, path { 4, 9 }):find("^a.example from den01: changed at hop 1\n"))
    assert.truthy(drawn(path { 1, 9 }, path { 1, 0, 9 }):find("\n  hop 3: ??? -> 10.0.0.9\n", 1, true))
  end)

  it("says when a target is no longer reached, or is again, and why", function()
    local reached, lost = path({ 1, 9 }, { mean = 9 }), path({ 1, 0 }, { error = "no\27 more" })
    local there, back = drawn(reached, lost), drawn(lost, reached)
    assert.truthy(there:find("\n  RTT 9.00 ms -> none\n", 1, true), there)
    assert.truthy(there:find("\n  no longer reached\n  no? more\n", 1, true), there)
    assert.truthy(back:find("\n  now reached\n", 1, true), back)
    assert.is_nil(drawn(path { 0, 0 }, path { 0, 0 }):find("RTT", 1, true))
    -- A colo that could not measure says nothing of the target.
    local failed = path({ 0 }, { error = "no more" })
    assert.is_nil(drawn(reached, failed):find("reached", 1, true))
    assert.is_nil(drawn(failed, reached):find("reached", 1, true))
  end)

  it("draws runs: each path, and those that one of them has alone", function()
    local function run(...)
      return sample.result("a.example", ...)
    end
    local here, there = path({ 1, 9 }, { mean = 9 }), path({ 1, 9 }, { mean = 9, colo = "sin02" })
    local same = "a.example from den01: equal\n  RTT 9.00 ms -> 9.00 ms (+0.00)\n  loss 0.0% -> 0.0% (+0.00)\n"
    assert.equal(same .. "a.example from sin02: in the earlier run alone\n", drawn(run(here, there), run(here)))
    assert.equal(same .. "a.example from sin02: in the later run alone\n", drawn(run(here), run(here, there)))
    assert.equal("no paths\n", drawn({}, {}))
  end)

  it("colours what became of a path", function()
    assert.truthy(drawn(path { 1, 9 }, path { 2, 9 }, { color = true }):find("den01: \27[31mchanged\27[0m at", 1, true))
  end)

  it("refuses what is no diff, and unknown options", function()
    for _, wrong in ipairs { false, "x", {} } do
      local text, err = report.diff(wrong)
      assert.is_nil(text)
      assert.equal("diff", err.path)
    end
    local text, err = report.diff(analysis.diff({}, {}), { colour = true })
    assert.is_nil(text)
    assert.equal("opts.colour", err.path)
  end)
end)
