-- allow and deny of probe(): which networks a survey may send to, once names are resolved. Stays on loopback.

local traceroute = require "traceroute"

local function probe(targets, opts)
  opts.resolve, opts.asn = false, false
  return traceroute.probe(targets, opts)
end

describe("the networks that may be probed", function()
  it("are all, unless said otherwise", function()
    local result, err = probe({ "127.0.0.1", "localhost" }, { family = "ipv4" })
    assert.is_nil(err)
    assert.equal("127.0.0.1", result[2].colos[1].hops[1].nodes[1].ip)
  end)

  it("are the public ones and those allowed, where there is a list", function()
    for _, opts in ipairs { { allow = {} }, { deny = {} }, { deny = { "203.0.113.0/24" } } } do
      local result, err = probe({ "127.0.0.1" }, opts)
      assert.is_nil(result)
      assert.equal("permission", err.kind)
      assert.equal("targets", err.path)
      assert.equal("127.0.0.1 lies in a network that may not be probed; see allow and deny", err.message)
    end
    local result, err = probe({ "127.0.0.1", "localhost", "::ffff:10.0.0.1", "127.0.1.1" },
      { allow = { "127.0.0.0/24" } })
    assert.equal(2, #result)
    assert.same({ "::ffff:10.0.0.1", "127.0.1.1" }, err.targets)
    assert.equal("permission", err.kind)
  end)

  it("are never those denied, whatever is allowed", function()
    for _, allow in ipairs { { "127.0.0.0/8" }, { "0.0.0.0/0" } } do
      local result, err = probe({ "127.0.0.1", "127.9.0.1" }, { allow = allow, deny = { "127.9.0.0/16" } })
      assert.equal(1, #result)
      assert.same({ "127.9.0.1" }, err.targets)
    end
  end)

  it("have to be networks", function()
    for _, case in ipairs {
      { "10.0.0.0/8", "allow", "array of strings expected" }, { { 7 }, "allow[1]", "string expected" },
      { { "10.0.0.0/8", "10.0.0.0/33" }, "allow[2]", "a network such as 192.0.2.0/24" },
      { { "1.1.1.1\0" }, "allow[1]", "a network such as" }, { { x = "10.0.0.0/8" }, "allow", "other keys or gaps" },
    } do
      local result, err = probe("127.0.0.1", { allow = case[1] })
      assert.is_nil(result)
      assert.equal("invalid_request", err.kind)
      assert.equal(case[2], err.path)
      assert.matches(case[3], err.message, 1, true)
    end
  end)
end)
