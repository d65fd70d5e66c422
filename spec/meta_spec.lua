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
end)
