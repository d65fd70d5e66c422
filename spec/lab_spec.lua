-- The lab is what it says it is: Debian's traceroute, mtr and scamper find its paths, its losses and its
-- refusals, and the machine sees nothing of it.

local host = require "spec.support.host"
local lab = require "spec.support.lab"
local map = require "spec.support.lab_map"

local LEAKY = "lossy"
local REACHED = { "plain", "diamond", "muted", "away", LEAKY }
local FAMILIES = { 4, 6 }
local REFUSALS = { prohibited = "!X", unreachable = "!H", unrouted = "!N" } -- as traceroute marks them

local function sorted_keys(set)
  local keys = {}
  for key in pairs(set) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

-- The hops of what traceroute or scamper printed: the addresses in the order of their texts.
local function hops_of(text)
  local hops = {}
  for number, rest in text:gmatch("\n%s*(%d+)  ([^\n]*)") do
    local seen = {}
    for word in rest:gmatch("%S+") do
      if word:find("^%d+%.%d+%.%d+%.%d+$") or word:find("^%x+:[%x:]+$") then
        seen[word] = true
      end
    end
    hops[tonumber(number)] = sorted_keys(seen)
  end
  return hops
end

local function traceroute(net, target, family, options)
  return (net:exec("source", ("traceroute -%d -n -w 0.5 -m 8 %s %s"):format(
    family, options, net:address(target, family))))
end

