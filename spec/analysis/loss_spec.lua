local analysis = require "traceroute.analysis"
local sample = require "spec.support.sample"

local node = sample.node

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
    -- Half of 10 lost at hop 2, none of 20 beyond: by the rule of succession 6/26 * 7/27 * … * 11/31.
    local read = analysis.loss(sample.losses { { 10, 0 }, { 10, 5 }, { 10, 0 }, { 10, 0 } })
    assert.equal("rate_limited", read[2].verdict)
    assert.equal("hops 3 to 4 lost 0 of 20 packets, so it does not persist", read[2].evidence)
    local chance = 1
    for i = 6, 11 do
      chance = chance * i / (i + 20)
    end
    assert.near(chance, read[2].chance, 1e-12)
    assert.equal(50, read[2].loss)
    assert.equal("20 0", read[2].later_sent .. " " .. read[2].later_lost)
  end)

  it("calls it so with the default of three packets once enough hops beyond are clean", function()
    -- Two of three lost: 3/15 * 4/16 * 2/14 = 0.007 after 12 packets, 3/12 * 4/13 * 2/11 = 0.014 after 9.
    assert.equal("rate_limited none none none none", verdicts { { 3, 2 }, { 3, 0 }, { 3, 0 }, { 3, 0 }, { 3, 0 } })
    assert.equal("unknown none none none", verdicts { { 3, 2 }, { 3, 0 }, { 3, 0 }, { 3, 0 } })
  end)

  it("blames no router that loses where the target does not", function()
    -- Hops 3 and 7 lose 2 of 10, all others none.
    local list = {}
    for h = 1, 12 do
      list[h] = { 10, (h == 3 or h == 7) and 2 or 0 }
    end
    local read = analysis.loss(sample.losses(list))
    assert.equal("rate_limited", read[3].verdict)
    assert.equal("hops 8 to 12 lost 0 of 50 packets, so it does not persist", read[7].evidence)
    assert.is_nil(analysis.loss_begins(sample.losses(list)))
    list[12][1], list[4][2] = 10, 4
    assert.not_equal("real", analysis.loss(sample.losses(list))[3].verdict)
    assert.equal("2 of 20 packets lost beyond, none of them at the target",
      analysis.loss(sample.losses { { 10, 2 }, { 10, 2 }, { 10, 0 } })[1].evidence)
  end)

  it("takes a stray loss and the target's own for what they are", function()
    local stray = { { 3, 0 }, { 3, 1 }, { 3, 0 }, { 3, 0 }, { 3, 0 }, { 3, 1 } }
    assert.equal("none unknown none none none target", verdicts(stray))
    assert.equal("1 of 12 packets lost beyond, too little to tell whether it persists",
      analysis.loss(sample.losses(stray))[2].evidence)
    assert.equal("none unknown none none none target",
      verdicts { { 10, 0 }, { 10, 2 }, { 10, 0 }, { 10, 0 }, { 10, 0 }, { 10, 4 } })
    local begin = analysis.loss_begins(sample.losses(stray))
    assert.equal("target 6 5", ("%s %d %d"):format(begin.verdict, begin.ttl, begin.from_ttl))
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
    -- 8 of 10 lost at hop 2, 1 of 10 at all others.
    assert.equal("real rate_limited real real real real", verdicts {
      { 10, 1 }, { 10, 8 }, { 10, 1 }, { 10, 1 }, { 10, 1 }, { 10, 1 } })
  end)

  it("does not let a rate-limiting target spoil the witnesses between", function()
    -- 3 of 10, then none of 30: 4/34 * 5/35 * 6/36 * 7/37 … = 0.003.
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

  it("says so where it cannot be told whether the target answered", function()
    local read = analysis.loss(sample.path({}, { { 10, 4, node "10.0.0.1" }, { 10, 4, node "10.0.0.2" } }), "a.example")
    assert.equal("4 of 10 packets lost beyond, up to hop 2; it cannot be told whether the target answered",
      read[1].evidence)
  end)

  it("says unknown below the minimum of packets", function()
    local read = analysis.loss(sample.losses { { 3, 0 }, { 3, 1 }, { 3, 1 } })
    assert.equal("unknown", read[2].verdict)
    assert.equal("only 6 packets to judge by, 10 needed", read[2].evidence)
    assert.equal("unknown", read[3].verdict)
    assert.equal("only 9 packets to judge by, 10 needed", read[3].evidence)
    assert.equal("none unknown target", verdicts({ { 3, 0 }, { 3, 1 }, { 3, 1 } }, nil, { min_packets = 9 }))
    assert.equal("1 of 3 packets lost at the target, too little to tell whether it begins before",
      analysis.loss(sample.losses { { 3, 0 }, { 3, 1 }, { 3, 1 } }, nil, { min_packets = 9 })[3].evidence)
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
    local begin = analysis.loss_begins(sample.path({ ip = "203.0.113.1" }, {
      { 10, 5, node("10.0.0.1", { asn = "AS13335", count = 5 }) },
      { 10, 0, node("10.0.0.2", { asn = "AS13335", count = 10 }) },
      { 10, 0, node("10.0.0.3", { asn = "AS13335", count = 10 }) },
      { 10, 10 },
      { 10, 3, node("10.0.0.5", { asn = "AS174", count = 7 }) },
      { 10, 4, node("203.0.113.1", { asn = "AS64500", count = 6 }) },
    }))
    assert.equal("5 AS174 10.0.0.5 30", ("%d %s %s %g"):format(begin.ttl, begin.asn, begin.ip, begin.loss))
    assert.equal("real 3 AS13335", begin.verdict .. " " .. begin.from_ttl .. " " .. begin.from_asn)
  end)

  it("is nil where there is none", function()
    assert.is_nil(analysis.loss_begins(sample.losses { { 10, 5 }, { 10, 0 }, { 10, 0 } }))
  end)

  it("says where answers end of a target that does not answer", function()
    local begin = analysis.loss_begins(sample.path(UNREACHED, {
      { 10, 0, node("10.0.0.1", { asn = "AS1" }) }, { 10, 10 }, { 10, 0, node("10.0.0.3", { asn = "AS2" }) },
      { 10, 10 }, { 10, 10 },
    }))
    assert.same({ verdict = "unreached", ttl = 4, loss = 100, from_ttl = 3, from_asn = "AS2",
      evidence = "the last answer came from hop 3, none from the target" }, begin)
    -- A hop that refused some while others went on does not end the answers.
    begin = analysis.loss_begins(sample.path(UNREACHED, { { 10, 0, node("10.0.0.1", { labels = { "!X" } }) },
      { 10, 5, node "10.0.0.2" }, { 10, 10 } }))
    assert.equal("3 2", begin.ttl .. " " .. begin.from_ttl)
    begin = analysis.loss_begins(sample.losses({ { 10, 10 }, { 10, 10 } }, UNREACHED))
    assert.same({ verdict = "unreached", ttl = 1, loss = 100, evidence = "nothing answered" }, begin)
  end)

  it("says which hop refused", function()
    local begin = analysis.loss_begins(sample.path(UNREACHED, {
      { 10, 0, node("10.0.0.1", { asn = "AS1" }) },
      { 10, 0, node("10.0.0.2", { asn = "AS2", labels = { "no-route" } }) },
    }))
    assert.same({ verdict = "unreached", ttl = 2, asn = "AS2", ip = "10.0.0.2", loss = 100, from_ttl = 1,
      from_asn = "AS1", evidence = "hop 2 said that there is no route to the target, or refused" }, begin)
  end)

  it("is where the path ends, if the hops behind it are left out", function()
    local begin = analysis.loss_begins(sample.losses({ { 10, 0 }, { 10, 0 } }, UNREACHED))
    assert.same({ "unreached", 3, 2, "the last answer came from hop 2, none from the target" },
      { begin.verdict, begin.ttl, begin.from_ttl, begin.evidence })
    assert.is_nil(begin.asn)
  end)

  it("is nil where nothing can be told of the target", function()
    assert.is_nil(analysis.loss_begins(sample.cut(sample.losses({ { 10, 0 }, { 10, 0 } }, UNREACHED))))
    local error = "Could not gather traceroute data: Code 1"
    assert.is_nil(analysis.loss_begins(sample.path({ error = error }, { { 3, 3 } })))
  end)
end)
