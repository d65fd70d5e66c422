-- The README is true: its Lua runs, its commands exist, its tables say what the schema says.

local core = require "traceroute.core"
local host = require "spec.support.host"
local server = require "spec.support.server"

local README = host.read(host.root() .. "/README.md")
local MAKEFILE = host.read(host.root() .. "/Makefile")

-- The blocks fenced as that language, in order.
local function blocks(language)
  local list = {}
  for text in README:gmatch("\n```" .. language .. "\n(.-)\n```") do
    list[#list + 1] = text
  end
  return list
end

-- Runs a block with a print of its own; returns what it printed, a line a call.
local function run(text)
  local lines = {}
  local environment = setmetatable({
    print = function(...)
      local words = {}
      for i = 1, select("#", ...) do
        words[i] = tostring((select(i, ...)))
      end
      lines[#lines + 1] = table.concat(words, "\t")
    end,
    io = setmetatable({ stderr = { write = function() end } }, { __index = io }),
  }, { __index = _G })
  local chunk, why
  if setfenv then
    chunk, why = loadstring(text, "=README") -- luacheck: ignore (Lua 5.1)
    assert(chunk, why)
    setfenv(chunk, environment) -- luacheck: ignore (Lua 5.1)
  else
    chunk, why = load(text, "=README", "t", environment)
    assert(chunk, why)
  end
  chunk()
  return lines
end

describe("the README", function()
  setup(function()
    host.setenv("CLOUDFLARE_API_TOKEN", "readme-token")
    host.setenv("CLOUDFLARE_ACCOUNT_ID", server.get().account)
    host.setenv("CLOUDFLARE_BASE_URL", server.get():url("ok", "http", "127.0.0.1"))
  end)

  teardown(function()
    for _, name in ipairs { "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_BASE_URL" } do
      host.setenv(name, nil)
    end
  end)

  local examples = blocks("lua")

  it("has examples", function()
    assert.is_true(#examples >= 3)
  end)

  for i, text in ipairs(examples) do
    it("has an example that runs: " .. i, function()
      local said = run(text)
      -- A comment --> after a print says what it prints.
      for expected in text:gmatch("%-%-> ([^\n]+)") do
        local found = false
        for _, line in ipairs(said) do
          found = found or line == expected
        end
        assert.is_true(found, "not printed: " .. expected)
      end
    end)
  end

  it("shows two traces of www.example.com first", function()
    local said = table.concat(run(examples[1]), "\n")
    assert.truthy(said:find("www.example.com from den01: 6 hops", 1, true))
    assert.truthy(said:find("192.0.2.1 from sin02: 6 hops", 1, true))
    assert.truthy(said:find("Ray ID %x+%-DEN, [%d.e-]+ s"))
  end)

  it("names make targets that are there", function()
    local count = 0
    for _, text in ipairs(blocks("sh")) do
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

  for _, option in ipairs(core.schema().options) do
    it("tells of the option " .. option.name, function()
      local row
      for line in README:gmatch("\n(| `[^\n]+)") do
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
