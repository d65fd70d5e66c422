local address = require "traceroute.address"

local function hex(ip)
  local bytes = address.parse(ip)
  return bytes and (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

describe("address", function()
  it("reads IPv4 and IPv6", function()
    assert.equal("c0000201", hex "192.0.2.1")
    assert.equal("20010db8000000000000000000000001", hex "2001:db8::1")
    assert.equal("20010db8000000000000000000000001", hex "2001:0DB8:0:0:0:0:0:1")
    assert.equal(("0"):rep(32), hex "::")
    assert.equal("00010000000000000000000000000000", hex "1::")
    assert.equal("00010002000300040005000600070000", hex "1:2:3:4:5:6:7::")
    assert.equal("0064ff9b0000000000000000c0000201", hex "64:ff9b::192.0.2.1")
  end)

  it("takes a mapped IPv4 address for what it is", function()
    assert.equal("c0000201", hex "::ffff:192.0.2.1")
  end)

  it("refuses all else", function()
    for _, bad in ipairs { "", "1.2.3", "1.2.3.256", "1.2.3.4.5", "1.2.3.4 ", ":::", "1::2::3", ":1", "1:",
      "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7", "g::", "12345::", "1:2:3:4:5:6:7::8", "::1.2.3.400", "example.com" } do
      assert.is_nil(address.parse(bad), bad)
    end
    assert.is_nil(address.parse(nil))
    assert.is_nil(address.parse({}))
    assert.is_nil(address.parse(("1:"):rep(1000)))
  end)

  local function inside(network, ip)
    return address.contains(address.network(network), address.parse(ip))
  end

  it("knows what lies in a network", function()
    assert.is_true(inside("192.0.2.0/24", "192.0.2.255"))
    assert.is_false(inside("192.0.2.0/24", "192.0.3.0"))
    assert.is_true(inside("10.0.0.0/9", "10.127.255.255"))
    assert.is_false(inside("10.0.0.0/9", "10.128.0.0"))
    assert.is_true(inside("0.0.0.0/0", "203.0.113.9"))
    assert.is_true(inside("192.0.2.1", "192.0.2.1"))
    assert.is_false(inside("192.0.2.1", "192.0.2.2"))
    assert.is_true(inside("2001:db8::/33", "2001:db8:7fff::1"))
    assert.is_false(inside("2001:db8::/33", "2001:db8:8000::1"))
    assert.is_false(inside("::/0", "192.0.2.1"))
    assert.is_true(inside("::ffff:192.0.2.0/120", "192.0.2.9"))
  end)

  it("refuses what is no network", function()
    for _, bad in ipairs { "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "192.0.2.0/-1", "/24", "x/24",
      "192.0.2.0/24/8", "::ffff:192.0.2.0/90" } do
      assert.is_nil(address.network(bad), bad)
    end
  end)
end)
