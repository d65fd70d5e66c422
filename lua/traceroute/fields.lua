-- fields: what a single value of a result means, whoever decoded it: absent or null, integer or
-- float, an AS number in any spelling, a node that answered or not. It must not know paths or reports.

local fields = {}

local NOTHING = {}
local LARGEST = 2 ^ 53
local to_integer = math.tointeger

---The array, or an empty one for what is absent, null or no table. Callers never write to it.
---@param value any
---@return table
function fields.list(value)
  return type(value) == "table" and value or NOTHING
end

---A text that says something; nil for "", null and all else.
---@param value any
---@return string?
function fields.text(value)
  if type(value) == "string" and value ~= "" then
    return value
  end
  return nil
end

---A finite number, or nil.
---@param value any
---@return number?
function fields.number(value)
  if type(value) == "number" and value == value and value < math.huge and value > -math.huge then
    return value
  end
  return nil
end

---A number without fraction that a double holds exactly (up to 2^53), as an integer where the Lua has them; nil
---otherwise.
---@param value any
---@return integer?
function fields.integer(value)
  if type(value) ~= "number" or not (value >= -LARGEST and value <= LARGEST) or value % 1 ~= 0 then
    return nil
  end
  return to_integer and to_integer(value) or value
end

---An AS number as "AS13335", whether it was written "AS13335", "as13335", "13335" or 13335;
---nil when unknown ("", "*", null, 0).
---@param value any
---@return string?
function fields.asn(value)
  if type(value) == "number" then
    value = ("%.0f"):format(value)
  elseif type(value) ~= "string" then
    return nil
  end
  local digits, rest = value:match("^%s*[Aa][Ss]0*([1-9]%d*)(.?)")
  if not digits then
    digits, rest = value:match("^%s*0*([1-9]%d*)(.?)")
  end
  if rest ~= "" and rest ~= " " then
    return nil
  end
  return "AS" .. digits
end

---Whether a node stands for an answer: it has an address, and packets were not counted as none.
---@param node any
---@return boolean
function fields.answered(node)
  if type(node) ~= "table" then
    return false
  end
  local ip = node.ip
  return type(ip) == "string" and ip ~= "" and ip ~= "*" and node.packet_count ~= 0
end

---Whether a node says that it has no route to the target, or that it may not forward: "no-route" of a
---probe from here, "!H", "!N", "!X" and the like as traceroute writes them.
---@param node any
---@return boolean
function fields.refuses(node)
  local labels = fields.list(fields.list(node).labels)
  for i = 1, #labels do
    local label = labels[i]
    if label == "no-route" or type(label) == "string" and label:find("^!%w+$") then
      return true
    end
  end
  return false
end

---Loss of a hop in percent, 0 to 100; nil when no packet was sent or it is not known.
---@param hop table
---@return number?
function fields.loss(hop)
  local sent, lost = hop.packets_sent, hop.packets_lost
  if type(sent) ~= "number" or type(lost) ~= "number" or not (sent > 0 and lost >= 0) then
    return nil
  end
  return lost < sent and lost / sent * 100 or 100
end

---A colo's name; nil when it has none.
---@param colo table an element of result[i].colos
---@return string? name
---@return string? city
function fields.colo(colo)
  local c = fields.list(colo.colo)
  return fields.text(c.name), fields.text(c.city)
end

---@class traceroute.Rtt
---@field min_rtt_ms number?
---@field mean_rtt_ms number?
---@field max_rtt_ms number?
---@field std_dev_rtt_ms number?
---@field packet_count integer?

---The target's summary under one spelling, whichever the service used; RTTs are nil unless
---packets were counted.
---@param colo table an element of result[i].colos
---@return traceroute.Rtt|{ip: string?, name: string?, asn: string?}
function fields.summary(colo)
  local s = fields.list(colo.target_summary)
  local count = fields.integer(s.packet_count)
  local function rtt(what)
    if count == 0 or not count and not fields.text(s.ip) then
      return nil
    end
    return fields.number(s[what .. "_rtt_ms"]) or fields.number(s[what .. "_latency_ms"])
  end
  return {
    ip = fields.text(s.ip),
    name = fields.text(s.name),
    asn = fields.asn(s.asn),
    packet_count = count,
    min_rtt_ms = rtt("min"),
    mean_rtt_ms = rtt("mean"),
    max_rtt_ms = rtt("max"),
    std_dev_rtt_ms = rtt("std_dev"),
  }
end

return fields
