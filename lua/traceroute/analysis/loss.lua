-- loss: whether the loss seen at a hop is real, or a router that saves its breath. It must not know
-- delay, nor how a verdict is drawn.
--
-- Every packet that reaches a later hop has passed this one. Loss on the way to this hop must show at
-- all later hops; loss of its answers alone does not. So the later hops are the witnesses: runs of
-- them, next to this hop and up to the end, whose packets are counted together, because three packets
-- of one hop say little.

local decimal = require "traceroute.decimal"
local path = require "traceroute.analysis.path"

local loss = {}

-- Later hops speak against a hop's loss when chance would explain them in less than this share of cases:
-- all of them clean, or one of the runs cleaner. Many runs are tried, so each must be the stranger.
local CLEAN_CHANCE = 0.05
local RUN_CHANCE = 0.02
local MIN_PACKETS = 10
-- Counts beyond what any traceroute sends are not taken for counts: the test's work grows with them.
local MAX_COUNT = 10000
local PERSISTS = "it begins at hop %d and persists to the target"
local OPTIONS = { min_packets = "number" }

local factorials = { [0] = 0 }

local function log_factorial(n)
  for i = #factorials + 1, n do
    factorials[i] = factorials[i - 1] + math.log(i)
  end
  return factorials[n]
end

local function log_choose(n, k)
  return log_factorial(n) - log_factorial(k) - log_factorial(n - k)
end

-- How likely so few losses at later hops are, had they and this hop lost at one rate: Fisher's exact
-- test, one-sided. The rate that the hop shows may be too high by chance while the loss is there.
local function chance_of(lost, sent, later_lost, later_sent)
  local all, all_lost = sent + later_sent, lost + later_lost
  local chance = 0
  for k = math.max(0, all_lost - sent), later_lost do
    chance = chance + math.exp(log_choose(later_sent, k) + log_choose(sent, all_lost - k) - log_choose(all, all_lost))
  end
  return chance
end

