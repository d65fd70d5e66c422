-- The annotations name every field of the schema, and no other.

local core = require "traceroute.core"
local host = require "spec.support.host"

local META = host.read(host.root() .. "/lua/traceroute/meta.lua")

local CLASSES = {
  options = "Options",
  probe_options = "ProbeOptions",
  node = "Node",
  hop = "Hop",
  colo = "Colo",
  summary = "Summary",
  colo_result = "ColoResult",
  target_result = "TargetResult",
  message = "Message",
  source = "Source",
}

-- What the annotations call the schema's types.
local TYPES = {
  integer = "integer",
  number = "number",
  string = "string",
  boolean = "boolean",
  ["function"] = "fun",
}

local function fields_of(class)
  local body = META:match("%-%-%-@class traceroute%." .. class .. "[^\n]*\n(.-)\n\n")
  assert(body, "no class " .. class)
  local fields = {}
  for name, kind in body:gmatch("%-%-%-@field ([%w_]+)%??%s+(%S+)") do
    fields[name] = kind
  end
  return fields
end

describe("the annotations", function()
  for object, class in pairs(CLASSES) do
    it("of " .. class .. " are those of the schema's " .. object, function()
      local annotated = fields_of(class)
      for _, field in ipairs(core.schema()[object]) do
        local kind = annotated[field.name]
        assert.truthy(kind, field.name .. " is not annotated")
        local expected = TYPES[field.type]
        if expected and not field.choices then
          assert.equal(expected, kind:match("^%l+"), field.name)
        end
        annotated[field.name] = nil
      end
      assert.is_nil(next(annotated), tostring(next(annotated)) .. " is not in the schema")
    end)
  end

  it("name no type that is not there, and none twice", function()
    local defined, used = {}, {}
    for path in host.run("find " .. host.quote(host.root() .. "/lua") .. " -name '*.lua'"):gmatch("[^\n]+") do
      for line in host.read(path):gmatch("[^\n]+") do
        local kind, name = line:match("^%-%-%-@(%l+) (traceroute%.[%w.]+)")
        if kind == "class" or kind == "alias" then
          assert.is_nil(defined[name], name .. " in " .. path)
          defined[name] = path
        elseif line:find("^%-%-%-") then
          for other in line:gmatch("traceroute%.%u[%w.]*") do
            used[other:gsub("%.$", "")] = path
          end
        end
      end
    end
    for name, path in pairs(used) do
      assert.truthy(defined[name], name .. " in " .. path)
    end
  end)

  it("name every report", function()
    local source = host.read(host.root() .. "/lua/traceroute/report.lua")
    local count = 0
    for name in source:match("local ROOMS = (%b{})"):gmatch("\n  ([%w_]+) = ") do
      count = count + 1
      assert.truthy(source:find("\n---@field " .. name .. " fun(", 1, true), name)
    end
    assert.equal(9, count)
  end)
end)
