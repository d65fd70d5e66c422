local invalid = require "traceroute.invalid"

describe("invalid", function()
  it("makes an error that reads in one line", function()
    local none, err = invalid.value("opts.width", "bad\nthing")
    assert.is_nil(none)
    assert.equal("invalid_request", err.kind)
    assert.equal("opts.width", err.path)
    assert.equal("bad?thing", err.message)
    assert.equal("invalid_request: opts.width: bad?thing", tostring(err))
    assert.equal("invalid_request: bad", tostring(select(2, invalid.value(nil, "bad"))))
  end)

  it("suggests the nearest name", function()
    local known = { columns = 1, color = 1, width = 1, ip = 1 }
    assert.equal("columns", invalid.nearest("colums", known))
    assert.equal("color", invalid.nearest("colour", known))
    assert.equal("width", invalid.nearest("Width", known))
    assert.is_nil(invalid.nearest("verdict", known))
    assert.is_nil(invalid.nearest(("x"):rep(100000), known))
  end)

  it("checks names and types of options", function()
    local known = { width = "number", color = "boolean" }
    assert.same({}, invalid.options(nil, known, "opts"))
    local opts = { width = 3 }
    assert.equal(opts, invalid.options(opts, known, "opts"))
    local function refused(bad)
      return tostring(select(2, invalid.options(bad, known, "opts")))
    end
    assert.equal("invalid_request: opts.widht: unknown, did you mean width?", refused { widht = 1 })
    assert.equal("invalid_request: opts.width: number expected, got string", refused { width = "3" })
    assert.equal("invalid_request: opts.width: not a number", refused { width = 0 / 0 })
    assert.equal("invalid_request: opts: names are strings, got a number", refused { 1 })
    assert.equal("invalid_request: opts: table expected, got string", refused "x")
  end)
end)
