-- json: results to JSON text and back. What lua-cjson cannot know is added here: which empty tables
-- are arrays, that null is absent, which numbers are integers, what is UTF-8. It must not know what a path is.

local cjson = require "cjson"
local fields = require "traceroute.fields"
local invalid = require "traceroute.invalid"
local notation = require "traceroute.notation"
local text = require "traceroute.text"

---@class traceroute.Json
local json = {}

-- An instance of its own: a script's settings of the shared one do not reach results.
local codec

local function renew()
  codec = cjson.new()
  codec.encode_number_precision(14)
  codec.decode_invalid_numbers(false)
end

renew()

-- lua-cjson asks for the locale's decimal point when any instance is made. In another locale it refuses to read
-- fractions, and takes [0,1] for one.
local function decode(encoded)
  local ok, raised = pcall(codec.decode, "[0.5]")
  if not ok then
    invalid.let_pass(raised)
    renew()
  end
  return codec.decode(encoded)
end

local function set(...)
  local members = {}
  for _, name in ipairs { ... } do
    members[name] = true
  end
  return members
end

local ARRAYS = set("hops", "nodes", "labels", "colos", "errors", "messages")
-- What else is a list in a diff; in a result, a field of that name may be anything.
local OF_DIFF = set("paths", "removed", "added", "hops", "a", "b")

local function escape_c1(byte)
  return ("\\u%04x"):format(byte:byte())
end

local Refusal = {}

-- Raises what json.encode makes a value of, which a mistake of the module is not.
local function refuse(why)
  error(setmetatable({ why = why }, Refusal), 0)
end

-- What notation leaves to lua-cjson: texts of other than plain bytes, and what is no text, number or table.
local function encode(value)
  local ok, encoded = pcall(codec.encode, value)
  if not ok then
    invalid.let_pass(encoded)
    refuse((tostring(encoded):gsub("^.-:%d+: ", "")))
  end
  return (text.utf8(encoded):gsub("\194([\128-\159])", escape_c1))
end

-- Runs and paths side by side have a word for how they differ.
local function is_diff(value)
  return type(rawget(value, "status")) == "string" and (rawget(value, "paths") or rawget(value, "hops")) ~= nil
end

---JSON text of a result or a part of it, in the API's shape: an empty list of hops, nodes, labels or
---colos is [], and so is one of a diff. The same value gives the same text: members stand in the order of their names.
---Numbers have 14 significant digits, which is as many as lua-cjson writes. Text that is not UTF-8 is mended, and no
---control character is left as it is.
---@param value any a table, or what stands in one
---@return string? json
---@return traceroute.Error? err for what JSON cannot hold: functions, cycles, NaN, lists with many holes
function json.encode(value)
  if type(value) == "table" and next(value) == nil then
    return "[]"
  end
  local arrays = type(value) == "table" and is_diff(value) and OF_DIFF or ARRAYS
  local ok, encoded = pcall(notation.write, value, encode, arrays, refuse)
  if ok then
    return encoded
  elseif type(encoded) ~= "table" or getmetatable(encoded) ~= Refusal then
    error(encoded, 0)
  end
  return invalid.value("result", encoded.why)
end

local integer = fields.integer

-- In place: null leaves, arrays close ranks, whole numbers become integers.
local function tidy(value)
  local count, gaps = #value, false
  for key, item in next, value do
    local kind = type(item)
    if kind == "table" then
      tidy(item)
    elseif kind == "number" then
      value[key] = integer(item) or item
    elseif item == cjson.null then
      value[key] = nil
      gaps = gaps or type(key) == "number"
    end
  end
  if gaps then
    local kept = 0
    for i = 1, count do
      local item = value[i]
      value[i] = nil
      if item ~= nil then
        kept = kept + 1
        value[kept] = item
      end
    end
  end
end

---A value from JSON text.
---@param encoded string
---@return table? value
---@return traceroute.Error? err
function json.decode(encoded)
  if type(encoded) ~= "string" then
    return invalid.value("json", "string expected, got " .. type(encoded))
  end
  local ok, value = pcall(decode, encoded)
  if not ok then
    invalid.let_pass(value)
    return invalid.value("json", (tostring(value):gsub("^.-:%d+: ", "")))
  elseif type(value) ~= "table" then
    return invalid.value("json", "object or array expected, got " .. type(value))
  end
  tidy(value)
  return value
end

---A result from JSON text: what `create` returned and json.encode wrote, or the API's whole response.
---@param encoded string
---@return traceroute.Result? result
---@return traceroute.Error? err also when it is a response that tells of a failure
function json.result(encoded)
  local value, err = json.decode(encoded)
  if not value then
    return nil, err
  elseif value.success == false then
    local first = fields.list(fields.list(value.errors)[1])
    return invalid.value("json", "a response that failed: " .. (fields.text(first.message) or "no message"))
  elseif type(value.result) == "table" then
    value = value.result
  end
  local first = value[1]
  if (first == nil and next(value) ~= nil) or (first ~= nil and (type(first) ~= "table" or not first.colos)) then
    return invalid.value("json", "not a traceroute result: an array of targets with colos expected")
  end
  return value
end

return json
