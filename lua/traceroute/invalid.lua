-- invalid: says no to a caller's arguments, as a value. It must not know what any argument is for.
--
-- What reads results keeps one rule by it: every function returns nil and an error of kind `invalid_request` for
-- arguments that it cannot use, whatever they are, tables included whose own metamethods raise. Nothing is raised but
-- lack of memory, the script's own interrupt, and a mistake of the module itself.

local text = require "traceroute.text"

local invalid = {}

-- Of what a caller's own strings add to an error; as many bytes as the core takes.
local MESSAGE_MAX, PATH_MAX = 511, 159

local ERROR = {
  __name = "traceroute.error",
  __tostring = function(e)
    return e.kind .. ": " .. (e.path and e.path .. ": " or "") .. e.message
  end,
}

local function line(s, most)
  return text.clean(#s > most and s:sub(1, most):gsub("[\192-\255]?[\128-\191]*$", "") or s)
end

---nil and an error of kind `invalid_request`, for `return`. Both texts become one printable line with a bound.
---@param path string? which argument, "criteria.ttl"
---@param message string
---@return nil
---@return traceroute.Error
function invalid.value(path, message)
  return nil, setmetatable({
    kind = "invalid_request",
    message = line(message, MESSAGE_MAX),
    path = path and line(path, PATH_MAX),
  }, ERROR)
end

---A value as a message shows it: a string or a number itself, of anything else its type, since what a table
---says of itself may raise.
---@param value any
---@return string
function invalid.shown(value)
  local kind = type(value)
  return (kind == "string" or kind == "number") and tostring(value) or kind
end

---Raises lack of memory and an interrupt again after a pcall: no value stands for them.
---@param raised any
function invalid.let_pass(raised)
  if raised == "not enough memory" or type(raised) == "string" and raised:find("interrupted!", 1, true) then
    error(raised, 0)
  end
end

---What was raised, as the text of a message.
---@param raised any
---@return string
function invalid.reason(raised)
  invalid.let_pass(raised)
  return "raised: " .. (type(raised) == "string" and raised or "a " .. type(raised))
end

-- What __metatable shows may be anything.
local library = rawget(_G, "debug")
local metatable_of = library and library.getmetatable or getmetatable

-- Whether anything could run, or raise, because of what the caller's value says of itself: it has a metatable that is
-- not ours. Where the core is not loaded, it gave nobody a metatable.
local function has_ways_of_its_own(value)
  local meta = metatable_of(value)
  if meta == nil or rawequal(meta, ERROR) then
    return false
  end
  local core = package.loaded["traceroute.core"]
  return not core or not (rawequal(meta, core.result_metatable) or rawequal(meta, core.error_metatable))
end

-- Whether the value, or what it holds, however deep, has a metatable that could raise.
local function holds_traps(root)
  local queue, seen = {}, {}
  local function visit(value)
    local kind = type(value)
    if (kind == "table" or kind == "userdata") and not seen[value] then
      seen[value] = true
      queue[#queue + 1] = value
    end
  end
  visit(root)
  while #queue > 0 do
    local value = table.remove(queue)
    if has_ways_of_its_own(value) then
      return true
    end
    for key, item in next, type(value) == "table" and value or {} do
      visit(key)
      visit(item)
    end
  end
  return false
end

local function settle(path, arguments, ran, ...)
  if ran then
    return ...
  end
  local reason = invalid.reason((...))
  for i = 1, arguments.n do
    if holds_traps(arguments[i]) then
      return invalid.value(type(path) == "table" and (path[i] or path[1]) or path, reason)
    end
  end
  error((...), 0)
end

---The same function, but what its arguments' metamethods raise is refused like any other value that is of no use. Where
---no argument has any, the fault is our own, and raised again: no value disguises it.
---@param path string|string[] of the argument that is most likely the one; of each, where several may be
---@param read function
---@return function
function invalid.guarded(path, read)
  return function(...)
    return settle(path, { n = select("#", ...), ... }, pcall(read, ...))
  end
end

-- How many letters must be changed, left out, put in or swapped with the next to get from one word to
-- the other.
local function distance(a, b)
  local rows = { [0] = {} }
  for j = 0, #b do
    rows[0][j] = j
  end
  for i = 1, #a do
    local row, above = { [0] = i }, rows[i - 1]
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(above[j - 1] + cost, above[j] + 1, row[j - 1] + 1)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, rows[i - 2][j - 2] + 1)
      end
      row[j] = best
    end
    rows[i] = row
  end
  return rows[#a][#b]
end

---The known name that a misspelt one most likely stands for; nil when none is near.
---@param name string
---@param known table<string, any> the known names are the keys
---@return string?
function invalid.nearest(name, known)
  local best, best_distance
  if #name > 64 then
    return nil
  end
  for candidate in next, known do
    local d = distance(name:lower(), candidate)
    local near = d <= math.max(1, math.floor((#candidate + 1) / 3))
    if near and (not best or d < best_distance or d == best_distance and candidate < best) then
      best, best_distance = candidate, d
    end
  end
  return best
end

---Refuses a name that is not known, suggesting the one that was meant.
---@param name any
---@param known table<string, any>
---@param path string of the table that holds it
---@return nil
---@return traceroute.Error
function invalid.unknown(name, known, path)
  if type(name) ~= "string" then
    return invalid.value(path, "names are strings, got a " .. type(name))
  end
  local near = invalid.nearest(name, known)
  return invalid.value(path .. "." .. name, near and "unknown, did you mean " .. near .. "?" or "unknown")
end

---Checks a table of options: every name known, every value of its type.
---@param opts table? nil stands for none
---@param known table<string, string> name to type: "boolean", "number", "string", "table", "function"
---@param path string
---@return table? opts the same table, or an empty one for nil
---@return traceroute.Error? err
function invalid.options(opts, known, path)
  if opts == nil then
    return {}
  elseif type(opts) ~= "table" then
    return invalid.value(path, "table expected, got " .. type(opts))
  end
  for name, value in next, opts do
    local expected = known[name]
    if not expected then
      return invalid.unknown(name, known, path)
    elseif type(value) ~= expected then
      return invalid.value(path .. "." .. name, expected .. " expected, got " .. type(value))
    elseif value ~= value then
      return invalid.value(path .. "." .. name, "not a number")
    end
  end
  return opts
end

return invalid
