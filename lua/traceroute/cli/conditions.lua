-- conditions: what --fail-if takes, and whether it holds for a result. It must not know exit statuses
-- nor where the result came from.

local decimal = require "traceroute.decimal"
local fields = require "traceroute.fields"
local hops = require "traceroute.hops"
local invalid = require "traceroute.invalid"
local loss = require "traceroute.analysis.loss"
local path = require "traceroute.analysis.path"
local text = require "traceroute.text"

local conditions = {}

local COMPARE = {
  ["<"] = function(a, b) return a < b end,
  ["<="] = function(a, b) return a <= b end,
  [">"] = function(a, b) return a > b end,
  [">="] = function(a, b) return a >= b end,
}

-- What a number is compared with, and how it is shown.
local MEASURES = {
  loss = { "%.1f", "% loss", loss.at_target },
  rtt = { "%.2f", " ms", function(read) return read.reached and read.target_rtt_ms or nil end },
  hops = { "%d", " hops", function(read) return read.target_index and read.hops[read.target_index].ttl or nil end },
}

local STATES = { unreached = true, error = true, ["path-changed"] = true }

---@class traceroute.cli.Condition
---@field text string as it was written
---@field name string
---@field compare? fun(a: number, b: number): boolean
---@field limit? number

local function parse_one(written)
  local name, operator, limit = written:match("^%s*([%a-]+)%s*([<>]=?)%s*(%d+%.?%d*)%s*%%?%s*$")
  if name and MEASURES[name] then
    return { text = written, name = name, compare = COMPARE[operator], limit = tonumber(limit) }
  end
  local state = written:match("^%s*([%a-]+)%s*$")
  if state and STATES[state] then
    return { text = state, name = state }
  end
  local word = written:match("^%s*([%a-]+)") or ""
  if MEASURES[word] then
    return invalid.value("--fail-if", ("%s needs a comparison and a number: %s>5"):format(word, word))
  end
  local known = {}
  for key in next, MEASURES do known[key] = true end
  for key in next, STATES do known[key] = true end
  local near = invalid.nearest(word, known)
  return invalid.value("--fail-if", ("no condition '%s'%s"):format(written,
    near and ", did you mean " .. near .. "?" or "; there are loss, rtt, hops, unreached, error, path-changed"))
end

---Reads conditions as they are written.
---@param list string[] each may hold several, divided by commas
---@return traceroute.cli.Condition[]? conditions
---@return traceroute.Error? err
function conditions.parse(list)
  local out = {}
  for _, written in ipairs(list) do
    for one in (written .. ","):gmatch("([^,]*),") do
      local condition, err = parse_one(one)
      if not condition then
        return nil, err
      end
      out[#out + 1] = condition
    end
  end
  return out
end

---Whether any of them needs an earlier run.
---@param list traceroute.cli.Condition[]
---@return boolean
function conditions.need_earlier(list)
  for _, condition in ipairs(list) do
    if condition.name == "path-changed" then
      return true
    end
  end
  return false
end

local function holds(condition, read)
  local measure = MEASURES[condition.name]
  if measure then
    local value = measure[3](read)
    return value and condition.compare(value, condition.limit) and decimal(measure[1], value) .. measure[2] or nil
  elseif condition.name == "unreached" then
    -- A data centre that could not measure says nothing of the target; "error" is for that.
    return read.reached == false and not (read.error and not read.last) and "no answer from the target" or nil
  elseif condition.name == "error" then
    return read.error and text.clean(read.error)
  end
  return nil
end

local function changes(found, condition, diff)
  for _, compared in ipairs(diff and diff.paths or {}) do
    if compared.status == "changed" then
      found[#found + 1] = ("%s: %s from %s: from hop %d on"):format(condition.text, text.clean(compared.target or "?"),
        text.clean(compared.colo or "?"), compared.first_change)
    end
  end
  for _, side in ipairs { { "removed", "is gone" }, { "added", "is new" } } do
    for _, one in ipairs(diff and diff[side[1]] or {}) do
      found[#found + 1] = ("%s: %s from %s: %s"):format(condition.text, text.clean(one.target or "?"),
        text.clean(one.colo or "?"), side[2])
    end
  end
end

-- A target that no path was measured to is not reached, whatever the reason.
local function unmeasured(found, condition, result)
  for _, target in ipairs(result) do
    local measured = false
    target = fields.list(target)
    for _, colo in ipairs(fields.list(target.colos)) do
      measured = measured or type(colo) == "table" and fields.list(colo.hops)[1] ~= nil
    end
    if not measured then
      found[#found + 1] = ("%s: %s: no path was measured"):format(condition.text,
        text.clean(fields.text(target.target) or "?"))
    end
  end
end

---What holds, a line for each path that it holds for; none when all is well.
---@param list traceroute.cli.Condition[]
---@param result traceroute.Result
---@param diff? traceroute.RunDiff against the earlier run
---@return string[]
function conditions.met(list, result, diff)
  local found = {}
  for _, condition in ipairs(list) do
    if condition.name == "path-changed" then
      changes(found, condition, diff)
    end
    if condition.name == "unreached" then
      unmeasured(found, condition, result)
    end
    for target, colo in hops.paths(result) do
      local asked = fields.text(target.target)
      local read = path.read(colo, asked)
      local why = read and holds(condition, read)
      if why then
        found[#found + 1] = ("%s: %s from %s: %s"):format(condition.text, text.clean(asked or "?"),
          text.clean(fields.colo(colo) or "?"), why)
      end
    end
  end
  return found
end

return conditions
