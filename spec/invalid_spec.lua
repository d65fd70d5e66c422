local core = require "traceroute.core"
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

  describe("guarded", function()
    local function fault(argument)
      return #argument.missing.member
    end
    local guarded = invalid.guarded("place", fault)

    it("hands on arguments and what is returned", function()
      local read = invalid.guarded("place", function(...)
        return select("#", ...), ...
      end)
      assert.equal(5, select("#", read(nil, 2, nil, nil)))
      assert.same({ 4, nil, 2 }, { read(nil, 2, nil, nil) })
    end)

    it("raises a fault of its own: no argument can have been the reason", function()
      local raised = select(2, pcall(fault, {}))
      assert.matches("attempt to index", raised)
      for _, argument in ipairs {
        {}, { { deep = { 1 } } }, { select(2, invalid.value(nil, "x")) }, setmetatable({}, core.result_metatable),
        { setmetatable({}, core.error_metatable) },
      } do
        local ran, found = pcall(guarded, argument)
        assert.is_false(ran)
        assert.equal(raised, found)
      end
    end)

    it("refuses an argument whose metamethods may have raised, however deep they are", function()
      local trap = setmetatable({}, { __index = function() error("trap") end })
      local hidden = setmetatable({}, { __index = {}, __metatable = false })
      local disguised = setmetatable({}, { __index = {}, __metatable = core.result_metatable })
      local layered = setmetatable({}, setmetatable({ __index = {} }, { __eq = function() error("layered trap") end }))
      for _, argument in ipairs {
        trap, { { trap } }, { [trap] = 1 }, { hidden }, { disguised }, { layered }, { io.stdout },
      } do
        local value, err = guarded(argument)
        assert.is_nil(value)
        assert.equal("invalid_request", err.kind)
        assert.equal("place", err.path)
        assert.matches("^raised: ", err.message)
      end
      local value, err = guarded(setmetatable({}, { __index = 5 }))
      assert.is_nil(value)
      assert.equal("invalid_request", err.kind)
    end)

    it("names the argument whose metamethods may have raised, where it is told the names", function()
      local trap = setmetatable({}, { __index = function() error("trap") end })
      local named = invalid.guarded({ "first", "second" }, fault)
      assert.equal("first", select(2, named({ trap }, { trap })).path)
      assert.equal("second", select(2, named({}, { trap })).path)
      assert.equal("first", select(2, named({}, {}, trap)).path)
      assert.is_false(pcall(named, {}, {}))
    end)

    it("raises lack of memory and an interrupt, whoever they come from", function()
      for _, raised in ipairs { "not enough memory", "interrupted!" } do
        local trap = setmetatable({}, { __index = function() error(raised, 0) end })
        assert.same({ false, raised }, { pcall(guarded, trap) })
      end
    end)
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
