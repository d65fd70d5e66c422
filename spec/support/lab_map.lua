-- Which nodes the lab has, how they are joined and what each does, and what follows from that: every
-- node's addresses, routes, settings, and the paths that are true. Pure computation, no I/O: lab.lua
-- makes it real.
--
--   source---r1---r2
--                 +--r3---r4---r5---plain
--                 |   +---r6---away
--                 +--split--+--left---+--join---diamond  split balances by addresses, protocol and ports
--                 |         +--right--+
--                 +--mute---r7---muted                   mute sends no ICMP errors
--                 +--sparing---spared                    sparing sends a burst of 6 errors, then one a second
--                 +--filter                              has four addresses behind it: see FILTERED
--                 +--leak---r8---r9---lossy              after leak one packet in five is lost
--                 +--far1---...---far                    as many hops as asked for
--
-- A node has one address of each family, on its loopback, and answers with it whatever link it answers
-- over. Links have link-local ones only. Who is at a link's other end is written down, so that no
-- first packet waits for a neighbour to be found. No address is ever tentative.

local map = {}
local Network = {}
Network.__index = Network

local V4, V6 = "192.0.2.%d", "2001:db8::%x"
local LINK_LOCAL, MAC = "fe80::%x", "02:00:00:00:00:%02x"
local FAR4, FAR6 = "198.18.0.0/20", "2001:db8:f::/116"
local OPEN_PORT = 80
local LEG = 4

-- The last of every LOSS packets that leave `leak` for `lossy` is dropped, counted for each TTL by
-- itself: whatever the order of probes, a multiple of LOSS of them to one hop lose exactly their share.
map.LOSS = 5
map.OPEN_PORT = OPEN_PORT

local LINKS = {
  { "source", "r1" }, { "r1", "r2" },
  { "r2", "r3" }, { "r3", "r4" }, { "r4", "r5" }, { "r5", "plain" },
  { "r3", "r6" }, { "r6", "away" },
  { "r2", "split" }, { "split", "left" }, { "split", "right" }, { "left", "join" }, { "right", "join" },
  { "join", "diamond" },
  { "r2", "mute" }, { "mute", "r7" }, { "r7", "muted" },
  { "r2", "sparing" }, { "sparing", "spared" },
  { "r2", "filter" },
  { "r2", "leak" }, { "leak", "r8" }, { "r8", "r9" }, { "r9", "lossy" },
}

-- Addresses that are nobody's: `filter` is where their paths end, whatever TTL is left, with one of these
-- ICMP codes or none. Routes that refuse (ip route add prohibit ...) would do the same, but for IPv4 the
-- kernel lets only a burst of five such errors through, with no setting of a namespace against it.
local FILTERED = {
  { name = "prohibited", [4] = "admin-prohibited", [6] = "admin-prohibited" },
  { name = "unreachable", [4] = "host-unreachable", [6] = "addr-unreachable" },
  { name = "unrouted", [4] = "net-unreachable", [6] = "no-route" },
  { name = "blackholed" },
}

local TARGETS = { "plain", "diamond", "muted", "spared", "lossy", "away" }

-- No limit on errors, whatever the machine's own settings: what a mask leaves out is not limited.
local SYSCTL = {
  "ipv4/ip_forward 1",
  "ipv4/conf/all/rp_filter 0",
  "ipv4/conf/default/rp_filter 0",
  "ipv4/icmp_ratemask 0",
  "ipv4/icmp_echo_ignore_all 0",
  "ipv4/fib_multipath_hash_policy 1",
  "ipv4/ip_default_ttl 64",
  "ipv6/conf/all/disable_ipv6 0",
  "ipv6/conf/all/forwarding 1",
  "ipv6/conf/all/accept_dad 0",
  "ipv6/conf/all/hop_limit 64",
  "ipv6/icmp/ratelimit 0",
  "ipv6/fib_multipath_hash_policy 1",
}

-- Linux lets a burst of six through before it spaces errors out. For IPv6 it divides the time by what
-- the prefix of the route back is wide: ours are of one address.
local LIMITED = {
  "ipv4/icmp_ratemask 6168",
  "ipv4/icmp_ratelimit 1000",
  "ipv6/icmp/ratelimit 1000",
}

local function chain(hook, rules)
  return ("table inet lab {\n  chain %s {\n    type filter hook %s priority 0;\n    %s\n  }\n}\n"):format(
    hook, hook, table.concat(rules, "\n    "))
end

local function silent()
  return chain("output", {
    "icmp type { destination-unreachable, time-exceeded } drop",
    "icmpv6 type { destination-unreachable, time-exceeded } drop",
  })
