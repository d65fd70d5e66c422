-- saved: results from files, and what becomes of an earlier one where a later call did not bring all. It must not know
-- how a call is made, nor what is shown.

local fields = require "traceroute.fields"
local hops = require "traceroute.hops"
local json = require "traceroute.json"

local saved = {}

local ENOENT = 2

-- What a value's last token may look like when the text ends within it.
local CUT_NUMBER, CUT_ESCAPE = "^%-?%d*%.?%d*[eE]?[+-]?$", "^\\u?%x?%x?%x?$"
local WORDS = " true false null"

local function is_cut(content, complaint)
  if complaint:find("T_END", 1, true) or complaint:find("unexpected end", 1, true) then
    return true
  end
  local position = tonumber(complaint:match("at character (%d+)$"))
  if not position or complaint:find("the end", 1, true) then
    return false
  end
  local rest = content:sub(position)
  return rest ~= "" and (rest:find(CUT_NUMBER) or rest:find(CUT_ESCAPE) or WORDS:find(" " .. rest, 1, true)) ~= nil
end

---A result from text.
---@param content string
---@return traceroute.Result? result
---@return string? why what the text is instead: "is empty"
function saved.decode(content)
  if not content:find("%S") then
    return nil, "is empty"
  end
  local result, err = json.result(content)
  if result then
    return result
  elseif is_cut(content, err.message) then
    return nil, "is cut off"
  end
  return nil, "holds no saved result: " .. err.message
end

---A result from a file, or from standard input for "-".
---@param system table
---@param name string
---@return traceroute.Result? result
---@return string? err
---@return boolean? missing there is no such file
function saved.read(system, name)
  local content, err, code = system.read(name)
  if not content then
    return nil, err or name .. ": cannot be read", code == ENOENT
  end
  local result
  result, err = saved.decode(content)
  return result, err and (name == "-" and "standard input" or name) .. " " .. err
end

---A result from standard input where nothing else was asked for. What is no result is left there.
---@param system table
---@return traceroute.Result? result
---@return string? err
function saved.read_implied(system)
  local content, err = system.read_input "[%[{]"
  if not content then
    return nil, "no target, and standard input cannot be read: " .. tostring(err)
  elseif content:find("^%s*[^%s%[{]") then
    return nil, "no target, and standard input holds no saved result"
  end
  local result
  result, err = saved.decode(content)
  return result, err and "no target, and standard input " .. err
end

---The targets for which not everything arrived.
---@param asked string[]
---@param err traceroute.Error?
---@return table<string, boolean>
function saved.incomplete(asked, err)
  local set = {}
  for _, target in ipairs(err and (err.targets or asked) or {}) do
    set[target] = true
  end
  return set
end

local function name_of(target)
  return fields.text(fields.list(target).target) or ""
end

local function colo_of(colo)
  return type(colo) == "table" and fields.colo(colo) or ""
end

local function copy(target, colos)
  local out = {}
  for key, value in next, fields.list(target) do
    out[key] = value
  end
  out.colos = colos
  return out
end

-- The names of the colos of each target.
local function names_of(result)
  local found = {}
  for target, colo in hops.paths(result) do
    local name = name_of(target)
    found[name] = found[name] or {}
    found[name][colo_of(colo)] = true
  end
  return found
end

-- The target with those of its colos that stand in `names`, or do not.
local function part(target, names, wanted)
  local colos = {}
  for _, colo in ipairs(fields.list(fields.list(target).colos)) do
    if (names[colo_of(colo)] or false) == wanted then
      colos[#colos + 1] = colo
    end
  end
  return copy(target, colos)
end

---The earlier run without the paths that the later one could not bring: what is missing there has not vanished.
---@param earlier traceroute.Result
---@param result traceroute.Result
---@param incomplete table<string, boolean>
---@return traceroute.Result
function saved.comparable(earlier, result, incomplete)
  if next(incomplete) == nil then
    return earlier
  end
  local arrived, out = names_of(result), {}
  for _, target in ipairs(earlier) do
    local name = name_of(target)
    if not incomplete[name] then
      out[#out + 1] = target
    elseif arrived[name] then
      out[#out + 1] = part(target, arrived[name], true)
    end
  end
  return out
end

---The later run without the paths whose target had not arrived when the call ended.
---@param result traceroute.Result
---@param incomplete table<string, boolean>
---@return traceroute.Result
function saved.named(result, incomplete)
  if next(incomplete) == nil then
    return result
  end
  local out = {}
  for _, target in ipairs(result) do
    out[#out + 1] = name_of(target) ~= "" and target or nil
  end
  return out
end

---What the next run is compared with: the later run, with the earlier one's paths where it brought none.
---@param earlier traceroute.Result?
---@param result traceroute.Result
---@param incomplete table<string, boolean>
---@return traceroute.Result
function saved.kept(earlier, result, incomplete)
  result = saved.named(result, incomplete)
  if not earlier or next(incomplete) == nil then
    return result
  end
  local arrived, before, out = names_of(result), {}, {}
  for _, target in ipairs(earlier) do
    local name = name_of(target)
    before[name] = incomplete[name] and part(target, arrived[name] or {}, false) or nil
  end
  for i, target in ipairs(result) do
    local name = name_of(target)
    local colos = {}
    for _, from in ipairs { target, before[name] } do
      for _, colo in ipairs(fields.list(fields.list(from).colos)) do
        colos[#colos + 1] = colo
      end
    end
    out[i] = before[name] and copy(target, colos) or target
    before[name] = nil
  end
  for _, target in ipairs(earlier) do
    out[#out + 1] = before[name_of(target)]
  end
  return out
end

return saved
