local cjson = require "cjson"
local fields = require "traceroute.fields"

describe("fields", function()
  it("writes an AS number one way", function()
    for _, same in ipairs { "AS13335", "as13335", "13335", 13335, 13335.0, "AS013335", "AS13335 CLOUDFLARENET" } do
      assert.equal("AS13335", fields.asn(same))
    end
    for _, none in ipairs { "", "*", "AS", "AS0", 0, "x1", "1x", cjson.null, true } do
      assert.is_nil(fields.asn(none))
    end
  end)

  it("makes integers of whole numbers and of nothing else", function()
    assert.equal("3", tostring(fields.integer(3.0)))
    assert.is_nil(fields.integer(3.5))
    assert.equal(2 ^ 53, fields.integer(2 ^ 53))
    for _, value in ipairs { 2 ^ 53 * 2, -2 ^ 53 * 2, 1e300, math.huge, -math.huge, 0 / 0 } do
      assert.is_nil(fields.integer(value))
    end
    assert.is_nil(fields.integer("3"))
    assert.is_nil(fields.integer(cjson.null))
  end)

  it("takes neither null nor NaN nor infinity for a number", function()
    assert.equal(0, fields.number(0))
    for _, none in ipairs { cjson.null, 0 / 0, math.huge, -math.huge, "1" } do
      assert.is_nil(fields.number(none))
    end
  end)

  it("tells an answer from silence", function()
    assert.is_true(fields.answered { ip = "192.0.2.1", packet_count = 3, mean_rtt_ms = 0 })
    assert.is_true(fields.answered { ip = "192.0.2.1" })
    for _, silent in ipairs { { ip = "", name = "NO RESPONSE", packet_count = 3 }, { ip = cjson.null }, {},
      { ip = "*" }, { ip = "192.0.2.1", packet_count = 0 }, cjson.null } do
      assert.is_false(fields.answered(silent))
    end
  end)

  it("knows a refusal by its label", function()
    for _, label in ipairs { "no-route", "!H", "!N", "!X", "!13" } do
      assert.is_true(fields.refuses { ip = "", labels = { "MPLS L=1,E=0,S=1,T=1", label } }, label)
    end
    for _, none in ipairs { {}, { labels = cjson.null }, { labels = {} }, { labels = { 1, "H", "!" } }, cjson.null } do
      assert.is_false(fields.refuses(none))
    end
  end)

  it("computes loss where packets were sent", function()
    assert.equal(50, fields.loss { packets_sent = 10, packets_lost = 5 })
    assert.equal(0, fields.loss { packets_sent = 10, packets_lost = 0 })
    assert.equal(100, fields.loss { packets_sent = 3, packets_lost = 4 })
    assert.is_nil(fields.loss { packets_sent = 0, packets_lost = 0 })
    assert.is_nil(fields.loss { packets_sent = 3, packets_lost = -1 })
    assert.is_nil(fields.loss { packets_sent = cjson.null, packets_lost = 1 })
    assert.is_nil(fields.loss {})
  end)

  it("reads a target's summary in both spellings", function()
    local one = { ip = "1.1.1.1", packet_count = 3, mean_latency_ms = 2, min_latency_ms = 1, max_latency_ms = 4,
      std_dev_latency_ms = 0.5 }
    local other = { ip = "1.1.1.1", packet_count = 3, mean_rtt_ms = 2, min_rtt_ms = 1, max_rtt_ms = 4,
      std_dev_rtt_ms = 0.5 }
    local read = fields.summary { target_summary = one }
    assert.same({ ip = "1.1.1.1", packet_count = 3, mean_rtt_ms = 2, min_rtt_ms = 1, max_rtt_ms = 4,
      std_dev_rtt_ms = 0.5 }, read)
    assert.same(read, fields.summary { target_summary = other })
  end)

  it("takes an RTT of 0 for a measurement only where packets were counted", function()
    local function mean(count)
      return fields.summary({ target_summary = { ip = "1.1.1.1", packet_count = count, mean_rtt_ms = 0 } }).mean_rtt_ms
    end
    assert.equal(0, mean(1))
    assert.is_nil(mean(0))
    assert.is_nil(fields.summary { target_summary = cjson.null }.mean_rtt_ms)
    assert.is_nil(fields.summary {}.ip)
  end)
end)
