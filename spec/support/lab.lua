-- A network of routers for the specs: network namespaces joined by veth links, in which whole paths are
-- true and known. Builds it, says what its paths are, runs commands inside. lab_map.lua says which nodes
-- there are and what each does; nothing here knows who traces.
--
-- Everything lives in the mount and network namespaces of one process (lab.sh): nothing of it shows on
-- the machine, and the end of that process, however it comes, is the end of all of it. So any number of
-- labs can be there at once.
--
--   local lab = lab.start()          start{ far = 15 } adds a target that many hops away
--   lab:path("plain", 4)             {{"192.0.2.2"}, ...}: the addresses that answer, hop by hop
--   lab:exec("source", "traceroute -n -I " .. lab:address("plain", 4))
--   lab:stop()

local host = require "spec.support.host"
local map = require "spec.support.lab_map"
local process = require "spec.support.process"

local lab = {}
local Lab = {}
Lab.__index = Lab

local PROGRAMS = "ip nft ethtool lua5.4 unshare nsenter setpriv mount"

-- What a lab cannot do without, tried the way it will be done.
local TRIAL = [[exec 2>&1 </dev/null
unset LD_PRELOAD
for program in ]] .. PROGRAMS .. [[; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 1; }
done
[ "$(id -u)" -eq 0 ] || { echo "it takes root"; exit 1; }
exec unshare --mount --net sh -c '
  mount -t tmpfs lab /run && mkdir /run/netns && ip netns add a && ip netns add b &&
  ip -n a link add name b type veth peer name a netns b &&
  nft "add table inet lab; add chain inet lab c { type filter hook forward priority 0; }
    add rule inet lab c numgen inc mod 2 0 drop" &&
  [ -d /proc/sys/net/ipv6 ] || { echo "the kernel has no IPv6"; exit 1; }'
]]

local allowed, refusal

-- Whether this machine lets us build one; if not, false and why.
function lab.available()
  if allowed == nil then
    local said, status = host.run("sh -c " .. host.quote(TRIAL))
    allowed = status == 0
    refusal = not allowed and "no lab of network namespaces here: " .. said:gsub("%s+", " ") or nil
  end
  return allowed, refusal
end

-- Whether links can have a length here (options.delay); if not, false and why.
function lab.has_lengths()
  if host.run("command -v luajit") == "" or not host.run("{ : <>/dev/net/tun; } 2>&1; echo $?"):find("^0") then
    return false, "no LuaJIT, or no tap devices here"
  end
  return true
end

-- options.far: adds the target "far", that many hops from the source (4 at least), and a prefix of
-- addresses that all are that target's (far_address). options.delay: milliseconds that some links on the way to it
-- take, where two routers are silent; it takes LuaJIT and /dev/net/tun.
function lab.start(options)
  local ok, why = lab.available()
  assert(ok, why)
  local directory = host.private_directory("traceroute-lab")
  local network = map.build(options and options.far, options and options.delay)
  for _, node in ipairs(network.nodes) do
    local prefix = directory .. "/" .. node.name
    host.write(prefix .. ".links", table.concat(node.links, "\n") .. "\n")
    host.write(prefix .. ".neighbours", table.concat(node.neighbours, "\n") .. "\n")
    host.write(prefix .. ".routes", table.concat(node.routes, "\n") .. "\n")
    host.write(prefix .. ".sysctl", table.concat(node.sysctl, "\n") .. "\n")
    if node.nft then
      host.write(prefix .. ".nft", node.nft)
    end
  end
  host.write(directory .. "/nodes", table.concat(network.names, "\n") .. "\n")
  host.write(directory .. "/delayed", table.concat(network.delayed, "\n") .. (network.delayed[1] and "\n" or ""))
  host.write(directory .. "/listeners", table.concat(network.listeners, "\n") .. "\n")
  local script = host.root() .. "/spec/support/lab.sh"
  local running = process.launch(directory, ("unshare --mount --net sh %s %s"):format(
    host.quote(script), host.quote(directory)))
  local ready, said = running:ready()
  assert(ready, said)
  return setmetatable({
    directory = directory,
    holder = assert(tonumber((host.read(directory .. "/holder.pid")))),
    network = network,
    process = running,
    targets = network.targets,
  }, Lab)
end

function Lab:stop()
  self.process:stop()
end

-- A node's address; family is 4 or 6.
function Lab:address(name, family)
  return self.network:address(name, family)
end

-- One of the 4096 addresses that are the far target's, from 1.
function Lab:far_address(index, family)
  assert(self.network.by_name.far, "there is no far target: start { far = ... }")
  return map.far_address(index, family)
end

-- The hops from a node, the source by default, to a target: each the array of the addresses that may
-- answer, in order of their nodes' names; empty where none does. A path ends with its target, or with
-- the node that refuses to carry on; lab:ending tells which.
function Lab:path(target, family, from)
  local hops = {}
  for i, hop in ipairs(self.network:path(target, from or "source")) do
    hops[i] = {}
    for _, name in ipairs(hop) do
      hops[i][#hops[i] + 1] = self:address(name, family)
    end
  end
  return hops
end

-- "reached", or why the path ends before: "prohibited", "unreachable", "unrouted", "blackholed".
function Lab:ending(target)
  return self.network:ending(target)
end

-- The shell words that run what follows them in a node's namespace. options.user: as that user, without
-- any privilege but what a program's file brings.
function Lab:prefix(name, options)
  assert(self.network.by_name[name], name)
  local words = ("nsenter --net=/proc/%d/root/run/netns/%s -- "):format(self.holder, name)
  if options and options.user then
    words = words .. ("setpriv --reuid=%s --regid=nogroup --clear-groups --inh-caps=-all -- "):format(options.user)
  end
  return words
end

-- Runs a shell command in a node, without a sanitizer that is preloaded into us; returns what it printed, errors
-- included, and its exit status.
function Lab:exec(name, command, options)
  return host.run(self:prefix(name, options) .. "sh -c " .. host.quote("exec 2>&1\nunset LD_PRELOAD\n" .. command))
end

return lab
