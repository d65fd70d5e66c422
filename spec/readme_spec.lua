-- The README is true: its Lua runs, its commands exist, its tables say what the schema says.

local core = require "traceroute.core"
local host = require "spec.support.host"
local readme = require "spec.support.readme"
local report = require "traceroute.report"
local sample = require "spec.support.sample"
local server = require "spec.support.server"
local traceroute = require "traceroute"

local README = readme.TEXT
local MAKEFILE = host.read(host.root() .. "/Makefile")

local node = sample.node

-- LuaJIT rounds 0.125 to 0.13 where C's printf makes 0.12 of it: there, figures are not compared.
local function figures(text)
  return ("%.2f"):format(0.125) == "0.12" and text or (text:gsub("%d+%.%d%d", "#"))
end

describe("the README", function()
  local directory

  setup(function()
    host.setenv("CLOUDFLARE_API_TOKEN", "readme-token")
    host.setenv("CLOUDFLARE_ACCOUNT_ID", server.get().account)
    host.setenv("CLOUDFLARE_BASE_URL", server.get():url("ok", "http", "127.0.0.1"))
    directory = host.private_directory("readme")
    for _, name in ipairs { "last.json", "there.json", "back.json" } do
      host.write(directory .. "/" .. name, report.json(sample.published()))
    end
  end)

  teardown(function()
    for _, name in ipairs { "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_BASE_URL" } do
      host.setenv(name, nil)
    end
    host.remove(directory)
  end)

  local examples = readme.blocks "lua"

  it("has examples", function()
    assert.is_true(#examples >= 8)
  end)

  for i, text in ipairs(examples) do
    it("has an example that runs: " .. i, function()
      local said = "\n" .. readme.run(text, directory)
      -- A comment --> after a print says what it prints.
      for expected in text:gmatch("%-%-> ([^\n]+)") do
        assert.truthy(said:find("\n" .. expected .. "\n", 1, true), "not printed: " .. expected)
      end
    end)
  end

  it("shows what print draws", function()
    local drawn = readme.run(examples[1], directory):gsub(" +\n", "\n")
    assert.equal(4, select(2, drawn:gsub("\n?[^\n]+ from %w+ %(", "")))
    local shown = "\n" .. readme.block("", "www.example.com (") .. "\n"
    assert.truthy(figures(drawn):find(figures(shown), 1, true), drawn)
  end)

  it("walks through the tables of a result", function()
    local said = readme.run(examples[2], directory)
    assert.truthy(said:find("www.example.com from den01: 6 hops\n1\t198.51.37.1\tAS13335\t0.625\n", 1, true))
    assert.truthy(said:find("www.example.com from sin02: 6 hops\n", 1, true))
    assert.truthy(said:find("Ray ID %x+%-DEN, [%d.e-]+ s\n"))
  end)

  it("reads a saved result", function()
    assert.equal(report.table(sample.published()), readme.run(readme.block("lua", '"last.json"'), directory))
  end)

  it("filters hops", function()
    local said = readme.run(readme.block("lua", "hops.filter"), directory)
    assert.truthy(said:find("www.example.com\tden01\t2\tnil\n", 1, true))
    assert.truthy(said:find("www.example.com\tden01\t4\t198.51.37.4\t5.75\n", 1, true))
    assert.is_nil(said:find("\t198.51.37.1\t0.625", 1, true))
  end)

  describe("has recipes:", function()
    -- Ten packets a hop; two of them are lost from the second hop on.
    local lossy = sample.result("www.example.com",
      sample.path({ colo = "den01", ip = "203.0.113.9", mean = 20 }, {
        { 10, 0, node("198.51.100.1", { asn = "AS13335", count = 10 }) },
        { 10, 2, node("198.51.100.9", { asn = "AS64500", count = 8 }) },
        { 10, 2, node("203.0.113.9", { asn = "AS64501", count = 8 }) },
      }))

    it("the AS where loss begins", function()
      local recipe = readme.block("lua", "loss_begins")
      assert.equal("den01\tno loss that persists\nsin02\tno loss that persists\n", readme.run(recipe, directory))
      local create, asked = traceroute.create, nil
      local first = node("198.51.100.1", { asn = "AS64500", count = 10 })
      local down = sample.path({ colo = "sin02", ip = "203.0.113.9" }, { { 10, 0, first }, { 10, 10 } })
      local short = sample.cut(sample.path({ colo = "fra01", ip = "203.0.113.9" }, { { 10, 0, first } }))
      traceroute.create = function(...)
        asked = { ... }
        return sample.result("www.example.com", lossy[1].colos[1], down, short)
      end
      local ran, said = pcall(readme.run, recipe, directory)
      traceroute.create = create
      assert.is_true(ran, said)
      assert.equal("den01\treal: 20 % from hop 2 on: AS64500, after AS13335\n"
        .. "sin02\tunreached: 100 % from hop 2 on: AS unknown, after AS64500\n"
        .. "fra01\tcannot tell: nothing was measured, or max_ttl is too low\n", said)
      assert.same({ [2] = "www.example.com", [3] = { packets_per_ttl = 10 } }, asked)
    end)

    it("both ways", function()
      local back = sample.result("198.51.100.1", sample.path({ colo = "here", ip = "198.51.100.1", mean = 20 }, {
        { 10, 0, node("203.0.113.9", { asn = "AS64501", count = 10 }) },
        { 10, 0, node("198.51.100.1", { asn = "AS13335", count = 10 }) },
      }))
      host.write(directory .. "/there.json", report.json(lossy))
      host.write(directory .. "/back.json", report.json(back))
      local said = readme.run(readme.block("lua", "both_ways"), directory)
      assert.equal(report.both_ways(lossy, back, { width = 80 }), said)
      assert.truthy(said:find("\nonly on the way there: AS64500\n", 1, true))
    end)
  end)

  it("names make targets that are there", function()
    local count = 0
    for _, text in ipairs(readme.blocks "sh") do
      for line in text:gmatch("[^\n]+") do
        local target = line:match("^make ([%w-]+)")
        if target then
          count = count + 1
          assert.truthy(("\n" .. MAKEFILE):find("\n" .. target:gsub("%-", "%%-") .. ":"), target)
        end
      end
    end
    assert.is_true(count >= 5)
  end)

  -- The row of the table in which an option stands says what the schema says.
  local function tells_of(option, text)
    local row
    for line in text:gmatch("\n(| `[^\n]+)") do
      local names = line:match("^| ([^|]+)|")
      if not row and names:find("`" .. option.name .. "`", 1, true) then
        row = line
      end
    end
    assert.truthy(row, "no row")
    if option.type == "integer" or option.type == "number" then
      assert.truthy(row:find(("%.14g to %.14g"):format(option.min, option.max), 1, true), row)
    end
    for _, choice in ipairs(option.choices or {}) do
      assert.truthy(row:find("`" .. choice .. "`", 1, true), row)
    end
    assert.truthy(row:find(option.default, 1, true), row .. " lacks the default " .. option.default)
    assert.truthy(row:find(option.unit, 1, true), row .. " lacks the unit " .. option.unit)
  end

  local of_create, of_probe = README:match("\n(### `traceroute%.create.-)\n### `traceroute%.start.-\n"
    .. "(### `traceroute%.probe.-)\n### ")

  for _, option in ipairs(core.schema().options) do
    it("tells of the option " .. option.name, function()
      tells_of(option, of_create)
    end)
  end

  for _, option in ipairs(core.schema().probe_options) do
    it("tells of the option of probe " .. option.name, function()
      local is_shared = of_create:find("\n| `" .. option.name .. "` |", 1, true)
        and not of_probe:find("`" .. option.name .. "` |", 1, true)
      tells_of(option, is_shared and of_create or of_probe)
    end)
  end

  it("tells of every kind of error", function()
    local source = host.read(host.root() .. "/lua/traceroute/meta.lua")
    local count = 0
    for kind in source:match("@alias traceroute.Kind\n(.-)\n\n"):gmatch('"([%w_]+)"') do
      count = count + 1
      assert.truthy(README:find("\n| `" .. kind .. "` |", 1, true), kind)
    end
    assert.equal(11, count)
  end)
end)
