-- address: IPv4 and IPv6 addresses and networks, from text to bytes that compare. It must not know
-- where the text comes from, and never resolves a name.

local address = {}

local MAPPED = ("\0"):rep(10) .. "\255\255"

local function parse_v4(s)
  local a, b, c, d = s:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$")
  if not a then
    return nil
  end
  a, b, c, d = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
  if a > 255 or b > 255 or c > 255 or d > 255 then
    return nil
  end
  return string.char(a, b, c, d)
end

-- Groups of one half of an IPv6 address ("2001:db8", or "" for none) as bytes.
local function parse_groups(s)
  local out = {}
  if s == "" then
    return ""
  end
  for group in (s .. ":"):gmatch("([^:]*):") do
    if not group:match("^%x%x?%x?%x?$") then
      return nil
    end
    local n = tonumber(group, 16)
    out[#out + 1] = string.char(math.floor(n / 256), n % 256)
  end
  return table.concat(out)
end

local function parse_v6(s)
  local head, dotted = s:match("^(.*:)([%d.]+%.[%d.]+)$")
  if head then
    local tail = parse_v4(dotted)
    if not tail then
      return nil
    end
    s = ("%s%02x%02x:%02x%02x"):format(head, tail:byte(1, 4))
  end
  local left, right = s:match("^(.-)::(.*)$")
  if not left then
    local bytes = parse_groups(s)
    return bytes and #bytes == 16 and bytes or nil
  end
  local first, last = parse_groups(left), parse_groups(right)
  if not first or not last or #first + #last > 14 then
    return nil
  end
  return first .. ("\0"):rep(16 - #first - #last) .. last
end

---Bytes of an address: 4 for IPv4, 16 for IPv6; an IPv4-mapped IPv6 address counts as IPv4.
---Two spellings of one address give the same bytes.
---@param s any
---@return string? bytes nil when it is not an address
function address.parse(s)
  if type(s) ~= "string" or #s > 64 then
    return nil
  end
  local bytes
  if s:find(":", 1, true) then
    bytes = parse_v6(s)
    if bytes and bytes:sub(1, 12) == MAPPED then
      bytes = bytes:sub(13)
    end
  else
    bytes = parse_v4(s)
  end
  return bytes
end

---@class traceroute.Network
---@field bytes string the network's address
---@field bits integer length of its prefix

---An address or a network in CIDR notation; an address is a network of one.
---@param s any "192.0.2.0/24", "2001:db8::/32", "192.0.2.1"
---@return traceroute.Network? network nil when it is neither
function address.network(s)
  if type(s) ~= "string" then
    return nil
  end
  local host, prefix = s:match("^([^/]+)/(%d%d?%d?)$")
  local bytes = address.parse(host or s)
  if not bytes then
    return nil
  end
  local bits = #bytes * 8
  if prefix then
    local asked = tonumber(prefix)
    if #bytes == 4 and host:find(":", 1, true) then
      asked = asked - 96
    end
    if asked < 0 or asked > bits then
      return nil
    end
    bits = asked
  end
  return { bytes = bytes, bits = bits }
end

---Whether the bytes of an address lie in a network; the families never mix.
---@param network traceroute.Network
---@param bytes string from address.parse
---@return boolean
function address.contains(network, bytes)
  if #bytes ~= #network.bytes then
    return false
  end
  local whole = math.floor(network.bits / 8)
  if bytes:sub(1, whole) ~= network.bytes:sub(1, whole) then
    return false
  end
  local rest = network.bits % 8
  if rest == 0 then
    return true
  end
  local step = 2 ^ (8 - rest)
  return math.floor(bytes:byte(whole + 1) / step) == math.floor(network.bytes:byte(whole + 1) / step)
end

return address
