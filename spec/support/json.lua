-- Writes JSON for the stand-in: sorted keys, integers as integers, arrays as marked. cjson writes an
-- empty Lua table as an object only, and every run must give the same bytes.

local json = {}
local Array = {}

json.null = setmetatable({}, { __tostring = function() return "null" end })

function json.array(list)
  return setmetatable(list, Array)
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', function(c)
    return ESCAPES[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local function number(value)
  if value == math.floor(value) and math.abs(value) < 2 ^ 53 then
    return ("%d"):format(value)
  end
  return (("%.14g"):format(value))
end

function json.encode(value)
  local kind = type(value)
  if value == json.null then
    return "null"
  elseif kind == "string" then
    return quote(value)
  elseif kind == "number" then
    return number(value)
  elseif kind ~= "table" then
    return tostring(value)
  end
  local parts = {}
  if getmetatable(value) == Array then
    for i, item in ipairs(value) do
      parts[i] = json.encode(item)
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key in pairs(value) do
    parts[#parts + 1] = key
  end
  table.sort(parts)
  for i, key in ipairs(parts) do
    parts[i] = quote(key) .. ":" .. json.encode(value[key])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

return json
