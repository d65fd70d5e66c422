-- notation: values as JSON text, the same text for the same value: members stand in the order of their names' bytes,
-- as in the API's own answers. What a text looks like lua-cjson says, and which tables are arrays is by its rules. It
-- must not know what a result is.

local decimal = require "traceroute.decimal"

local MAX_DEPTH = 1000 -- lua-cjson's, as what it would not read again
-- Lists with holes are filled with null up to so many elements, or so many for each that there is: lua-cjson's, too.
local SAFE_LENGTH, SPARSEST = 10, 2

local notation = {}

local function is_plain(number)
  return number - number == 0
end

-- What a script has made of the locale is nothing to JSON.
local function by_bytes(one, other)
  for i = 1, math.min(#one, #other) do
    local a, b = one:byte(i), other:byte(i)
    if a ~= b then
      return a < b
    end
  end
  return #one < #other
end

local function order()
  local library = rawget(_G, "os")
  local locale = library and library.setlocale and library.setlocale(nil, "collate")
  if locale == "C" or locale == "POSIX" then
    return nil -- then it is what table.sort does by itself, faster
  end
  return by_bytes
end

-- How a number is named that stands for a member.
local function name_of(key)
  return type(key) == "number" and decimal("%.14g", key) or key
end

local function mixed(one, other)
  local a, b = name_of(one), name_of(other)
  if a == b then
    return type(one) == "string" and type(other) ~= "string"
  end
  return by_bytes(a, b)
end

-- The keys of an object, in the order of the members; or nil and the length of an array.
local function keys(value, before, refuse)
  local list, count, last, has_names = {}, 0, 0, false
  for key in next, value do
    count = count + 1
    list[count] = key
    if type(key) == "string" then
      has_names = true
    elseif type(key) ~= "number" or not is_plain(key) then
      refuse("a name of a member is neither a text nor a number")
    elseif key < 1 or key % 1 ~= 0 then
      last = math.huge
    else
      last = math.max(last, key)
    end
  end
  if last == 0 then
    table.sort(list, before)
    return list
  elseif has_names or last == math.huge then
    table.sort(list, mixed)
    return list
  elseif last > SAFE_LENGTH and last > count * SPARSEST then
    refuse "a list with too many holes"
  end
  return nil, last
end

---@param value any
---@param encode fun(value: any): string a text or another single value, by lua-cjson
---@param arrays table<string, boolean> names of members that are arrays where they are empty
---@param refuse fun(why: string) raises
---@return string
function notation.write(value, encode, arrays, refuse)
  local before = order()
  local out, count = {}, 0
  local texts, members = {}, {} -- most names and many strings of a result come again
  local format = ("%.1f"):format(0.5) == "0.5" and string.format or decimal

  local function text(string)
    local written = texts[string]
    if not written then
      written = string:find '[%c"/\\\127-\255]' and encode(string) or '"' .. string .. '"'
      texts[string] = written
    end
    return written
  end

  local function member(key)
    local written = "," .. text(name_of(key)) .. ":"
    members[key] = written
    return written
  end

  local put_table

  local function put(prefix, item, key, depth)
    local kind = type(item)
    local written
    if kind == "string" then
      written = text(item)
    elseif kind == "number" and is_plain(item) then
      written = format("%.14g", item)
    elseif kind == "table" then
      return put_table(prefix, item, key, depth + 1)
    else
      written = encode(item)
    end
    out[count + 1], out[count + 2] = prefix, written
    count = count + 2
  end

  function put_table(prefix, item, key, depth)
    if depth > MAX_DEPTH then
      refuse "nested too deeply"
    elseif next(item) == nil then
      count = count + 1
      out[count] = prefix .. (arrays[key] and "[]" or "{}")
      return
    end
    local list, length = keys(item, before, refuse)
    prefix = prefix .. (list and "{" or "[")
    for i = 1, length or #list do
      local name = list and list[i]
      local separator = not list and "," or members[name] or member(name)
      put(i == 1 and prefix .. separator:sub(2) or separator, rawget(item, name or i), name, depth)
    end
    count = count + 1
    out[count] = list and "}" or "]"
  end

  put("", value, nil, 0)
  return table.concat(out)
end

return notation
