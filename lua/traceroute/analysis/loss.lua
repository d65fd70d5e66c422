-- loss: whether the loss seen at a hop is real, or a router that saves its breath. It must not know
-- delay, nor how a verdict is drawn.
--
-- Every packet that reaches a later hop has passed this one. Loss on the way to this hop must show at
-- all later hops; loss of its answers alone does not. So the later hops are the witnesses: runs of
-- them, up to the target or next to this hop, whose packets are counted together, because three packets
-- of one hop say little. A run that is too clean clears the hop. What none clears is not blamed for that:
-- the target must lose, too, and what it loses must begin before it, as far as begin can tell.

local begin = require "traceroute.analysis.begin"
local decimal = require "traceroute.decimal"
local path = require "traceroute.analysis.path"

local loss = {}

-- Later hops speak against a hop's loss when chance would explain them in less than this share of cases.
-- Several runs of them are tried, so each must be the stranger.
local RUN_CHANCE = 0.01
-- How sure it must be that loss begins before the target, and that it has begun at a hop, to blame that hop.
local SURE, LIKELY = 0.85, 0.5
-- And how strange it may be that the target alone loses as little, did it lose at that hop's rate.
local FITS = 0.02
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

-- How likely so few losses at later hops are, did they lose at the rate of this hop, of which only its
-- own count is known: the rule of succession. The rate that few packets show may be high by chance.
-- Where they lose no less than the hop, there is nothing to weigh.
local function chance_of(lost, sent, later_lost, later_sent)
  if later_lost * sent >= lost * later_sent then
    return 1
  end
  local all = log_choose(sent + later_sent + 1, later_sent)
  local chance = 0
  for k = later_lost, 0, -1 do
    local one = math.exp(log_choose(lost + k, k) + log_choose(sent - lost + later_sent - k, later_sent - k) - all)
    chance = chance + one
    if one < chance * 1e-9 then
      break -- fewer are less likely still
    end
  end
  return chance
end

