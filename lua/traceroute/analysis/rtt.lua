-- rtt: where delay is gained and kept. It must not know loss, nor how a jump is drawn.
--
-- Routers answer probes when they have time, so a single slow hop means nothing. What the later hops
-- keep was gained on the way.

local path = require "traceroute.analysis.path"

local rtt = {}

local MIN_MS = 10
local OPTIONS = { min_ms = "number" }

---@class traceroute.Jump
---@field ttl integer the hop after the jump
---@field from_ttl integer the hop before that answered
---@field rtt_ms number best RTT after
---@field from_rtt_ms number best RTT before
---@field delta_ms number difference of the two
---@field kept_ms number what every later hop keeps of it
---@field later_hops integer how many hops beyond bear witness; 0 only at the target
---@field asn string?
---@field from_asn string?

-- The least RTT from each answering hop to the last: what is never lost again.
local function floors(hops)
  local out, least = {}, math.huge
  for i = #hops, 1, -1 do
    least = math.min(least, hops[i].min_rtt_ms)
    out[i] = least
  end
  return out
end

---The jumps of a path already read.
---@param read traceroute.Path
---@param min_ms? number
---@return traceroute.Jump[]
function rtt.jumps_of(read, min_ms)
  local hops, out = {}, {}
  for _, hop in ipairs(read.hops) do
    if hop.min_rtt_ms then
      hops[#hops + 1] = hop
    end
  end
  local floor = floors(hops)
  local target = read.target_index and read.hops[read.target_index]
  for i = 2, #hops do
    local hop, before = hops[i], hops[i - 1]
    local kept = floor[i] - before.min_rtt_ms
    if kept >= (min_ms or MIN_MS) and (i < #hops or hop == target) then
      out[#out + 1] = {
        ttl = hop.ttl, from_ttl = before.ttl,
        rtt_ms = hop.min_rtt_ms, from_rtt_ms = before.min_rtt_ms,
        delta_ms = hop.min_rtt_ms - before.min_rtt_ms, kept_ms = kept, later_hops = #hops - i,
        asn = hop.asn, from_asn = before.asn,
      }
    end
  end
  return out
end

---The places where RTT rises against the hop before that answered, and every later hop keeps it.
---Compared are the best RTTs, which waiting in queues does not touch.
---@param colo traceroute.ColoResult
---@param target? string
---@param opts? {min_ms: number} the least that must be kept, in ms; default 10
---@return traceroute.Jump[]? jumps
---@return traceroute.Error? err
function rtt.jumps(colo, target, opts)
  local read, checked = path.read_with_options(colo, target, opts, OPTIONS)
  if not read then
    return nil, checked
  end
  return rtt.jumps_of(read, checked.min_ms)
end

return rtt