-- The run of witnesses least in keeping with the hop's loss: those next to the hop, or those up to
-- the last. Where all of them are clean, there is no loss that could persist but what they missed by
-- chance: they are held against the rate that the hop shows.
local function strongest(hop, witnesses, later)
  if later.lost == 0 then
    return {
      chance = (1 - hop.lost / hop.sent) ^ later.sent, lost = 0, sent = later.sent,
      first = witnesses[1].ttl, last = witnesses[#witnesses].ttl,
    }
  end
  local best
  local function weigh(first, last, step)
    local lost, sent = 0, 0
    for w = first, last, step do
      lost, sent = lost + witnesses[w].lost, sent + witnesses[w].sent
      local chance = chance_of(hop.lost, hop.sent, lost, sent)
      if not best or chance < best.chance then
        best = {
          chance = chance, lost = lost, sent = sent,
          first = witnesses[math.min(first, w)].ttl, last = witnesses[math.max(first, w)].ttl,
        }
      end
    end
  end
  weigh(1, #witnesses, 1)
  weigh(#witnesses, 1, -1)
  return best
end

local function counted(hop)
  return hop.sent and hop.lost and hop.sent > 0 and hop.sent <= MAX_COUNT and hop.lost >= 0 and hop.lost <= hop.sent
end

local function witnesses_of(read, index)
  local found, sent, lost = {}, 0, 0
  for h = index + 1, read.target_index or #read.hops do
    local hop = read.hops[h]
    if #hop.nodes > 0 and counted(hop) then
      found[#found + 1] = hop
      sent, lost = sent + hop.sent, lost + hop.lost
    end
  end
  return found, sent, lost
end

local function hops_text(first, last)
  return first == last and "hop " .. first or ("hops %d to %d"):format(first, last)
end

local function few(sent, min_packets)
  return "unknown", ("only %d packets to judge by, %s needed"):format(sent, decimal("%.14g", min_packets))
end

local function judge_target(hop, began, min_packets)
  if began then
    return "real", PERSISTS:format(began)
  elseif hop.sent < min_packets then
    return few(hop.sent, min_packets)
  end
  return "target", ("%d of %d packets lost at the target, no loss before it that persists"):format(hop.lost, hop.sent)
end

local function judge_by(witnesses, hop, read, later, began, min_packets)
  local best = strongest(hop, witnesses, later)
  local refuted = best.chance <= (later.lost == 0 and CLEAN_CHANCE or RUN_CHANCE)
  if began and not refuted then
    return "real", PERSISTS:format(began)
  elseif hop.sent + later.sent < min_packets then
    return few(hop.sent + later.sent, min_packets)
  elseif refuted then
    later.chance = best.chance
    return "rate_limited", ("%s lost %d of %d packets, so it does not persist"):format(
      hops_text(best.first, best.last), best.lost, best.sent)
  elseif later.lost == 0 then
    return "unknown", ("later hops lost none of %d packets, too few to clear it"):format(later.sent)
  elseif not read.reached then
    return "unknown", ("%d of %d packets lost beyond, up to hop %d; the target did not answer"):format(
      later.lost, later.sent, witnesses[#witnesses].ttl)
  end
  return "real", ("later hops up to the target lost %d of %d packets"):format(later.lost, later.sent)
end

local function judge(read, index, began, min_packets)
  local hop = read.hops[index]
  local later = { sent = 0, lost = 0 }
  if not counted(hop) then
    return "unknown", "no packets were counted", later
  elseif hop.lost == 0 then
    return "none", nil, later
  end
  local witnesses
  witnesses, later.sent, later.lost = witnesses_of(read, index)
  local verdict, evidence
  if index == read.target_index then
    verdict, evidence = judge_target(hop, began, min_packets)
  elseif #witnesses == 0 then
    verdict, evidence = "unknown", #hop.nodes == 0 and "nothing answered from here on" or "no later hop answered"
  elseif #hop.nodes == 0 then
    verdict, evidence = "rate_limited", ("never answers, but %s beyond it does"):format(
      hops_text(witnesses[1].ttl, witnesses[1].ttl))
  else
    verdict, evidence = judge_by(witnesses, hop, read, later, began, min_packets)
  end
  return verdict, evidence, later
end

---@class traceroute.Loss
---@field ttl integer
---@field sent integer?
---@field lost integer?
---@field loss number? percent; nil when none was sent
---@field verdict "none"|"real"|"rate_limited"|"target"|"unknown"
---@field evidence string? one sentence; nil where the verdict is "none"
---@field later_sent integer packets sent to the later hops that answered, up to the target
---@field later_lost integer of these
---@field chance number? of "rate_limited": how likely the later hops' clean record were, were the loss real; 0 to 1

---The verdicts on a path already read.
---@param read traceroute.Path
---@param min_packets? integer
---@return traceroute.Loss[]
function loss.verdicts_of(read, min_packets)
  local out, began = {}, nil
  for h, hop in ipairs(read.hops) do
    local verdict, evidence, later = judge(read, h, began, min_packets or MIN_PACKETS)
    if verdict == "real" then
      began = began or hop.ttl
    end
    out[h] = {
      ttl = hop.ttl, sent = hop.sent, lost = hop.lost, loss = hop.loss,
      verdict = verdict, evidence = evidence,
      later_sent = later.sent, later_lost = later.lost, chance = later.chance,
    }
  end
  return out
end

---Judges the loss of each hop.
--- - `none`: nothing was lost
--- - `real`: it persists at the later hops up to the target
--- - `rate_limited`: later hops are clean, or so much cleaner that chance does not explain it (2 %): the
---   hop answers sparingly, or never, and forwards well
--- - `target`: the target loses, and nothing before it does
--- - `unknown`: too few packets, nothing beyond answered, or the target did not
---@param colo traceroute.ColoResult
---@param target? string result[i].target
---@param opts? {min_packets: integer} packets at the hop and the answering ones after it below which
---the verdict is `unknown`; default 10
---@return traceroute.Loss[]? verdicts one a hop, in order of TTL
---@return traceroute.Error? err
function loss.verdicts(colo, target, opts)
  local read, checked = path.read_with_options(colo, target, opts, OPTIONS)
  if not read then
    return nil, checked
  end
  return loss.verdicts_of(read, checked.min_packets)
end

---Loss at the target in percent; 100 where packets were sent and it did not answer; nil when nothing
---was counted.
---@param read traceroute.Path
---@return number?
function loss.at_target(read)
  if read.target_index then
    return read.hops[read.target_index].loss
  elseif read.reached == false and #read.hops > 0 then
    for h = 1, #read.hops do
      if counted(read.hops[h]) then
        return 100
      end
    end
  end
  return nil
end

---@class traceroute.LossBegin
---@field ttl integer the first hop whose verdict is `real` or `target`
---@field asn string? of that hop
---@field ip string?
---@field loss number percent
---@field from_ttl integer? the last hop before it that answered
---@field from_asn string?
---@field evidence string

---Where the loss of a path begins, be it real or the target's own: the hop, its AS and the one before.
---nil without an error: no such loss.
---@param colo traceroute.ColoResult
---@param target? string
---@param opts? {min_packets: integer} as of verdicts
---@return traceroute.LossBegin? begin
---@return traceroute.Error? err
function loss.begins(colo, target, opts)
  local read, checked = path.read_with_options(colo, target, opts, OPTIONS)
  if not read then
    return nil, checked
  end
  local before
  for h, verdict in ipairs(loss.verdicts_of(read, checked.min_packets)) do
    local hop = read.hops[h]
    if verdict.verdict == "real" or verdict.verdict == "target" then
      return {
        ttl = hop.ttl, asn = hop.asn, ip = hop.nodes[1] and hop.nodes[1].ip, loss = hop.loss,
        from_ttl = before and before.ttl, from_asn = before and before.asn, evidence = verdict.evidence,
      }
    end
    if #hop.nodes > 0 then
      before = hop
    end
  end
  return nil
end

return loss
