-- diff: two runs or two paths side by side: is the way the same, and how did loss and RTT move. It
-- must not judge either side by itself.

local fields = require "traceroute.fields"
local hops = require "traceroute.hops"
local invalid = require "traceroute.invalid"
local loss = require "traceroute.analysis.loss"
local path = require "traceroute.analysis.path"

local diff = {}

local RANK = { equal = 0, compatible = 1, changed = 2 }

---@class traceroute.Delta
---@field a number? before
---@field b number? after
---@field delta number? b - a

---@class traceroute.HopDiff
---@field ttl integer
---@field status "equal"|"compatible"|"changed"
---@field a string[] addresses, in order of answers; empty for a silent or absent hop
---@field b string[]
---@field loss traceroute.Delta percent
---@field rtt traceroute.Delta mean in ms

---@class traceroute.PathDiff
---@field status "equal"|"compatible"|"changed"
---@field target string?
---@field colo string?
---@field hops traceroute.HopDiff[] every TTL of either side
---@field first_change integer? TTL of the first hop that changed
---@field last_change integer?
---@field loss traceroute.Delta at the target, percent
---@field rtt traceroute.Delta at the target, mean in ms
---@field reached {a: boolean?, b: boolean?}
---@field as_path {a: string, b: string}
---@field error {a: string?, b: string?} the colos' own errors

---@class traceroute.RunDiff
---@field status "equal"|"compatible"|"changed" the worst of all paths; a path on one side alone is a change
---@field paths traceroute.PathDiff[] of the paths on both sides, in the order of a
---@field removed {target: string?, colo: string?}[] paths in a alone
---@field added {target: string?, colo: string?}[] paths in b alone

local function delta(a, b)
  return { a = a, b = b, delta = a and b and b - a or nil }
end

local function by_ttl(read)
  local found, last = {}, 0
  for _, hop in ipairs(read.hops) do
    found[hop.ttl] = found[hop.ttl] or hop
    last = math.max(last, hop.ttl)
  end
  return found, last
end

