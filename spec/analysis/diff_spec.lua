local analysis = require "traceroute.analysis"
local generate = require "spec.bench.generate"
local json = require "traceroute.json"
local sample = require "spec.support.sample"

local node = sample.node

-- A path from a word: letters are nodes of a hop, "-" a silent hop, "(ab)" two nodes. The target is "t".
local function path(word, f)
  local list = {}
  for token in word:gsub("%((%a+)%)", " %1 "):gsub("([%-])", " %1 "):gmatch("%S+") do
    local hop = { 3, token == "-" and 3 or 0 }
    for letter in token:gmatch("%a") do
      hop[#hop + 1] = node("10.0.0." .. letter:byte(), { mean = #list + 1 })
    end
    list[#list + 1] = hop
  end
  f = f or {}
  f.ip = "10.0.0." .. ("t"):byte()
  return sample.path(f, list)
end

local function status(a, b)
  local there, back = analysis.diff(path(a), path(b)).status, analysis.diff(path(b), path(a)).status
  assert.equal(there, back)
  return there
end

describe("analysis.diff of two paths", function()
  it("is equal for the same addresses", function()
    assert.equal("equal", status("a b t", "a b t"))
    assert.equal("equal", status("a (bc) t", "a (cb) t"))
    assert.equal("equal", status("a - t", "a - t"))
  end)

  it("is compatible where one side is silent, or load balancers share a node", function()
    assert.equal("compatible", status("a b t", "a - t"))
    assert.equal("compatible", status("a (bc) t", "a b t"))
    assert.equal("compatible", status("a (bc) t", "a (cd) t"))
    assert.equal("compatible", status("a b t", "a b"))
    assert.equal("compatible", status("a b t", ""))
    assert.equal("compatible", status("a b t", "a - - - -"))
  end)

  it("is changed where no address is shared, or the way is longer", function()
    assert.equal("changed", status("a b t", "a c t"))
    assert.equal("changed", status("a b t", "a b c t"))
    assert.equal("changed", status("a - t", "a - - t"))
  end)

  it("says where", function()
    local found = analysis.diff(path "a b c d t", path "a x c y t")
    assert.equal(2, found.first_change)
    assert.equal(4, found.last_change)
    assert.same({ "10.0.0.98" }, found.hops[2].a)
    assert.same({ "10.0.0.120" }, found.hops[2].b)
    assert.equal("equal", found.hops[3].status)
  end)

  it("says how loss and RTT moved", function()
    local a = sample.path({ ip = "10.0.0.2", mean = 20 }, { { 10, 0, node("10.0.0.1", { mean = 5 }) },
      { 10, 1, node("10.0.0.2", { mean = 20 }) } })
    local b = sample.path({ ip = "10.0.0.2", mean = 50 }, { { 10, 2, node("10.0.0.1", { mean = 4 }) },
      { 10, 3, node("10.0.0.2", { mean = 50 }) } })
    local found = analysis.diff(a, b)
    assert.equal("equal", found.status)
    assert.same({ a = 20, b = 50, delta = 30 }, found.rtt)
    assert.same({ a = 10, b = 30, delta = 20 }, found.loss)
    assert.same({ a = 5, b = 4, delta = -1 }, found.hops[1].rtt)
    assert.same({ a = 0, b = 20, delta = 20 }, found.hops[1].loss)
    assert.same({ a = true, b = true }, found.reached)
  end)

  it("keeps the colos' errors", function()
    local found = analysis.diff(path "a t", sample.path({ error = "Could not gather traceroute data: Code 1" }, {}))
    assert.equal("compatible", found.status)
    assert.equal("Could not gather traceroute data: Code 1", found.error.b)
    assert.is_nil(found.rtt.delta)
  end)

  it("says which side is no path", function()
    local target = { target = "t.example", colos = { path "a t" } }
    for _, case in ipairs { { { target, path "a t" }, "a" }, { { path "a t", target }, "b" }, { {}, "a" },
      { { path "a t" }, "b" } } do
      local found, err = analysis.diff(case[1][1], case[1][2])
      assert.is_nil(found)
      assert.equal(case[2], err.path)
    end
  end)
end)

describe("analysis.diff of two runs", function()
  local function run(words)
    local colos = {}
    for i, pair in ipairs(words) do
      colos[i] = path(pair[2], { colo = pair[1] })
    end
    return { { target = "t.example", colos = colos } }
  end

  it("matches paths by target and colo, in any order", function()
    local found = analysis.diff(run { { "den01", "a t" }, { "sin02", "b t" } },
      run { { "sin02", "b t" }, { "den01", "a t" } })
    assert.equal("equal", found.status)
    assert.equal("den01", found.paths[1].colo)
    assert.equal("t.example", found.paths[1].target)
  end)

  it("takes the worst of the paths", function()
    local found = analysis.diff(run { { "den01", "a t" }, { "sin02", "b t" } },
      run { { "den01", "- t" }, { "sin02", "c t" } })
    assert.equal("changed", found.status)
    assert.equal("compatible", found.paths[1].status)
    assert.equal("changed", found.paths[2].status)
  end)

  it("counts paths on one side alone as a change", function()
    local found = analysis.diff(run { { "den01", "a t" } }, run { { "sin02", "a t" } })
    assert.equal("changed", found.status)
    assert.same({ { target = "t.example", colo = "den01" } }, found.removed)
    assert.same({ { target = "t.example", colo = "sin02" } }, found.added)
  end)

  it("is equal with itself, over generated results", function()
    for seed = 1, 20 do
      local result = json.result(generate.generate(2, 4, 12, seed))
      local found = analysis.diff(result, result)
      assert.equal("equal", found.status)
      assert.equal(8, #found.paths)
      for _, item in ipairs(found.paths) do
        assert.equal("equal", item.status)
        assert.is_true(item.rtt.delta == 0)
        assert.equal(12, #item.hops)
      end
    end
    assert.equal("equal", analysis.diff({}, {}).status)
    assert.equal("equal", analysis.diff(sample.published(), sample.published()).status)
  end)

  it("does not compare unlike things", function()
    local function refused(a, b)
      local value, err = analysis.diff(a, b)
      assert.is_nil(value)
      return tostring(err)
    end
    assert.equal("invalid_request: b: two results or two paths expected, got one of each",
      refused(run {}, path "a t"))
    local expected = ": a result or an element of result[i].colos expected, got "
    assert.equal("invalid_request: a" .. expected .. "nothing", refused(nil, {}))
    assert.equal("invalid_request: b" .. expected .. "string", refused({}, "x"))
  end)
end)
