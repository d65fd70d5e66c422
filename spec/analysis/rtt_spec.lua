local analysis = require "traceroute.analysis"
local sample = require "spec.support.sample"

-- One hop per best RTT in ms; false is a silent hop. The last is the target unless f says otherwise.
local function path(rtts, f)
  local list = {}
  for ttl, rtt in ipairs(rtts) do
    list[ttl] = { 3, rtt and 0 or 3, rtt and sample.node("10.0.0." .. ttl, { mean = rtt, asn = "AS" .. ttl }) or nil }
  end
  return sample.path(f or { ip = "10.0.0." .. #rtts }, list)
end

local function jumps(rtts, f, opts)
  local out = {}
  for i, jump in ipairs(assert(analysis.rtt_jumps(path(rtts, f), nil, opts))) do
    out[i] = ("%d>%d %g/%g"):format(jump.from_ttl, jump.ttl, jump.kept_ms, jump.delta_ms)
  end
  return table.concat(out, " ")
end

describe("analysis.rtt_jumps", function()
  it("finds a jump that later hops keep", function()
    assert.equal("2>3 70/70", jumps { 1, 2, 72, 73, 74 })
  end)

  it("passes over a single slow hop", function()
    assert.equal("", jumps { 1, 2, 90, 3, 4 })
  end)

  it("counts only what is kept", function()
    -- Hop 3 shows +88, the least beyond is 32: 30 are kept.
    assert.equal("2>3 30/88", jumps { 1, 2, 90, 32, 33 })
  end)

  it("measures from the hop before that answered", function()
    assert.equal("1>4 50/50", jumps { 1, false, false, 51, 52 })
  end)

  it("takes the target's own RTT for kept, and no other last hop's", function()
    assert.equal("2>3 60/60", jumps { 1, 2, 62 })
    assert.equal("", jumps({ 1, 2, 62 }, { ip = "203.0.113.1" }))
  end)

  it("takes an RTT of 0 for a measurement", function()
    assert.equal("1>2 20/20", jumps { 0, 20, 21 })
  end)

  it("finds several, and keeps to the threshold", function()
    assert.equal("1>2 20/20 3>4 50/50", jumps { 1, 21, 22, 72, 73 })
    assert.equal("3>4 50/50", jumps({ 1, 21, 22, 72, 73 }, nil, { min_ms = 21 }))
    assert.equal("", jumps { 1, 10.5, 20, 29 })
  end)

  it("names the ASes on both sides", function()
    local jump = analysis.rtt_jumps(path { 1, 2, 72, 73 })[1]
    assert.equal("AS2 AS3 2 72 1", table.concat({ jump.from_asn, jump.asn, jump.from_rtt_ms, jump.rtt_ms,
      jump.later_hops }, " "))
  end)

  it("has none in an empty path", function()
    assert.same({}, analysis.rtt_jumps({}))
  end)
end)
