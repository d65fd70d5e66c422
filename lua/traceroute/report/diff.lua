-- diff: what analysis.diff found, as lines for a person. It must not compare anything itself.

local decimal = require "traceroute.decimal"
local invalid = require "traceroute.invalid"
local text = require "traceroute.text"

local OPTIONS = { color = "boolean" }
local STYLE = { changed = "\27[31m", compatible = "\27[36m", equal = "\27[32m" }

-- The sides of what is compared, where they are known, and what they are.
local SIDES = { as_path = "string", rtt = "number", loss = "number", reached = "boolean", error = "string" }

local function is_or_nil(value, kind)
  return value == nil or type(value) == kind
end

local function all_are(list, test)
  if type(list) ~= "table" then
    return false
  end
  for _, item in ipairs(list) do
    if not test(item) then
      return false
    end
  end
  return true
end

local function is_text(value)
  return type(value) == "string"
end

local function is_hop(hop)
  return type(hop) == "table" and (hop.status ~= "changed"
    or type(hop.ttl) == "number" and all_are(hop.a, is_text) and all_are(hop.b, is_text))
end

local function is_named(path)
  return type(path) == "table" and is_or_nil(path.target, "string") and is_or_nil(path.colo, "string")
end

-- Whether all that is drawn of a path is there.
local function is_path(path)
  if not (is_named(path) and STYLE[path.status] and all_are(path.hops, is_hop)
    and is_or_nil(path.first_change, "number") and is_or_nil(path.last_change, "number")) then
    return false
  end
  for name, kind in pairs(SIDES) do
    local pair = path[name]
    if not (type(pair) == "table" and is_or_nil(pair.a, kind) and is_or_nil(pair.b, kind)
      and is_or_nil(pair.delta, "number")) then
      return false
    end
  end
  return is_text(path.as_path.a) and is_text(path.as_path.b)
end

local function ips(list)
  if #list == 0 then
    return "???"
  end
  local out = {}
  for i, ip in ipairs(list) do
    out[i] = text.clean(ip)
  end
  return table.concat(out, ", ")
end

-- "RTT 1.00 ms -> 3.00 ms (+2.00)"; nothing where neither side has a value.
local function moved(name, delta, format, unit)
  if not delta.a and not delta.b then
    return nil
  end
  local function value(v)
    return v and decimal(format, v) .. unit or "none"
  end
  return ("%s %s -> %s%s"):format(name, value(delta.a), value(delta.b),
    delta.delta and " (" .. decimal("%+.2f", delta.delta) .. ")" or "")
end

local function where(path)
  if not path.first_change or not path.last_change then
    return ""
  elseif path.first_change == path.last_change then
    return " at hop " .. path.first_change
  end
  return (" between hop %s and hop %s"):format(path.first_change, path.last_change)
end

local function draw_path(out, path, color)
  local status = color and STYLE[path.status] .. path.status .. "\27[0m" or path.status
  out[#out + 1] = ("%s from %s: %s%s"):format(text.clean(path.target or "?"), text.clean(path.colo or "?"), status,
    where(path))
  for _, hop in ipairs(path.hops) do
    if hop.status == "changed" then
      out[#out + 1] = ("  hop %s: %s -> %s"):format(hop.ttl, ips(hop.a), ips(hop.b))
    end
  end
  if path.as_path.a ~= path.as_path.b then
    out[#out + 1] = ("  AS path %s -> %s"):format(path.as_path.a, path.as_path.b)
  end
  out[#out + 1] = moved("  RTT", path.rtt, "%.2f", " ms")
  out[#out + 1] = moved("  loss", path.loss, "%.1f", "%")
  -- A side that cannot tell is no change.
  if path.reached.a ~= nil and path.reached.b ~= nil and path.reached.a ~= path.reached.b then
    out[#out + 1] = path.reached.b and "  now reached" or "  no longer reached"
  end
  if path.error.b then
    out[#out + 1] = "  " .. text.clean(path.error.b)
  end
end

---Lines that say what changed between two runs or two paths.
---@param diff traceroute.RunDiff|traceroute.PathDiff from analysis.diff
---@param opts? {color: boolean} with ANSI colours; default false
---@return string? text
---@return traceroute.Error? err
return function(diff, opts)
  local checked, err = invalid.options(opts, OPTIONS, "opts")
  if not checked then
    return nil, err
  elseif type(diff) ~= "table" or not all_are(diff.paths or { diff }, is_path)
    or not all_are(diff.removed or {}, is_named) or not all_are(diff.added or {}, is_named) then
    return invalid.value("diff", "what analysis.diff returned expected")
  end
  local out = {}
  for _, path in ipairs(diff.paths or { diff }) do
    draw_path(out, path, checked.color)
  end
  for _, side in ipairs { "removed", "added" } do
    for _, path in ipairs(diff[side] or {}) do
      out[#out + 1] = ("%s from %s: %s"):format(text.clean(path.target or "?"), text.clean(path.colo or "?"),
        side == "removed" and "in the earlier run alone" or "in the later run alone")
    end
  end
  out[#out + 1] = #out == 0 and "no paths" or nil
  return table.concat(out, "\n") .. "\n"
end
