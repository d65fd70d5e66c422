-- summary: one target seen from all colos: who reached it, how far it is, which ways lead there. It
-- must not know single hops beyond what path and loss say of them.

local fields = require "traceroute.fields"
local invalid = require "traceroute.invalid"
local loss = require "traceroute.analysis.loss"
local path = require "traceroute.analysis.path"

local summary = {}

---@class traceroute.Spread
---@field best number?
---@field best_colo string?
---@field median number?
---@field worst number?
---@field worst_colo string?

---@class traceroute.AsGroup colos whose paths cross the same ASes
---@field as_path string "AS13335 AS174"; "" where no AS is known
---@field colos string[] in the order of the result
---@field count integer
---@field reached integer
---@field median_rtt_ms number?

---@class traceroute.Overview
---@field target string?
---@field colos integer paths there are
---@field reached integer
---@field unreached integer the target did not answer
---@field unknown integer it cannot be told
---@field failed integer colos that reported an error or sent nothing; they are counted above as well
---@field rtt_ms traceroute.Spread mean RTT to the target, of those that reached it
---@field loss_percent traceroute.Spread loss at the target; 100 where it did not answer
---@field hops traceroute.Spread hops to the target, of those that reached it
---@field as_paths traceroute.AsGroup[] largest group first

local function median(values)
  if #values == 0 then
    return nil
  end
  local middle = math.floor((#values + 1) / 2)
  return #values % 2 == 1 and values[middle] or (values[middle] + values[middle + 1]) / 2
end

local function by_value(x, y)
  if x.value ~= y.value then
    return x.value < y.value
  end
  return x.order < y.order
end

local function spread(items)
  table.sort(items, by_value)
  local values = {}
  for i, item in ipairs(items) do
    values[i] = item.value
  end
  local first, last = items[1] or {}, items[#items] or {}
  return {
    best = first.value, best_colo = first.colo, median = median(values),
    worst = last.value, worst_colo = last.colo,
  }
end

local function note(items, value, colo)
  if value then
    items[#items + 1] = { value = value, colo = colo, order = #items }
  end
end

local function group_of(groups, as_path)
  local group = groups[as_path]
  if not group then
    group = { as_path = as_path, colos = {}, count = 0, reached = 0, rtts = {}, order = #groups }
    groups[as_path] = group
    groups[#groups + 1] = group
  end
  return group
end

local function by_count(x, y)
  if x.count ~= y.count then
    return x.count > y.count
  end
  return x.order < y.order
end

local function finish(groups)
  local out = {}
  table.sort(groups, by_count)
  for i, group in ipairs(groups) do
    table.sort(group.rtts)
    out[i] = {
      as_path = group.as_path, colos = group.colos, count = group.count, reached = group.reached,
      median_rtt_ms = median(group.rtts),
    }
  end
  return out
end

---What all colos of one target say together. Colos that reported an error and no hops join no group.
---@param target traceroute.TargetResult an element of a result
---@return traceroute.Overview? summary
---@return traceroute.Error? err
function summary.summary(target)
  if type(target) ~= "table" then
    return invalid.value("target", "an element of a result expected, got " .. type(target))
  elseif target[1] ~= nil then
    return invalid.value("target", "an element of a result expected, got the result")
  end
  local asked = fields.text(target.target)
  local out = { target = asked, colos = 0, reached = 0, unreached = 0, unknown = 0, failed = 0 }
  local rtts, losses, lengths, groups = {}, {}, {}, {}
  for _, colo in ipairs(fields.list(target.colos)) do
    local read = type(colo) == "table" and path.read(colo, asked)
    if read then
      local name = fields.colo(colo) or "?"
      local outcome = read.reached and "reached" or read.reached == false and "unreached" or "unknown"
      out.colos = out.colos + 1
      out[outcome] = out[outcome] + 1
      out.failed = out.failed + ((read.error or not read.measured) and 1 or 0)
      local rtt = read.reached and read.target_rtt_ms or nil
      note(rtts, rtt, name)
      note(losses, loss.at_target(read), name)
      note(lengths, read.target_index and read.hops[read.target_index].ttl, name)
      if #read.hops > 0 then
        local _, _, as_path = path.as_path_of(read)
        local group = group_of(groups, as_path)
        group.count, group.reached = group.count + 1, group.reached + (read.reached and 1 or 0)
        group.colos[group.count] = name
        group.rtts[#group.rtts + 1] = rtt
      end
    end
  end
  out.rtt_ms, out.loss_percent, out.hops = spread(rtts), spread(losses), spread(lengths)
  out.as_paths = finish(groups)
  return out
end

return summary
