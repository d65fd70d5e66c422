-- What others pass, checked by the core without anything being started.

local core = require "traceroute.core"

describe("vet_options", function()
  it("takes what the object has", function()
    assert.is_true(core.vet_options("measure", { max_ttl = 64, packet_type = "gre", wait_time = 5 }))
    assert.is_true(core.vet_options("measure", {}))
    assert.is_true(core.vet_options("measure", nil))
    assert.is_true(core.vet_options("probe_options", { allow = { "10.0.0.0/8" }, max_ttl = 3 }))
    assert.is_true(core.vet_options("options", { token = "t", base_url = "https://colo.example" }))
  end)

  it("refuses anything else, by the path", function()
    for path, options in pairs {
      max_ttl = { max_ttl = 65 }, token = { token = "t" }, rate = { rate = 5 }, opts = "text",
      packet_type = { packet_type = "sctp" }, wait_time = { wait_time = 0 },
    } do
      local ok, err = core.vet_options("measure", options)
      assert.is_nil(ok)
      assert.equal("invalid_request", err.kind)
      assert.equal(path, err.path)
    end
  end)

  it("knows only what is passed", function()
    for _, name in ipairs { "node", "", 5, false } do
      local ok, err = core.vet_options(name, {})
      assert.is_nil(ok)
      assert.same({ "invalid_request", "of" }, { err.kind, err.path })
    end
  end)
end)

describe("vet_targets", function()
  it("returns each target once, in its first spelling", function()
    assert.same({ "One.Example.", "2001:DB8:0::1" },
      core.vet_targets { "One.Example.", "2001:DB8:0::1", "one.example" })
  end)

  it("refuses what cannot be traced", function()
    for path, targets in pairs { ["targets[2]"] = { "a.example", "a b" }, targets = {}, ["targets[1]"] = { false } } do
      local list, err = core.vet_targets(targets)
      assert.is_nil(list)
      assert.equal(path, err.path)
    end
  end)
end)
