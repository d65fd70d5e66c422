local json = require "traceroute.json"
local sample = require "spec.support.sample"
local saved = require "traceroute.cli.saved"

local function target(name, ...)
  local colos = {}
  for i, colo in ipairs { ... } do
    colos[i] = sample.path({ colo = colo }, { { 3, 3 } })
  end
  return { target = name, colos = colos }
end

-- "a: den01 sin02; b: den01"
local function short(result)
  local out = {}
  for i, one in ipairs(result) do
    local names = {}
    for j, colo in ipairs(one.colos) do
      names[j] = colo.colo.name
    end
    out[i] = one.target .. ": " .. table.concat(names, " ")
  end
  return table.concat(out, "; ")
end

describe("a saved result", function()
  it("that is cut off anywhere is said to be", function()
    local whole = '[{"target":"a\\"\\u00e9","colos":[{"x":[-1.5e3,true,false,null],"hops":[]}]}]'
    assert.is_table(saved.decode(whole))
    for size = 1, #whole - 1 do
      assert.same({ nil, "is cut off" }, { select(1, saved.decode(whole:sub(1, size))),
        (select(2, saved.decode(whole:sub(1, size)))) }, whole:sub(1, size))
    end
  end)

  it("that is none is said to be", function()
    for _, empty in ipairs { "", " \n" } do
      assert.equal("is empty", select(2, saved.decode(empty)))
    end
    for _, other in ipairs { "h1", "[}", "[1]", "{x}", "[] x", '{"success":false}', "[nule]" } do
      assert.matches("^holds no saved result: ", (select(2, saved.decode(other))), other)
    end
    local files = { read = function() return "[" end }
    assert.equal("x is cut off", select(2, saved.read(files, "x")))
    assert.equal("standard input is cut off", select(2, saved.read(files, "-")))
  end)
end)

describe("an earlier run and a later one", function()
  local earlier = { target("a", "den01", "sin02"), target("b", "den01"), target("c", "den01") }

  it("are compared where the later one arrived", function()
    local later = { target("a", "den01") }
    assert.equal(earlier, saved.comparable(earlier, later, {}))
    assert.equal("a: den01; c: den01", short(saved.comparable(earlier, later, { a = true, b = true })))
    assert.equal("a: den01 sin02; c: den01", short(saved.comparable(earlier, later, { b = true })))
  end)

  it("are kept together where it did not", function()
    local later = { target("a", "sin02"), target("d", "den01") }
    assert.equal(later, saved.kept(earlier, later, {}))
    assert.equal("a: sin02; d: den01", short(saved.kept(nil, later, { a = true })))
    assert.equal("a: sin02 den01; d: den01; b: den01", short(saved.kept(earlier, later, { a = true, b = true })))
    assert.equal("a: sin02; d: den01; c: den01", short(saved.kept(earlier, later, { c = true })))
    assert.equal("a: den01 sin02; b: den01; c: den01", short(earlier))
  end)

  it("leave out paths whose target had not arrived", function()
    local nameless = target("a", "sin02")
    nameless.target = nil
    local later = { target("a", "den01"), nameless }
    assert.equal(later, saved.named(later, {}))
    assert.equal("a: den01", short(saved.named(later, { a = true })))
    assert.equal("a: den01 sin02; b: den01; c: den01", short(saved.kept(earlier, later,
      { a = true, b = true, c = true })))
    assert.equal(later, saved.kept(nil, later, {}))
    assert.equal("a: den01", short(saved.kept(nil, later, { a = true })))
  end)

  it("know what did not arrive", function()
    assert.same({}, saved.incomplete({ "a" }, nil))
    assert.same({ b = true }, saved.incomplete({ "a", "b" }, { targets = { "b" } }))
    assert.same({ a = true, b = true }, saved.incomplete({ "a", "b" }, { kind = "timeout" }))
  end)

  it("may hold what is no path", function()
    local odd = assert(json.result '[{"target":1,"colos":[7,{}]},{"colos":{"x":1}}]')
    assert.is_table(saved.comparable(odd, odd, { a = true }))
    assert.is_table(saved.kept(odd, odd, { [""] = true }))
  end)
end)