local function addresses(hop)
  local out, keys = {}, {}
  for _, node in ipairs(hop and hop.nodes or {}) do
    if not keys[node.key] then
      keys[node.key] = true
      out[#out + 1] = node.ip
    end
  end
  return out, keys
end

local function count_common(a, b)
  local common = 0
  for key in next, a do
    common = common + (b[key] and 1 or 0)
  end
  return common
end

-- Beyond a target that answered there is nothing, so an answer there is a change; beyond the last hop
-- of a path that ended early anything may be.
local function is_end(read, found, ttl)
  return found[ttl] == nil and read.reached == true and ttl > read.hops[read.target_index].ttl
end

local function compare_hop(a, b, keys_a, keys_b, ended)
  if #a == 0 and #b == 0 then
    return "equal"
  elseif #a == 0 or #b == 0 then
    return ended and "changed" or "compatible"
  end
  local common = count_common(keys_a, keys_b)
  if common == #a and common == #b then
    return "equal"
  end
  -- A load balancer shows some of its nodes to few packets: one in common is no change.
  return common > 0 and "compatible" or "changed"
end

local function compare_paths(a, b, target)
  local read_a, read_b, err
  read_a, err = path.read(a, target)
  if not read_a then
    err.path = "a"
    return nil, err
  end
  read_b, err = path.read(b, target)
  if not read_b then
    err.path = "b"
    return nil, err
  end
  local found_a, last_a = by_ttl(read_a)
  local found_b, last_b = by_ttl(read_b)
  local _, _, as_a = path.as_path_of(read_a)
  local _, _, as_b = path.as_path_of(read_b)
  local out = {
    status = "equal", hops = {}, target = target, colo = fields.colo(b),
    loss = delta(loss.at_target(read_a), loss.at_target(read_b)),
    rtt = delta(read_a.target_rtt_ms, read_b.target_rtt_ms),
    reached = { a = read_a.reached, b = read_b.reached },
    as_path = { a = as_a, b = as_b },
    error = { a = read_a.error, b = read_b.error },
  }
  for ttl = 0, math.min(math.max(last_a, last_b), 255) do
    local hop_a, hop_b = found_a[ttl], found_b[ttl]
    if hop_a or hop_b then
      local ips_a, keys_a = addresses(hop_a)
      local ips_b, keys_b = addresses(hop_b)
      local ended = is_end(read_a, found_a, ttl) or is_end(read_b, found_b, ttl)
      local status = compare_hop(ips_a, ips_b, keys_a, keys_b, ended)
      if not hop_a or not hop_b then
        status = status == "equal" and "compatible" or status
      end
      out.hops[#out.hops + 1] = {
        ttl = ttl, status = status, a = ips_a, b = ips_b,
        loss = delta(hop_a and hop_a.loss, hop_b and hop_b.loss),
        rtt = delta(hop_a and hop_a.mean_rtt_ms, hop_b and hop_b.mean_rtt_ms),
      }
      out.status = RANK[status] > RANK[out.status] and status or out.status
      if status == "changed" then
        out.first_change = out.first_change or ttl
        out.last_change = ttl
      end
    end
  end
  return out
end

-- Paths by target and colo; the second of the same pair is told from the first.
local function index_of(result, side)
  local found, order, seen = {}, {}, {}
  local next_path, err = hops.paths(result)
  if not next_path then
    err.path = side
    return nil, err
  end
  for target, colo in next_path do
    local asked, name = fields.text(target.target), fields.colo(colo)
    local pair = ("%s\0%s"):format(asked or "", name or "")
    seen[pair] = (seen[pair] or 0) + 1
    local key = pair .. "\0" .. seen[pair]
    found[key] = { target = asked, name = name, colo = colo }
    order[#order + 1] = key
  end
  return found, order
end

local function compare_runs(a, b)
  local found_a, order_a = index_of(a, "a")
  if not found_a then
    return nil, order_a
  end
  local found_b, order_b = index_of(b, "b")
  if not found_b then
    return nil, order_b
  end
  local out = { status = "equal", paths = {}, removed = {}, added = {} }
  for _, key in ipairs(order_a) do
    local before, after = found_a[key], found_b[key]
    if after then
      local compared, err = compare_paths(before.colo, after.colo, before.target)
      if not compared then
        return nil, err
      end
      out.paths[#out.paths + 1] = compared
      out.status = RANK[compared.status] > RANK[out.status] and compared.status or out.status
    else
      out.removed[#out.removed + 1] = { target = before.target, colo = before.name }
    end
  end
  for _, key in ipairs(order_b) do
    if not found_a[key] then
      out.added[#out.added + 1] = { target = found_b[key].target, colo = found_b[key].name }
    end
  end
  if #out.removed > 0 or #out.added > 0 then
    out.status = "changed"
  end
  return out
end

local function is_run(value)
  return value[1] ~= nil or next(value) == nil
end

---Compares two runs (results), whose paths are matched by target and colo, or two paths (elements of
---result[i].colos): hop by hop at the same TTL.
--- - `equal`: the same addresses at every hop
--- - `compatible`: as far as both answered; silent hops match anything, and so do hops of load
---   balancers that have an address in common
--- - `changed`: a hop without a common address, or one path is longer than the way to the target
---@param a traceroute.Result|traceroute.ColoResult before
---@param b traceroute.Result|traceroute.ColoResult after; of the same sort as a
---@param target? string for two paths: result[i].target
---@return traceroute.RunDiff|traceroute.PathDiff|nil diff
---@return traceroute.Error? err
function diff.diff(a, b, target)
  for _, side in ipairs { { "a", a }, { "b", b } } do
    local kind = type(side[2])
    if kind ~= "table" then
      return invalid.value(side[1], "a result or an element of result[i].colos expected, got " ..
        (kind == "nil" and "nothing" or kind))
    end
  end
  if is_run(a) ~= is_run(b) then
    return invalid.value("b", "two results or two paths expected, got one of each")
  elseif is_run(a) then
    return compare_runs(a, b)
  end
  return compare_paths(a, b, target)
end

return diff
