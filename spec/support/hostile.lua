-- Values that no argument expects, one of each kind, and how to give them to a function that must not raise. Knows
-- nothing of who is given them.

local assert = require "luassert"

local unpack = table.unpack or unpack -- luacheck: ignore
local hostile = {}

-- A table each of whose metamethods raises, what it raises being no string.
local function trap()
  local function raise()
    error(setmetatable({}, { __tostring = function() error("tostring of what was raised") end }))
  end
  local meta = {}
  for _, event in ipairs {
    "index", "newindex", "len", "pairs", "ipairs", "tostring", "eq", "lt", "le", "concat", "call", "unm", "add",
    "sub", "mul", "div", "mod", "pow",
  } do
    meta["__" .. event] = raise
  end
  -- a finalizer that raises would be reported by whoever collects it; it has to be there all the same
  meta.__name = meta
  return setmetatable({}, meta)
end

-- Traps that say of their metatables something else than what they are.
local function masked(mask)
  return setmetatable({}, { __index = function() error("trap") end, __metatable = mask })
end

local function cyclic()
  local one = { colos = {}, hops = {}, nodes = {} }
  one[1], one.self, one.colos[1], one.hops[1], one.nodes[1], one[one] = one, one, one, one, one, one
  return one
end

--- Array of { name =, value = }; the value of "nil" is nil.
hostile.values = {
  { name = "nil" },
  { name = "true", value = true },
  { name = "false", value = false },
  { name = "NaN", value = 0 / 0 },
  { name = "infinity", value = math.huge },
  { name = "-infinity", value = -math.huge },
  { name = "huge", value = 1e300 },
  { name = "2^53", value = 2 ^ 53 },
  { name = "negative", value = -1 },
  { name = "fraction", value = 0.5 },
  { name = "empty", value = "" },
  { name = "words", value = "no such thing" },
  { name = "digits", value = "5" },
  { name = "NUL", value = "a\0b" },
  { name = "line end", value = "a\n" },
  { name = "header", value = "a\r\nX-Evil: 1" },
  { name = "not UTF-8", value = "a\255\254\192\128" },
  { name = "long", value = ("\195\164"):rep(500) },
  { name = "table", value = {} },
  { name = "gaps", value = { [3] = "a", x = 1, [0.5] = 2, [true] = false } },
  { name = "cycle", value = cyclic() },
  { name = "trap", value = trap() },
  { name = "trap inside", value = { trap(), colos = trap(), hops = trap(), x = trap(), [trap()] = 1 } },
  { name = "deep trap", value = { { colos = { { colo = trap(), hops = { trap(), { nodes = trap() } } } } } } },
  { name = "trap behind a table", value = masked {} },
  { name = "trap behind false", value = { masked(false), colos = masked(false), hops = masked(false) } },
  { name = "trap behind a string", value = masked "no table" },
  { name = "function", value = function() error("called") end },
  { name = "C function", value = math.abs },
  { name = "userdata", value = io.stdout },
  { name = "thread", value = coroutine.create(function() end) },
}

hostile.megabyte = ("\195\164"):rep(2 ^ 19)

--- A million of a value.
function hostile.million(value)
  local list = {}
  for i = 1, 1e6 do
    list[i] = value
  end
  return list
end

--- Asserts that it is an error that says which argument was wrong, in one short line.
function hostile.is_error(err, name)
  assert.equal("table", type(err), name)
  assert.equal("invalid_request", err.kind, name)
  assert.equal("string", type(err.message), name)
  assert.equal("string", type(err.path), name)
  assert.is_true(#err.message < 512 and #err.path < 160, name)
  assert.is_nil((tostring(err)):find("%c"), name)
end

-- Names among the values as paths show them; all others are shown as they are.
local SHOWN = {
  ["a\0b"] = "a?b", ["a\n"] = "a?", ["a\r\nX-Evil: 1"] = "a??X-Evil: 1", ["a\255\254\192\128"] = "a????",
}
local PATH_MAX = 159

--- Asserts that a path leads to the member of that name in a place, cut where it is long; to the place itself for what
--- is no name.
function hostile.is_path_of(path, place, name, label)
  if type(name) ~= "string" then
    return assert.equal(place, path, label)
  end
  local expected = place .. "." .. (SHOWN[name] or name)
  if #expected > PATH_MAX then
    assert.is_true(#path > PATH_MAX - 4, label)
    expected = expected:sub(1, #path)
  end
  assert.equal(expected, path, label)
end

--- Calls, and fails the spec with the name of the case when something is raised.
function hostile.call(name, f, ...)
  local returned = { n = select("#", ...), pcall(f, ...) }
  if not returned[1] then
    error(name .. " raised " .. (type(returned[2]) == "string" and returned[2] or type(returned[2])))
  end
  return unpack(returned, 2, 5)
end

return hostile
