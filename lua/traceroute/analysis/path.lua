-- path: one colo's way to a target, read once into a form the other rooms share: hops in order of
-- TTL, the nodes that answered with one spelling of each field, where the target is. What can be said
-- of a path by itself is here too: its AS path, its id, its load-balanced hops. It must not judge
-- loss (loss), nor delay (rtt), nor compare paths (diff).

local address = require "traceroute.address"
local fields = require "traceroute.fields"
local invalid = require "traceroute.invalid"

local path = {}

-- What calls ask for unless told otherwise. A path that ends before it, at a hop that answers, is not one that was cut
-- off: who leaves silent hops out of the end must not make a target that is down look like one that was not asked.
local MAX_TTL = 15

---@class traceroute.PathNode: traceroute.Rtt
---@field ip string
---@field key string equal for two spellings of one address
---@field name string?
---@field asn string?
---@field labels string[] may be empty
---@field weight number answers, 1 where the count is not known
---@field share number percent of the hop's answers

---@class traceroute.PathHop: traceroute.Rtt
---@field ttl integer
---@field sent integer?
---@field lost integer?
---@field loss number? percent
---@field nodes traceroute.PathNode[] those that answered, most answers first; empty for a silent hop
---@field asn string? of the node with the most answers that has one
---@field refused boolean a node said that there is no route to the target, or that it may not forward
---@field hop traceroute.Hop as it is in the result

---@class traceroute.Path
---@field hops traceroute.PathHop[] in order of TTL
---@field last integer? index of the last hop that answered
---@field measured boolean packets were sent, and the colo did not fail before any answer
---@field reached boolean? nil when it cannot be told
---@field cut_off boolean? the last hop listed, the 15th or later, answers and is not the target: max_ttl was too low
---@field target_index integer? index of the hop where the target gave the most answers, the first of equals
---@field target_key string?
---@field target_rtt_ms number? mean, from the summary, failing that from the target's hop
---@field error string? the colo's own, nil when there was none

-- Pools the RTTs of nodes as if all their packets had been measured together: means weighted by
-- answers, the sample deviation rebuilt from the parts' own.
local function pool(nodes)
  local pooled = { packet_count = 0 }
  local weight, sum = 0, 0
  for i = 1, #nodes do
    local node = nodes[i]
    local low, high = node.min_rtt_ms or node.mean_rtt_ms, node.max_rtt_ms or node.mean_rtt_ms
    pooled.packet_count = pooled.packet_count + (node.packet_count or 0)
    pooled.min_rtt_ms = low and math.min(low, pooled.min_rtt_ms or low) or pooled.min_rtt_ms
    pooled.max_rtt_ms = high and math.max(high, pooled.max_rtt_ms or high) or pooled.max_rtt_ms
    if node.mean_rtt_ms then
      weight, sum = weight + node.weight, sum + node.weight * node.mean_rtt_ms
    end
  end
  if weight == 0 then
    return pooled
  end
  local mean, squares = sum / weight, 0
  for i = 1, #nodes do
    local node = nodes[i]
    if node.mean_rtt_ms then
      local deviation = node.std_dev_rtt_ms or 0
      squares = squares + (node.weight - 1) * deviation ^ 2 + node.weight * (node.mean_rtt_ms - mean) ^ 2
    end
  end
  pooled.mean_rtt_ms = mean
  pooled.std_dev_rtt_ms = weight > 1 and math.sqrt(squares / (weight - 1)) or 0
  if #nodes == 1 then
    pooled.std_dev_rtt_ms = nodes[1].std_dev_rtt_ms
  end
  return pooled
end

local function read_node(node)
  local count = fields.integer(node.packet_count)
  return {
    ip = node.ip,
    key = address.parse(node.ip) or node.ip,
    name = fields.text(node.name),
    asn = fields.asn(node.asn),
    labels = fields.list(node.labels),
    packet_count = count,
    weight = count and count > 0 and count or 1,
    min_rtt_ms = fields.number(node.min_rtt_ms),
    mean_rtt_ms = fields.number(node.mean_rtt_ms),
    max_rtt_ms = fields.number(node.max_rtt_ms),
    std_dev_rtt_ms = fields.number(node.std_dev_rtt_ms),
  }
end

local function by_weight(a, b)
  if a.weight ~= b.weight then
    return a.weight > b.weight
  elseif a.key ~= b.key then
    return a.key < b.key
  end
  return a.order < b.order
end