end

-- In the forward hook the TTL has gone down already: what expires at the next node has 1 left. Beyond
-- the target's own distance one counter does for all.
local function leaky(network)
  local rules = {}
  local distance = #network:path("lossy", "leak")
  for _, family in ipairs { { "ip daddr " .. network:address("lossy", 4) .. " ip ttl" },
                            { "ip6 daddr " .. network:address("lossy", 6) .. " ip6 hoplimit" } } do
    for ttl = 1, distance do
      rules[#rules + 1] = ("%s %d numgen inc mod %d %d counter drop"):format(
        family[1], ttl, map.LOSS, map.LOSS - 1)
    end
    rules[#rules + 1] = ("%s > %d numgen inc mod %d %d counter drop"):format(
      family[1], distance, map.LOSS, map.LOSS - 1)
  end
  return chain("forward", rules)
end

local function filtering(network)
  local rules = {}
  for _, filtered in ipairs(FILTERED) do
    if filtered[4] then
      rules[#rules + 1] = ("ip daddr %s reject with icmp type %s"):format(
        network:address(filtered.name, 4), filtered[4])
      rules[#rules + 1] = ("ip6 daddr %s reject with icmpv6 type %s"):format(
        network:address(filtered.name, 6), filtered[6])
    end
  end
  return chain("prerouting", rules)
end