-- One flow sees one node of those that share a hop.
local function assert_one_of(path, hops, what)
  assert.equal(#path, #hops, what)
  for i, nodes in ipairs(path) do
    if #nodes < 2 then
      assert.same(nodes, hops[i], what .. ", hop " .. i)
    else
      assert.equal(1, #hops[i], what .. ", hop " .. i)
      assert.is_true(hops[i][1] == nodes[1] or hops[i][1] == nodes[2], what .. ", hop " .. i)
    end
  end
end

local function assert_within(path, hops, what)
  assert.equal(#path, #hops, what)
  for i, nodes in ipairs(path) do
    assert.is_true(#nodes == 0 or #hops[i] > 0, what .. ", hop " .. i)
    for _, address in ipairs(hops[i]) do
      assert.is_true(address == nodes[1] or address == nodes[2], what .. ", hop " .. i)
    end
  end
end

-- What the lab must not touch.
local function machine()
  return (host.run([[unset LD_PRELOAD; ip -o link; ip netns list; ip -4 route show table all; ip -6 route show table all
    ls -A /run; ls -A /run/netns; nft list tables
    cd /proc/sys/net && cat ipv4/ip_forward ipv4/icmp_ratemask ipv4/icmp_ratelimit ipv4/fib_multipath_hash_policy \
      ipv4/conf/*/rp_filter ipv6/conf/all/forwarding ipv6/conf/all/accept_dad ipv6/icmp/ratelimit \
      ipv6/fib_multipath_hash_policy 2>&1]]))
end

local function is_gone(pid)
  return not host.read("/proc/" .. pid .. "/stat")
end

local function wait_until(condition)
  local deadline = host.now() + host.LONG
  while not condition() do
    if host.now() > deadline then
      return false
    end
    host.pause(5)
  end
  return true
end

describe("the map of the lab", function()
  local network = map.build(15)

  it("gives every node and filtered address an address of its own", function()
    local seen = {}
    for name in pairs(network.numbers) do
      for _, family in ipairs(FAMILIES) do
        local address = network:address(name, family)
        assert.is_nil(seen[address], name)
        seen[address] = name
      end
    end
  end)

  it("knows the paths", function()
    assert.same({ { "r1" }, { "r2" }, { "r3" }, { "r4" }, { "r5" }, { "plain" } }, network:path("plain", "source"))
    assert.same({ { "r1" }, { "r2" }, { "split" }, { "left", "right" }, { "join" }, { "diamond" } },
      network:path("diamond", "source"))
    assert.same({ { "r1" }, { "r2" }, {}, { "r7" }, { "muted" } }, network:path("muted", "source"))
    assert.same({ { "r6" }, { "r3" }, { "r2" }, { "r1" }, { "source" } }, network:path("source", "away"))
    assert.same({ { "r1" }, { "r2" }, { "filter" } }, network:path("prohibited", "source"))
    assert.same({ { "r1" }, { "r2" }, {} }, network:path("blackholed", "source"))
    assert.equal(15, #network:path("far", "source"))
  end)

  it("knows how they end", function()
    assert.equal("reached", network:ending("plain"))
    assert.equal("unrouted", network:ending("unrouted"))
  end)
end)

describe("the lab #heavy", function()
  local available, why = lab.available()
  if not available then
    it("is there", function()
      pending(why)
    end)
    return
  end

  local net

  setup(function()
    net = lab.start()
  end)

  teardown(function()
    net:stop()
  end)

  for _, family in ipairs(FAMILIES) do
    for option, name in pairs { ["-I"] = "ICMP", ["-U"] = "UDP", ["-T -p 80"] = "TCP", ["-T -p 81"] = "TCP, closed" } do
      it(("shows traceroute its paths: %s, IPv%d"):format(name, family), function()
        for _, target in ipairs(REACHED) do
          local text = traceroute(net, target, family, "-q 2 " .. option)
          assert_within(net:path(target, family), hops_of(text), target .. text)
        end
      end)
    end

    it(("shows both nodes of the diamond, IPv%d"):format(family), function()
      local seen = {}
      for run = 1, 5 do -- that fifty flows all go one way happens once in 2^49 times
        local text = traceroute(net, "diamond", family, ("-q 10 -f 4 -U -p %d"):format(33434 + 500 * run))
        for _, address in ipairs(hops_of(text)[4]) do
          seen[address] = true
        end
      end
      assert.same(net:path("diamond", family)[4], sorted_keys(seen))
    end)

    it(("keeps a flow on one side of the diamond, IPv%d"):format(family), function()
      for _, option in ipairs { "-I", "-T -p 80 --sport=50123" } do
        local text = traceroute(net, "diamond", family, "-N 1 -q 5 " .. option)
        assert_one_of(net:path("diamond", family), hops_of(text), text)
      end
    end)

    for target, mark in pairs(REFUSALS) do
      it(("refuses what is %s, IPv%d"):format(target, family), function()
        for _, option in ipairs { "-I", "-U", "-T" } do
          local text = traceroute(net, target, family, "-q 1 -N 1 " .. option)
          assert.same(net:path(target, family), hops_of(text), text)
          assert.equal(mark, text:match("(!%S+)%s*$"), text)
        end
      end)
    end

    it(("swallows what is blackholed, IPv%d"):format(family), function()
      local hops = hops_of(traceroute(net, "blackholed", family, "-I -q 1"))
      local path = net:path("blackholed", family)
      assert.equal(8, #hops)
      for i = 1, 8 do
        assert.same(path[i] or {}, hops[i])
      end
    end)
  end

  it("shows scamper its paths", function()
    local addresses, names = {}, {}
    for _, family in ipairs(FAMILIES) do
      for _, target in ipairs(REACHED) do
        local address = net:address(target, family)
        addresses[#addresses + 1] = address
        names[address] = { target, family }
      end
    end
    for _, method in ipairs { "icmp-paris", "udp-paris", "tcp -d 80" } do
      local text = net:exec("source", ("timeout 60 scamper -p 1000 -c 'trace -w 1 -q 2 -P %s' -i %s"):format(
        method, table.concat(addresses, " ")))
      local found = 0
      for address, part in (text .. "traceroute "):gmatch("from %S+ to (%S+)(.-)%f[%a]traceroute ") do
        local target, family = names[address][1], names[address][2]
        assert_one_of(net:path(target, family), hops_of(part), method .. " " .. target .. part)
        found = found + 1
      end
      assert.equal(#addresses, found, text)
    end
  end)

  it("shows mtr its paths, at once as nobody", function()
    local script = {}
    for _, family in ipairs(FAMILIES) do
      for _, target in ipairs(REACHED) do
        script[#script + 1] = ("mtr -%d --no-dns -C -c 2 -i 1 -G 1 %s | sed 's/^/%s %d,/' &"):format(
          family, net:address(target, family), target, family)
      end
    end
    local text = net:exec("source", table.concat(script, "\n") .. "\nwait", { user = "nobody" })
    local hops = {}
    for key, hop, address in text:gmatch("(%l+ %d),MTR[^,\n]*,%d+,OK,[^,]*,(%d+),([^,]*),") do
      hops[key] = hops[key] or {}
      hops[key][tonumber(hop)] = address == "???" and {} or { address }
    end
    for _, family in ipairs(FAMILIES) do
      for _, target in ipairs(REACHED) do
        local key = ("%s %d"):format(target, family)
        assert.is_table(hops[key], text)
        assert_one_of(net:path(target, family), hops[key], key .. "\n" .. text)
      end
    end
  end)

  it("drops its share exactly, hop by hop", function()
    local fresh = lab.start()
    finally(function() fresh:stop() end)
    for _, family in ipairs(FAMILIES) do
      local text = fresh:exec("source", ("mtr -%d --no-dns -C -c %d -i 0.02 -G 1 %s"):format(
        family, 4 * map.LOSS, fresh:address(LEAKY, family)))
      local lost = {}
      for hop, sent, gone in text:gmatch("OK,[^,]*,(%d+),[^,]*,[%d.]+,(%d+),(%d+),") do
        assert.equal(4 * map.LOSS, tonumber(sent))
        lost[tonumber(hop)] = tonumber(gone)
      end
      assert.same({ 0, 0, 0, 4, 4, 4 }, lost, text)
    end
  end)

  it("spaces out the errors of the node that is sparing with them", function()
    local fresh = lab.start()
    finally(function() fresh:stop() end)
    for _, family in ipairs(FAMILIES) do
      local before = host.now()
      local text = fresh:exec("source", ("traceroute -%d -n -I -N 1 -q 10 -f 3 -m 3 -w 0.05 %s"):format(
        family, fresh:address("spared", family)))
      local _, answers = text:gsub("ms", "")
      assert.is_true(answers >= 6 and answers <= 6 + math.ceil(host.now() - before), text)
      assert.same({ fresh:address("sparing", family) }, hops_of(text)[3])
    end
  end)

  it("sees the way back from elsewhere", function()
    for _, family in ipairs(FAMILIES) do
      local text = net:exec("away", ("traceroute -%d -n -I -q 1 %s"):format(family, net:address("source", family)))
      assert.same(net:path("source", family, "away"), hops_of(text), text)
    end
  end)

  it("runs commands without privilege as another user", function()
    local text, status = net:exec("source", "id -u; grep CapEff /proc/self/status; ip link set lo down",
      { user = "nobody" })
    assert.matches("^" .. host.run("id -u nobody"):match("%d+") .. "\nCapEff:%s+0000000000000000\n", text)
    assert.not_equal(0, status)
  end)

  it("has links of a length and silent routers on the way to it, where that is asked for", function()
    local allowed, refusal = lab.has_lengths()
    if not allowed then
      pending(refusal)
      return
    end
    local distant = lab.start { far = 15, delay = 5 }
    finally(function()
      distant:stop()
    end)
    for _, family in ipairs(FAMILIES) do
      local path = distant:path("far", family)
      assert.same({ {}, {} }, { path[6], path[10] })
      local said = distant:exec("source", ("traceroute -%d -n -q 1 -N 1 -w 1 %s"):format(
        family, distant:address("far", family)))
      assert.same(path, hops_of(said), said)
      for hop, least in pairs { [4] = 10, [7] = 10, [8] = 20, [11] = 20, [12] = 30, [15] = 30 } do
        local ms = tonumber(said:match(("\n%%s*%d  %%S+  ([%%d.]+) ms"):format(hop)))
        assert.is_true(ms >= least, said)
      end
    end
  end)

  it("has one target as far away as one likes, by many addresses", function()
    local deep = lab.start { far = 15 }
    finally(function() deep:stop() end)
    for _, family in ipairs(FAMILIES) do
      local path = deep:path("far", family)
      assert.equal(15, #path)
      for _, index in ipairs { 1, 256, 4095 } do
        local address = deep:far_address(index, family)
        local text = deep:exec("source", ("traceroute -%d -n -I -q 1 %s"):format(family, address))
        path[15] = { address }
        assert.same(path, hops_of(text), text)
      end
    end
  end)

  it("can be there twice, and is nothing to the machine", function()
    local before = machine()
    local one, other = lab.start(), lab.start()
    assert.equal(before, machine())
    one:exec("r1", "ip link set r2 down")
    assert.matches("^1%s", one:exec("source", "ping -n -c 1 -W 0.2 " .. one:address("plain", 4)
      .. " >/dev/null; echo $?") .. " ")
    assert.matches("^0%s", other:exec("source", "ping -n -c 1 -W 2 " .. other:address("plain", 4)
      .. " >/dev/null; echo $?") .. " ")
    one:stop()
    other:stop()
    assert.equal(before, machine())
  end)

  it("is gone when it is stopped, and when its owner is killed", function()
    local function listeners(holder)
      return host.run(("cat /proc/%d/task/%d/children 2>/dev/null"):format(holder, holder))
    end
    local own = lab.start()
    local pids = { own.holder }
    for pid in listeners(own.holder):gmatch("%d+") do
      pids[#pids + 1] = pid
    end
    local text = host.run(("cd %s && { lua5.4 -e 'local net = require(\"spec.support.lab\").start() "
      .. "print(net.holder, net.directory) io.stdout:flush() os.execute(\"kill -9 $PPID\")'; } 2>/dev/null"):format(
      host.quote(host.root())))
    local holder, directory = text:match("(%d+)\t(%S+)")
    assert.is_string(holder)
    pids[#pids + 1] = holder
    own:stop()
    assert.equal(8, #pids)
    for _, pid in ipairs(pids) do
      assert.is_true(wait_until(function() return is_gone(pid) end), "still there: " .. pid)
    end
    assert.is_true(wait_until(function() return not host.read(directory .. "/nodes") end))
    assert.is_nil(host.read(own.directory .. "/nodes"))
  end)
end)