-- The run of witnesses least in keeping with the hop's loss: of those up to the target where that is clean,
-- else of those next to the hop.
local function strongest(hop, witnesses)
  local best
  local is_clean = witnesses[#witnesses].lost == 0
  local first, last, step = 1, #witnesses, 1
  if is_clean then
    first, last, step = last, first, -1
  end
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

local function judge_target(hop, begun, chances, min_packets)
  if begun then
    return "real", PERSISTS:format(begun)
  elseif chances.sent < min_packets then
    return few(chances.sent, min_packets)
  end
  return "target", ("%d of %d packets lost at the target, %s"):format(hop.lost, hop.sent,
    chances.before > LIKELY and "too little to tell whether it begins before" or "no loss before it that persists")
end

-- Whether loss that begins here or before lasts up to the target: that nothing speaks against it is not
-- enough. It must be sure that the target's loss begins before it, more likely than not that it has begun
-- here, half of the hops between or more must lose, too, and the target at a rate that fits.
local function persists(hop, witnesses, chances)
  local lossy = 0
  for w = 1, #witnesses - 1 do
    lossy = lossy + (witnesses[w].lost > 0 and 1 or 0)
  end
  local target = witnesses[#witnesses]
  return chances.before >= SURE and (chances.begun[hop] or 0) > LIKELY and lossy * 2 >= #witnesses - 1
    and chance_of(hop.lost, hop.sent, target.lost, target.sent) > FITS
end

-- What keeps loss that later hops neither refute nor bear out from being judged.
local function doubt(read, later, last_ttl)
  local beyond = ("%d of %d packets lost beyond"):format(later.lost, later.sent)
  if later.lost == 0 then
    return ("later hops lost none of %d packets, too few to clear it"):format(later.sent)
  elseif read.reached == false then
    return ("%s, up to hop %d; the target did not answer"):format(beyond, last_ttl)
  elseif not read.reached then
    return ("%s, up to hop %d; it cannot be told whether the target answered"):format(beyond, last_ttl)
  elseif read.hops[read.target_index].lost == 0 then
    return beyond .. ", none of them at the target"
  end
  return beyond .. ", too little to tell whether it persists"
end

local function judge_by(witnesses, hop, read, later, begun, chances, min_packets)
  local best = strongest(hop, witnesses)
  local refuted = best.chance <= RUN_CHANCE
  if begun and not refuted then
    return "real", PERSISTS:format(begun)
  elseif hop.sent + later.sent < min_packets then
    return few(hop.sent + later.sent, min_packets)
  elseif refuted then
    later.chance = best.chance
    return "rate_limited", ("%s lost %d of %d packets, so it does not persist"):format(
      hops_text(best.first, best.last), best.lost, best.sent)
  elseif persists(hop, witnesses, chances) then
    return "real", ("later hops up to the target lost %d of %d packets"):format(later.lost, later.sent)
  end
  return "unknown", doubt(read, later, witnesses[#witnesses].ttl)
end

local function judge(read, index, begun, chances, min_packets)
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
    verdict, evidence = judge_target(hop, begun, chances, min_packets)
  elseif #witnesses == 0 then
    verdict, evidence = "unknown", #hop.nodes == 0 and "nothing answered from here on" or "no later hop answered"
  elseif #hop.nodes == 0 then
    verdict, evidence = "rate_limited", ("never answers, but %s beyond it does"):format(
      hops_text(witnesses[1].ttl, witnesses[1].ttl))
  else
    verdict, evidence = judge_by(witnesses, hop, read, later, begun, chances, min_packets)
  end
  return verdict, evidence, later
end

-- How sure it is that the target's loss begins `before` it, and has `begun` by each hop; and the packets that
-- were `sent` up to it. Nothing is sure where the target lost nothing or did not answer.
local function chances_of(read)
  local target = read.target_index and read.hops[read.target_index]
  if not target or not counted(target) or target.lost == 0 then
    return { before = 0, begun = {}, sent = 0 }
  end
  local found, sent = {}, 0
  for h = 1, read.target_index do
    if #read.hops[h].nodes > 0 and counted(read.hops[h]) then
      found[#found + 1] = read.hops[h]
      sent = sent + read.hops[h].sent
    end
  end
  local before, begun = begin.chances(found)
  return { before = before, begun = begun, sent = sent }
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
  local out, begun = {}, nil
  local chances = chances_of(read)
  for h, hop in ipairs(read.hops) do
    local verdict, evidence, later = judge(read, h, begun, chances, min_packets or MIN_PACKETS)
    if verdict == "real" then
      begun = begun or hop.ttl
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
--- - `real`: the target loses, that most likely (85 %) begins before it, more likely than not here or
---   before; half of the hops between or more lose, too, and the target at a rate that fits
--- - `rate_limited`: later hops are clean, or so much cleaner that chance does not explain it (1 %): the
---   hop answers sparingly, or never, and forwards well
--- - `target`: the target loses, and no loss before it is real
--- - `unknown`: neither later hops nor the target speak clearly enough for it or against it
---@param colo traceroute.ColoResult
---@param target? string result[i].target
---@param opts? {min_packets: integer} packets at the hop and the answering ones after it (at the
---target: before it) below which the verdict is `unknown`; default 10
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
---was counted, or it cannot be told whether it answered.
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
---@field verdict "real"|"target"|"unreached" `unreached`: the target did not answer
---@field ttl integer the first hop whose verdict is `real` or `target`; `unreached`: the hop after the last
---answer, or the one that refused
---@field asn string? of that hop
---@field ip string?
---@field loss number percent
---@field from_ttl integer? the last hop before it that answered
---@field from_asn string?
---@field evidence string

-- Where the answers of a path end whose target did not answer.
local function ends(read)
  if loss.at_target(read) ~= 100 or read.reached then
    return nil
  end
  local index = (read.last or 0) + 1
  local evidence = "nothing answered"
  for h = #read.hops, read.last or 1, -1 do
    if read.hops[h].refused then
      index, evidence = h, ("hop %d said that there is no route to the target, or refused"):format(read.hops[h].ttl)
      break
    end
  end
  local hop = read.hops[index] or { ttl = read.hops[#read.hops].ttl + 1, nodes = {} } -- one that is left out
  local before
  for h = 1, index - 1 do
    before = #read.hops[h].nodes > 0 and read.hops[h] or before
  end
  if read.last and not hop.refused then
    evidence = ("the last answer came from hop %d, none from the target"):format(read.hops[read.last].ttl)
  end
  return hop, before, "unreached", evidence
end

local function first_loss(read, min_packets)
  local before
  for h, verdict in ipairs(loss.verdicts_of(read, min_packets)) do
    if verdict.verdict == "real" or verdict.verdict == "target" then
      return read.hops[h], before, verdict.verdict, verdict.evidence
    end
    before = #read.hops[h].nodes > 0 and read.hops[h] or before
  end
  return ends(read)
end

---Where the loss of a path begins, be it real or the target's own: the hop, its AS and the one before. Of
---a target that did not answer: where the answers end. nil without an error: no such loss, or it cannot be
---told.
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
  local hop, before, verdict, evidence = first_loss(read, checked.min_packets)
  return hop and {
    verdict = verdict, ttl = hop.ttl, asn = hop.asn, ip = hop.nodes[1] and hop.nodes[1].ip,
    loss = verdict == "unreached" and 100 or hop.loss,
    from_ttl = before and before.ttl, from_asn = before and before.asn, evidence = evidence,
  }
end

return loss
