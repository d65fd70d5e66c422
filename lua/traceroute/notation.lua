-- notation: values as JSON text, the same text for the same value: members stand in the order of their names' bytes,
-- as in the API's own answers. lua-cjson says what a string looks like and what cannot be written. It must not know
-- what a result is.

local decimal = require "traceroute.decimal"

local MAX_DEPTH = 1000 -- lua-cjson's

local notation = {}

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
  local locale = os.setlocale(nil, "collate")
  if locale == "C" or locale == "POSIX" then
    return nil -- then it is what table.sort does by itself, faster
  end
  return by_bytes
end

-- The names of an object in order, or nil and how many elements an array has; nothing for what is neither, or both.
local function names(value, before)
  local list, count, last = {}, 0, 0
  for key in next, value do
    count = count + 1
    if type(key) == "string" and last == 0 then
      list[count] = key
    elseif type(key) == "number" and key >= 1 and key % 1 == 0 and #list == 0 then
      last = math.max(last, key)
    else
      return nil
    end
  end
  if last == 0 then
    table.sort(list, before)
    return list
  end
  return nil, last == count and count or nil
end

local function is_plain(number)
  return number - number == 0
end

---@param value any
---@param encode fun(value: any): string lua-cjson's; raises for what it cannot write
---@param arrays table<string, boolean> names of members that are arrays where they are empty
---@return string
function notation.write(value, encode, arrays)
  local before = order()
  local out, count = {}, 0
  local texts, members = {}, {} -- most names and many strings of a result come again

  local function text(string)
    local written = texts[string]
    if not written then
      written = string:find '[%c"\\\127-\255]' and encode(string) or '"' .. string .. '"'
      texts[string] = written
    end
    return written
  end

  local function member(name)
    local written = "," .. text(name) .. ":"
    members[name] = written
    return written
  end

  local put_table

  local function put(prefix, item, name, depth)
    local kind = type(item)
    local written
    if kind == "string" then
      written = texts[item] or text(item)
    elseif kind == "number" and is_plain(item) then
      written = decimal("%.14g", item)
    elseif kind == "table" then
      return put_table(prefix, item, name, depth)
    else
      written = encode(item)
    end
    out[count + 1], out[count + 2] = prefix, written
    count = count + 2
  end

  local function put_all(prefix, item, list, length, depth)
    for i = 1, length do
      local name = list and list[i]
      local separator = not name and "," or members[name] or member(name)
      put(i == 1 and prefix .. separator:sub(2) or separator, item[name or i], name, depth + 1)
    end
    count = count + 1
    out[count] = list and "}" or "]"
  end

  function put_table(prefix, item, name, depth)
    local list, length = names(item, before)
    if next(item) == nil then
      prefix = prefix .. (arrays[name] and "[]" or "{}")
    elseif depth > MAX_DEPTH or not (list or length) then
      prefix = prefix .. encode(item)
    else
      return put_all(prefix .. (list and "{" or "["), item, list, length or #list, depth)
    end
    count = count + 1
    out[count] = prefix
  end

  put("", value, nil, 1)
  return table.concat(out)
end

return notation
