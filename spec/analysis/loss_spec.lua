local analysis = require "traceroute.analysis"
local sample = require "spec.support.sample"

local function verdicts(list, f, opts)
  local out = {}
  for i, verdict in ipairs(assert(analysis.loss(sample.losses(list, f), nil, opts))) do
    out[i] = verdict.verdict
  end
  return table.concat(out, " ")
end

local UNREACHED = { ip = "203.0.113.1" }

describe("analysis.loss", function()
  it("says none where nothing is lost", function()
    assert.equal("none none none", verdicts { { 10, 0 }, { 10, 0 }, { 10, 0 } })
  end)

  it("calls loss rate limiting when later hops are clean", function()
    -- Half lost at hop 2, none of 20 beyond: 0.5^20 by chance.
    local read = analysis.loss(sample.losses { { 10, 0 }, { 10, 5 }, { 10, 0 }, { 10, 0 } })
    assert.equal("rate_limited", read[2].verdict)
    assert.equal("hops 3 to 4 lost 0 of 20 packets, so it does not persist", read[2].evidence)
    assert.equal(0.5 ^ 20, read[2].chance)
    assert.equal(50, read[2].loss)
    assert.equal("20 0", read[2].later_sent .. " " .. read[2].later_lost)
  end)

  it("calls it so with the default of three packets once enough hops beyond are clean", function()
    -- (2/3)^9 = 0.026, below 0.05; (2/3)^6 = 0.088 is not.
    assert.equal("rate_limited none none none", verdicts { { 3, 1 }, { 3, 0 }, { 3, 0 }, { 3, 0 } })
    assert.equal("unknown none none", verdicts({ { 3, 1 }, { 3, 0 }, { 3, 0 } }, nil, { min_packets = 3 }))
  end)

  it("calls loss real when it persists to the target", function()
    assert.equal("none real real real real", verdicts { { 10, 0 }, { 10, 3 }, { 10, 2 }, { 10, 4 }, { 10, 3 } })
    local read = analysis.loss(sample.losses { { 10, 0 }, { 10, 3 }, { 10, 2 }, { 10, 4 }, { 10, 3 } })
    assert.equal("later hops up to the target lost 9 of 30 packets", read[2].evidence)
    assert.equal("it begins at hop 2 and persists to the target", read[5].evidence)
  end)

  it("is not misled by one lucky hop of few packets", function()
    -- A third lost everywhere but at hop 3, whose three packets came through by chance (0.3).
    assert.equal("real real none real real real real", verdicts {
      { 3, 1 }, { 3, 1 }, { 3, 0 }, { 3, 1 }, { 3, 1 }, { 3, 1 }, { 3, 1 } })
  end)

  it("tells a rate-limited hop within real loss", function()
    -- 8 of 10 lost at hop 2, 1 of 10 at all others. Fisher: far below 0.05 against 4 of 40.
    assert.equal("real rate_limited real real real real", verdicts {
      { 10, 1 }, { 10, 8 }, { 10, 1 }, { 10, 1 }, { 10, 1 }, { 10, 1 } })
  end)

  it("does not let a rate-limiting target spoil the witnesses between", function()
    -- 0.7^30 by chance at hops 2 to 4.
    assert.equal("rate_limited none none none target", verdicts {
      { 10, 3 }, { 10, 0 }, { 10, 0 }, { 10, 0 }, { 10, 5 } })
  end)

  it("blames the target for loss that only it shows", function()
    local read = analysis.loss(sample.losses { { 10, 0 }, { 10, 0 }, { 10, 4 } })
    assert.equal("target", read[3].verdict)
    assert.equal("4 of 10 packets lost at the target, no loss before it that persists", read[3].evidence)
  end)

  it("knows a hop that never answers for one, when hops beyond do", function()
    local read = analysis.loss(sample.losses { { 3, 0 }, { 3, 3 }, { 3, 3 }, { 3, 0 } })
    assert.equal("rate_limited", read[2].verdict)
    assert.equal("never answers, but hop 4 beyond it does", read[2].evidence)
    assert.equal("rate_limited", read[3].verdict)
  end)

  it("is right about what it is shown often enough", function()
    local state = 20250131
    local function lost_of(sent, rate)
      local lost = 0
      for _ = 1, sent do
        state = state * 16807 % 2147483647
        lost = lost + (state / 2147483647 < rate and 1 or 0)
      end
      return lost
    end
    -- Real loss from hop 3 to the target at hop 10, or a limit at hop 3 alone: of the hops that show
    -- loss and answered, how many are judged so.
    local function share(verdict, sent, rate, last)
      local right, all = 0, 0
      for _ = 1, 400 do
        local list = {}
        for h = 1, 10 do
          list[h] = { sent, h >= 3 and h <= last and lost_of(sent, rate) or 0 }
        end
        local found = analysis.loss(sample.losses(list))
        for h = 3, math.min(last, 9) do
          local shows = list[10][2] < sent and list[h][2] > 0 and list[h][2] < sent
          all = all + (shows and 1 or 0)
          right = right + (shows and found[h].verdict == verdict and 1 or 0)
        end
      end
      return right / all
    end
    assert.is_true(share("real", 10, 0.3, 10) > 0.95)
    assert.is_true(share("real", 10, 0.1, 10) > 0.95)
    assert.is_true(share("real", 3, 0.3, 10) > 0.95)
    assert.is_true(share("rate_limited", 10, 0.2, 3) > 0.99)
    assert.is_true(share("rate_limited", 3, 0.5, 3) > 0.99)
  end)

  it("does not judge what nothing beyond bears witness to", function()
    assert.equal("none unknown unknown", verdicts({ { 10, 0 }, { 10, 3 }, { 10, 10 } }, UNREACHED))
    local read = analysis.loss(sample.losses({ { 10, 0 }, { 10, 3 }, { 10, 10 } }, UNREACHED))
    assert.equal("no later hop answered", read[2].evidence)
    assert.equal("nothing answered from here on", read[3].evidence)
  end)

  it("does not call loss real when the target did not answer", function()
    local read = analysis.loss(sample.losses({ { 10, 3 }, { 10, 3 }, { 10, 3 }, { 10, 10 } }, UNREACHED))
    assert.equal("unknown", read[1].verdict)
    assert.equal("6 of 20 packets lost beyond, up to hop 3; the target did not answer", read[1].evidence)
  end)

  it("says unknown below the minimum of packets", function()
    local read = analysis.loss(sample.losses { { 3, 0 }, { 3, 1 }, { 3, 1 } })
    assert.equal("unknown", read[2].verdict)
    assert.equal("only 6 packets to judge by, 10 needed", read[2].evidence)
    assert.equal("unknown", read[3].verdict)
    assert.equal("only 3 packets to judge by, 10 needed", read[3].evidence)
    assert.equal("none real real", verdicts({ { 3, 0 }, { 3, 1 }, { 3, 1 } }, nil, { min_packets = 3 }))
  end)

  it("says unknown where nothing was counted", function()
    local read = analysis.loss(sample.published()[1].colos[1], "1.1.1.1")
    assert.equal("unknown", read[1].verdict)
    assert.is_nil(read[1].loss)
    assert.equal("no packets were counted", read[1].evidence)
    local absurd = sample.losses { { 1e9, 1 }, { 1e9, 1 } }
    assert.equal("unknown", analysis.loss(absurd)[1].verdict)
  end)

  it("has no hops to judge in an empty path", function()
    assert.same({}, analysis.loss(sample.path({}, {})))
    assert.same({}, analysis.loss({}))
  end)

  it("refuses unknown options", function()
    assert.equal("invalid_request: opts.min_packet: unknown, did you mean min_packets?",
      tostring(select(2, analysis.loss({}, nil, { min_packet = 3 }))))
  end)
end)

describe("analysis.loss_begins", function()
  it("names the hop and the AS where real loss begins", function()
    local node = sample.node
    local begin = analysis.loss_begins(sample.path({ ip = "203.0.113.1" }, {
      { 10, 5, node("10.0.0.1", { asn = "AS13335", count = 5 }) },
      { 10, 0, node("10.0.0.2", { asn = "AS13335", count = 10 }) },
      { 10, 0, node("10.0.0.3", { asn = "AS13335", count = 10 }) },
      { 10, 10 },
      { 10, 3, node("10.0.0.5", { asn = "AS174", count = 7 }) },
      { 10, 4, node("203.0.113.1", { asn = "AS64500", count = 6 }) },
    }))
    assert.equal("5 AS174 10.0.0.5 30", ("%d %s %s %g"):format(begin.ttl, begin.asn, begin.ip, begin.loss))
    assert.equal("3 AS13335", begin.from_ttl .. " " .. begin.from_asn)
  end)

  it("is nil where there is none", function()
    assert.is_nil(analysis.loss_begins(sample.losses { { 10, 5 }, { 10, 0 }, { 10, 0 } }))
  end)
end)