function Network:add(name)
  local node = self.by_name[name]
  if not node then
    node = { name = name, neighbours = {}, links = {}, routes = {}, sysctl = {} }
    self.nodes[#self.nodes + 1] = node
    self.names[#self.names + 1] = name
    self.by_name[name] = node
    self:number(name)
  end
  return node
end

function Network:number(name)
  self.count = self.count + 1
  self.numbers[name] = self.count
end

-- delay: milliseconds that a frame takes; without, the link is a pair of veth.
function Network:join(a, b, delay)
  local one, other = self:add(a), self:add(b)
  table.insert(one.neighbours, b)
  table.insert(other.neighbours, a)
  if delay then
    self.delayed[#self.delayed + 1] = ("%s %s %g"):format(a, b, delay)
    for _, ends in ipairs { { one, b }, { other, a } } do
      table.insert(ends[1].routes, ("link set %s address " .. MAC):format(ends[2], self.numbers[ends[1].name]))
    end
    return
  end
  one.links[#one.links + 1] = ("link add name %s address %s type veth peer name %s address %s netns %s"):format(
    b, MAC:format(self.numbers[a]), a, MAC:format(self.numbers[b]), b)
end

function Network:address(name, family)
  local number = assert(self.numbers[name], name)
  return (family == 6 and V6 or V4):format(number)
end

function map.far_address(index, family)
  if family == 6 then
    return ("2001:db8:f::%x"):format(index)
  end
  return ("198.18.%d.%d"):format(math.floor(index / 256), index % 256)
end

-- For each node how many links it is away from the named one.
function Network:distances(name)
  local distance, queue, first = { [name] = 0 }, { name }, 1
  while queue[first] do
    for _, neighbour in ipairs(self.by_name[queue[first]].neighbours) do
      if not distance[neighbour] then
        distance[neighbour] = distance[queue[first]] + 1
        queue[#queue + 1] = neighbour
      end
    end
    first = first + 1
  end
  return distance
end

-- The neighbours a node sends packets to that are for another node: several only where it balances.
function Network:next_nodes(name, to)
  self.distance[to] = self.distance[to] or self:distances(to)
  local found, distance = {}, self.distance[to]
  for _, neighbour in ipairs(self.by_name[name].neighbours) do
    if distance[neighbour] < distance[name] and (#found == 0 or name == "split") then
      found[#found + 1] = neighbour
    end
  end
  table.sort(found)
  return found
end

-- Where packets for a target end up: itself, or the node that filters them.
function Network:last_node(target)
  return self.filtered[target] and "filter" or target
end

function Network:path(target, from)
  local hops, here, last = {}, { from }, self:last_node(target)
  while here[1] ~= last do
    local seen, following = {}, {}
    for _, name in ipairs(here) do
      for _, following_name in ipairs(self:next_nodes(name, last)) do
        if not seen[following_name] then
          seen[following_name] = true
          following[#following + 1] = following_name
        end
      end
    end
    table.sort(following)
    hops[#hops + 1] = following
    here = following
  end
  for _, hop in ipairs(hops) do
    local node = hop[1]
    if node and self.by_name[node].is_silent or node == "filter" and target == "blackholed" then
      hop[1] = nil
    end
  end
  return hops
end

function Network:ending(target)
  return self.filtered[target] and target or "reached"
end

function Network:route(node, prefix, family, last)
  local via = self:next_nodes(node.name, last)
  local words = {}
  for _, name in ipairs(via) do
    local number = self.numbers[name]
    local gateway = (family == 6 and "via " .. LINK_LOCAL .. " dev %s" or "via " .. V4 .. " dev %s onlink"):format(
      number, name)
    words[#words + 1] = #via > 1 and "nexthop " .. gateway or gateway
  end
  node.routes[#node.routes + 1] = ("route add %s src %s %s"):format(
    prefix, self:address(node.name, family), table.concat(words, " "))
end

function Network:set_up_links(node)
  local function add(words, ...)
    node.routes[#node.routes + 1] = words:format(...)
  end
  for _, neighbour in ipairs(node.neighbours) do
    local number = self.numbers[neighbour]
    local at = ("lladdr " .. MAC .. " dev %s nud permanent"):format(number, neighbour)
    add("link set %s addrgenmode none up", neighbour)
    add("address add " .. LINK_LOCAL .. "/64 dev %s nodad", self.numbers[node.name], neighbour)
    add("neighbour add " .. V4 .. " %s", number, at)
    add("neighbour add " .. LINK_LOCAL .. " %s", number, at)
  end
end

function Network:set_up(node)
  self:set_up_links(node)
  node.routes[#node.routes + 1] = "link set lo up"
  for _, family in ipairs { 4, 6 } do
    local bits = family == 6 and "/128" or "/32"
    node.routes[#node.routes + 1] = ("address add %s%s dev lo%s"):format(
      self:address(node.name, family), bits, family == 6 and " nodad" or "")
    for _, other in ipairs(self.nodes) do
      if other ~= node then
        self:route(node, self:address(other.name, family) .. bits, family, other.name)
      end
    end
    for _, filtered in ipairs(FILTERED) do
      local prefix = self:address(filtered.name, family) .. bits
      if node.name ~= "filter" then
        self:route(node, prefix, family, "filter")
      else
        node.routes[#node.routes + 1] = "route add blackhole " .. prefix
      end
    end
    if self.by_name.far then
      local prefix = family == 6 and FAR6 or FAR4
      if node.name == "far" then
        node.routes[#node.routes + 1] = ("route add local %s dev lo"):format(prefix)
      else
        self:route(node, prefix, family, "far")
      end
    end
  end
  for _, line in ipairs(SYSCTL) do
    node.sysctl[#node.sysctl + 1] = line
  end
end

-- far: how many hops away the target "far" is; without, there is none. delay: milliseconds that three links on the
-- way to it take, one after each LEG hops from the first that is its own; then two of the routers between are silent.
function map.build(far, delay)
  local network = setmetatable({
    nodes = {}, names = {}, by_name = {}, numbers = {}, count = 0, distance = {}, filtered = {},
    targets = {}, listeners = {}, delayed = {},
  }, Network)
  for _, link in ipairs(LINKS) do
    network:join(link[1], link[2])
  end
  for i, target in ipairs(TARGETS) do
    network.targets[i] = target
  end
  if far then
    assert(far >= 4 and far <= 30, "far: 4 to 30 hops")
    assert(not delay or far >= 3 * LEG + 3, "a delay takes 15 hops")
    local last = "r2"
    for i = 1, far - 3 do
      network:join(last, "far" .. i, i % LEG == 2 and delay or nil)
      last = "far" .. i
    end
    network:join(last, "far")
    network.targets[#network.targets + 1] = "far"
  end
  for _, target in ipairs(network.targets) do
    network.listeners[#network.listeners + 1] = ("%s %d"):format(target, OPEN_PORT)
  end
  for _, filtered in ipairs(FILTERED) do
    network:number(filtered.name)
    network.filtered[filtered.name] = true
  end
  for _, node in ipairs(network.nodes) do
    network:set_up(node)
  end
  for _, line in ipairs(LIMITED) do
    table.insert(network.by_name.sparing.sysctl, line)
  end
  for i = LEG, delay and 2 * LEG or 0, LEG do
    network.by_name["far" .. i].is_silent = true
  end
  network.by_name.mute.is_silent = true
  for _, node in ipairs(network.nodes) do
    node.nft = node.is_silent and silent() or nil
  end
  network.by_name.leak.nft = leaky(network)
  network.by_name.filter.nft = filtering(network)
  return network
end

return map