local function read_hop(hop, index)
  local nodes, total, refused = {}, 0, false
  local given = fields.list(hop.nodes)
  for n = 1, #given do
    refused = refused or fields.refuses(given[n])
    if fields.answered(given[n]) then
      local node = read_node(given[n])
      node.order = n
      nodes[#nodes + 1] = node
      total = total + node.weight
    end
  end
  table.sort(nodes, by_weight)
  local pooled = pool(nodes)
  for n = 1, #nodes do
    nodes[n].share = nodes[n].weight / total * 100
    pooled.asn = pooled.asn or nodes[n].asn
  end
  pooled.ttl = fields.integer(hop.packets_ttl) or index
  pooled.sent = fields.integer(hop.packets_sent)
  pooled.lost = fields.integer(hop.packets_lost)
  pooled.loss = fields.loss(hop)
  pooled.nodes = nodes
  pooled.refused = refused
  pooled.hop = hop
  pooled.order = index
  return pooled
end

local function by_ttl(a, b)
  if a.ttl ~= b.ttl then
    return a.ttl < b.ttl
  end
  return a.order < b.order
end

-- How many answers of a hop are the target's; 0: it is not there.
local function answers_of(hop, key, name)
  local answers = 0
  for n = 1, #hop.nodes do
    local node = hop.nodes[n]
    if key and node.key == key or name and node.name == name then
      answers = answers + node.weight
    end
  end
  return answers
end

-- Whether the path says anything of the target: packets were sent, and the colo did not fail before any answer.
local function is_measured(read)
  local sent = read.last ~= nil
  for h = 1, read.error and 0 or #read.hops do
    sent = sent or read.hops[h].sent ~= 0
  end
  return sent
end

-- A target can be a host name: its address is in the summary, and failing that the name may be a
-- node's own. Where branches of a load balancer are not of one length, it answers at several hops, at the
-- first of them only what took the short branch: it is judged where it answers best.
local function find_target(read, summary, target)
  local key = summary.ip and (address.parse(summary.ip) or summary.ip) or address.parse(target)
  local name = not key and fields.text(target) or nil
  read.target_key = key
  local most = 0
  for i = 1, #read.hops do
    local answers = answers_of(read.hops[i], key, name)
    if answers > most then
      read.target_index, read.reached, most = i, true, answers
    end
  end
  if read.reached or not read.measured or not key and read.last then
    return
  end
  local final = read.hops[#read.hops]
  if read.last == #read.hops and not final.refused and (final.ttl >= MAX_TTL or summary.mean_rtt_ms) then
    -- Beyond it nothing was asked, unless the summary knows of answers that no hop shows.
    read.cut_off = not read.error and not summary.mean_rtt_ms or nil
  else
    read.reached = false
  end
end

local function check(colo)
  if type(colo) ~= "table" then
    return invalid.value("colo", "an element of result[i].colos expected, got " .. type(colo))
  elseif colo.colos ~= nil or colo[1] ~= nil then
    return invalid.value("colo", "an element of result[i].colos expected, got what holds them")
  end
  return true
end

---Reads one colo's path.
---@param colo traceroute.ColoResult an element of result[i].colos
---@param target? string result[i].target; tells the target where the summary has no address
---@return traceroute.Path? path
---@return traceroute.Error? err
function path.read(colo, target)
  local fine, err = check(colo)
  if not fine then
    return nil, err
  end
  local read = { hops = {}, error = fields.text(colo.error) }
  local given = fields.list(colo.hops)
  for h = 1, #given do
    if type(given[h]) == "table" then
      read.hops[#read.hops + 1] = read_hop(given[h], h)
    end
  end
  table.sort(read.hops, by_ttl)
  for h = 1, #read.hops do
    if #read.hops[h].nodes > 0 then
      read.last = h
    end
  end
  read.measured = is_measured(read)
  local summary = fields.summary(colo)
  find_target(read, summary, target)
  read.target_rtt_ms = summary.mean_rtt_ms or read.target_index and read.hops[read.target_index].mean_rtt_ms or nil
  return read
end

---The same where there are options, too, which are checked first.
---@param colo traceroute.ColoResult
---@param target string?
---@param opts table?
---@param known table<string, string> option -> its type
---@return traceroute.Path? path
---@return table|traceroute.Error opts as checked, or the error
function path.read_with_options(colo, target, opts, known)
  local checked, err = invalid.options(opts, known, "opts")
  if not checked then
    return nil, err
  end
  local read
  read, err = path.read(colo, target)
  if not read then
    return nil, err
  end
  return read, checked
end

---The target's summary under one spelling; see fields.summary.
---@param colo traceroute.ColoResult
---@return traceroute.Rtt|{ip: string?, name: string?, asn: string?}|nil summary
---@return traceroute.Error? err
function path.summary(colo)
  local fine, err = check(colo)
  if not fine then
    return nil, err
  end
  return fields.summary(colo)
end

---Whether the target answered. nil without an error: it cannot be told, since nothing was measured; or
---the path is cut off before the target, so that its last hop answers (max_ttl was too low); or the result
---says neither the target's address nor a name to know it by.
---@param colo traceroute.ColoResult
---@param target? string
---@return boolean? responded
---@return traceroute.Error? err
function path.destination_responded(colo, target)
  local read, err = path.read(colo, target)
  if not read then
    return nil, err
  end
  return read.reached
end

---The last hop that any node answered at; nil without an error when none did.
---@param colo traceroute.ColoResult
---@return traceroute.PathHop? hop
---@return traceroute.Error? err
function path.last_responding_hop(colo)
  local read, err = path.read(colo)
  if not read then
    return nil, err
  end
  return read.hops[read.last]
end

---The addresses of each hop, most answers first; an empty list is a silent hop.
---@param colo traceroute.ColoResult
---@return string[][]? hops
---@return traceroute.Error? err
function path.ip_path(colo)
  local read, err = path.read(colo)
  if not read then
    return nil, err
  end
  local out = {}
  for h = 1, #read.hops do
    out[h] = {}
    for n, node in ipairs(read.hops[h].nodes) do
      out[h][n] = node.ip
    end
  end
  return out
end

---@class traceroute.AsSegment
---@field asn string
---@field first_ttl integer
---@field last_ttl integer

---@class traceroute.AsBoundary between the last hop known in one AS and the first in the next
---@field from string
---@field to string
---@field from_ttl integer
---@field to_ttl integer

---The ASes that a path crosses. Only adjacent repeats are one segment: an AS that is come back to
---stands twice. Hops of unknown AS are passed over. At a hop in several ASes the one with the most
---answers counts.
---@param colo traceroute.ColoResult
---@return traceroute.AsSegment[]? segments
---@return traceroute.AsBoundary[]|traceroute.Error boundaries or the error
---@return string? text "AS13335 AS174"
function path.as_path(colo)
  local read, err = path.read(colo)
  if not read then
    return nil, err
  end
  return path.as_path_of(read)
end

---The same for a path already read.
---@param read traceroute.Path
---@return traceroute.AsSegment[] segments
---@return traceroute.AsBoundary[] boundaries
---@return string text
function path.as_path_of(read)
  local segments, boundaries, names = {}, {}, {}
  for h = 1, #read.hops do
    local hop = read.hops[h]
    local current = segments[#segments]
    if hop.asn and current and current.asn == hop.asn then
      current.last_ttl = hop.ttl
    elseif hop.asn then
      if current then
        boundaries[#boundaries + 1] =
          { from = current.asn, to = hop.asn, from_ttl = current.last_ttl, to_ttl = hop.ttl }
      end
      segments[#segments + 1] = { asn = hop.asn, first_ttl = hop.ttl, last_ttl = hop.ttl }
      names[#names + 1] = hop.asn
    end
  end
  return segments, boundaries, table.concat(names, " ")
end

---@class traceroute.Multipath
---@field ttl integer
---@field nodes traceroute.PathNode[] each with its share in percent

---The hops where more than one node answered: load balancing seen.
---@param colo traceroute.ColoResult
---@return traceroute.Multipath[]? hops
---@return traceroute.Error? err
function path.multipath(colo)
  local read, err = path.read(colo)
  if not read then
    return nil, err
  end
  local out = {}
  for h = 1, #read.hops do
    local hop = read.hops[h]
    if #hop.nodes > 1 then
      out[#out + 1] = { ttl = hop.ttl, nodes = hop.nodes }
    end
  end
  return out
end

-- A polynomial hash in doubles, so that every Lua gets the same: h * factor stays below 2^53.
local function hash(s, factor)
  local h = 5381
  for i = 1, #s do
    h = (h * factor + s:byte(i)) % 4294967291
  end
  return h
end

---A name for the path that stays the same as long as the same addresses answer at the same distances:
---16 hexadecimal digits. Order within a hop does not count, nor silent hops after the last answer; a
---silent hop in between does (diff takes it as a wildcard). nil without an error: nothing answered.
---@param colo traceroute.ColoResult
---@return string? id
---@return traceroute.Error? err
function path.path_id(colo)
  local read, err = path.read(colo)
  if not read then
    return nil, err
  end
  return path.path_id_of(read)
end

---The same for a path already read.
---@param read traceroute.Path
---@return string?
function path.path_id_of(read)
  if not read.last then
    return nil
  end
  local parts = {}
  for h = 1, read.last do
    local keys, seen = {}, {}
    for _, node in ipairs(read.hops[h].nodes) do
      if not seen[node.key] then
        seen[node.key] = true
        keys[#keys + 1] = node.key
      end
    end
    table.sort(keys)
    parts[h] = #keys .. ":" .. table.concat(keys, "|")
  end
  local whole = table.concat(parts, ";")
  return ("%08x%08x"):format(hash(whole, 263), hash(whole, 65599))
end

---How a hop does, in trippy's terms.
---@param hop traceroute.PathHop
---@return "healthy"|"lossy"|"silent"
function path.status_of(hop)
  if #hop.nodes == 0 then
    return "silent"
  end
  return hop.loss and hop.loss > 0 and "lossy" or "healthy"
end

---@class traceroute.HopStatus
---@field ttl integer
---@field status "healthy"|"lossy"|"silent"
---@field role "intermediate"|"target"

---How each hop does and whether it is the target.
---@param colo traceroute.ColoResult
---@param target? string
---@return traceroute.HopStatus[]? statuses in order of TTL
---@return traceroute.Error? err
function path.hop_status(colo, target)
  local read, err = path.read(colo, target)
  if not read then
    return nil, err
  end
  local out = {}
  for h, hop in ipairs(read.hops) do
    local is_target = answers_of(hop, read.target_key, not read.target_key and target or nil) > 0
    out[h] = { ttl = hop.ttl, status = path.status_of(hop), role = is_target and "target" or "intermediate" }
  end
  return out
end

return path
