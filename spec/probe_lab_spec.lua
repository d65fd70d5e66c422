-- traceroute.probe in the lab: the true paths, hop by hop, for every packet type and family, as root and as nobody;
-- endings, losses, statistics, options, names; and what Debian's traceroute, mtr and scamper say of the same.

local cjson = require "cjson"
local dns = require "spec.support.dns"
local host = require "spec.support.host"
local lab = require "spec.support.lab"
local prober = require "spec.support.prober"
local traceroute = require "traceroute"

local TYPES = { "icmp", "udp", "tcp" }
local FAMILIES = { 4, 6 }
local REACHED = { "plain", "diamond", "muted", "spared", "away" }
local REFUSED = { "prohibited", "unreachable", "unrouted" }
local RTT_RUNS, RTT_TRIES = 3, 4

local available, why = lab.available()
if available then
  available, why = prober.available()
end

describe("a probe in the lab #heavy", function()
  if not available then
    it("follows the true paths", function()
      pending(why)
    end)
    return
  end

  local net, child

  setup(function()
    net = lab.start()
    child = prober.start()
  end)

  teardown(function()
    child:stop()
    net:stop()
  end)

  local function addresses(names, family)
    local list = {}
    for i, name in ipairs(names) do
      list[i] = net:address(name, family)
    end
    return list
  end

  -- Names are asked for by those who want them.
  local function probe(targets, opts, user)
    local all = { resolve = false, asn = false, rate = 1000 }
    for name, value in pairs(opts or {}) do
      all[name] = value
    end
    return child:probe(targets, all, net:prefix("source", user and { user = user }))
  end

  local function traced(targets, opts, user)
    local result, err = probe(targets, opts, user)
    assert.is_nil(err and err.message)
    assert.equal(type(targets) == "table" and #targets or 1, #result)
    return result
  end

  local function one(target, opts)
    local entry = traced(target, opts)[1]
    assert.equal(target, entry.target)
    assert.equal(1, #entry.colos)
    return entry.colos[1]
  end

  local function ips(hop)
    local list = {}
    for i, node in ipairs(hop.nodes) do
      list[i] = node.ip
    end
    table.sort(list)
    return list
  end

  local function near(expected, value, what)
    assert.is_true(math.abs(expected - value) <= 1e-6, what)
  end

  local function assert_ordered(figures, what)
    assert.is_true(figures.min_rtt_ms <= figures.mean_rtt_ms and figures.mean_rtt_ms <= figures.max_rtt_ms, what)
    assert.is_true(figures.min_rtt_ms > 0 and figures.std_dev_rtt_ms >= 0, what)
    -- No sample deviates from the mean by more than the width, nor less than half of it with only two.
    local width = figures.max_rtt_ms - figures.min_rtt_ms
    assert.is_true(figures.std_dev_rtt_ms <= width + 1e-6, what)
    if figures.packet_count == 2 then
      assert.is_true(math.abs(figures.std_dev_rtt_ms - width / math.sqrt(2)) < 1e-5, what)
    end
  end

  local function assert_statistics(colo, packets, what)
    for i, hop in ipairs(colo.hops) do
      local here, count = what .. ", hop " .. i, 0
      assert.equal(i, hop.packets_ttl, here)
      assert.equal(packets, hop.packets_sent, here)
      for _, node in ipairs(hop.nodes) do
        count = count + node.packet_count
        assert.is_true(node.packet_count > 0, here)
        assert.equal("", node.asn, here)
        assert.equal(node.ip, node.name, here)
        assert_ordered(node, here)
      end
      assert.equal(hop.packets_sent - hop.packets_lost, count, here)
    end
  end

  local function assert_path(name, family, colo, what)
    local path = net:path(name, family)
    assert.equal(#path, #colo.hops, what)
    for i, nodes in ipairs(path) do
      local here, found = what .. ", hop " .. i, ips(colo.hops[i])
      if #nodes < 2 then
        assert.same(nodes, found, here)
      else
        assert.is_true(#found == 1 or #found == 2, here)
        for _, ip in ipairs(found) do
          assert.is_true(ip == nodes[1] or ip == nodes[2], here .. ": " .. ip)
        end
      end
      assert.equal(#nodes == 0 and colo.hops[i].packets_sent or 0, colo.hops[i].packets_lost, here)
    end
  end

  local function assert_reached(entry, what)
    local summary, hops = entry.colos[1].target_summary, entry.colos[1].hops
    local last = hops[#hops].nodes[1]
    assert.equal(entry.target, summary.ip, what)
    for _, field in ipairs { "min_rtt_ms", "mean_rtt_ms", "max_rtt_ms", "std_dev_rtt_ms" } do
      near(last[field], summary[field], what)
    end
    assert.equal(last.packet_count, summary.packet_count, what)
  end

  for _, user in ipairs { "root", "nobody" } do
    for _, kind in ipairs(TYPES) do
      for _, family in ipairs(FAMILIES) do
        it(("finds the paths with %s over IPv%d as %s"):format(kind, family, user), function()
          local result = traced(addresses(REACHED, family), { packet_type = kind, packets_per_ttl = 2 },
            user ~= "root" and user)
          for i, name in ipairs(REACHED) do
            assert.equal(net:address(name, family), result[i].target)
            assert_path(name, family, result[i].colos[1], name)
            assert_statistics(result[i].colos[1], 2, name)
            assert_reached(result[i], name)
          end
        end)
      end
    end
  end

  for _, kind in ipairs(TYPES) do
    for _, family in ipairs(FAMILIES) do
      it(("finds where a path ends with %s over IPv%d"):format(kind, family), function()
        local result = traced(addresses(REFUSED, family), { packet_type = kind, packets_per_ttl = 2 })
        for i, name in ipairs(REFUSED) do
          local colo = result[i].colos[1]
          assert.not_equal("reached", net:ending(name))
          assert_path(name, family, colo, name)
          assert.same({ "no-route" }, colo.hops[#colo.hops].nodes[1].labels, name)
          assert.is_nil(colo.hops[#colo.hops - 1].nodes[1].labels, name)
          assert.equal(0, colo.target_summary.packet_count, name)
          assert.equal(0, colo.target_summary.max_rtt_ms, name)
          assert.equal(net:address(name, family), colo.target_summary.ip)
        end
      end)

      -- The 5th and the 10th packet of each TTL from 4 on are lost, as the lab says. A closed TCP port answers with
      -- one packet, to which none of ours follows that would count, too. With TCP, what
      -- the kernel sends again after a second must not make a loss look slow.
      it(("counts losses exactly with %s over IPv%d"):format(kind, family), function()
        local colo = one(net:address("lossy", family), { packet_type = kind, packets_per_ttl = 10,
          port = kind == "tcp" and 81 or 0, wait_time = kind == "tcp" and 3 or 1 })
        assert.equal(#net:path("lossy", family), #colo.hops)
        for i, hop in ipairs(colo.hops) do
          assert.equal(10, hop.packets_sent)
          assert.equal(i < 4 and 0 or 2, hop.packets_lost, "hop " .. i)
          assert.equal(1, #hop.nodes)
          assert.equal(i < 4 and 10 or 8, hop.nodes[1].packet_count, "hop " .. i)
        end
        assert.equal(8, colo.target_summary.packet_count)
      end)
    end
  end

  -- ICMP and IPv4 UDP keep one flow, so that one node shows; TCP's port is the kernel's to choose, and mtr-packet
  -- knows UDP over IPv6 again only if it chooses the port.
  it("shows one node of the diamond where ports can be kept, and both where they cannot", function()
    for _, case in ipairs {
      { "icmp", 4, 1 }, { "icmp", 6, 1 }, { "udp", 4, 1 }, { "udp", 6, 2 }, { "tcp", 4, 2 }, { "tcp", 6, 2 },
    } do
      local kind, family, expected = case[1], case[2], case[3]
      -- Ten packets that fall on either side by chance miss one of them once in 512.
      local most = 0
      for _ = 1, expected == 1 and 1 or 4 do
        local colo = one(net:address("diamond", family), { packet_type = kind, packets_per_ttl = 10 })
        assert_path("diamond", family, colo, kind .. family)
        most = math.max(most, #colo.hops[4].nodes)
        if most == 2 then
          assert.same(net:path("diamond", family)[4], ips(colo.hops[4]))
          break
        end
      end
      assert.equal(expected, most, kind .. family)
    end
  end)

  it("gives up beyond the gap, and never with a gap of 0", function()
    local target = net:address("blackholed", 4)
    local colo = one(target, { gap = 2, packets_per_ttl = 1 })
    assert.equal(4, #colo.hops)
    assert.same({}, ips(colo.hops[4]))
    assert.equal(0, colo.target_summary.packet_count)
    assert.equal(8, #one(target, { gap = 0, packets_per_ttl = 1, max_ttl = 8 }).hops)
    assert.equal(3, #one(target, { gap = 1, packets_per_ttl = 1 }).hops)
  end)

  it("waits as long as wait_time says", function()
    local target = net:address("blackholed", 6)
    for _, seconds in ipairs { 1, 2 } do
      local colo = one(target, { gap = 1, packets_per_ttl = 1, wait_time = seconds })
      assert.is_true(colo.traceroute_time_ms >= seconds * 1000 - 50, colo.traceroute_time_ms)
    end
  end)

  it("goes no further than max_ttl, and sends as many packets as packets_per_ttl", function()
    local target = net:address("plain", 4)
    for _, case in ipairs { { 1, 1 }, { 3, 10 }, { 5, 4 } } do
      local colo = one(target, { max_ttl = case[1], packets_per_ttl = case[2] })
      assert.equal(case[1], #colo.hops)
      assert_statistics(colo, case[2], "max_ttl " .. case[1])
      assert.equal(0, colo.target_summary.packet_count)
    end
    assert.same({}, one(target, { max_ttl = 0 }).hops)
    assert.same({}, one(target, { packets_per_ttl = 0 }).hops)
    assert.equal(6, #one(target, { max_ttl = 64, packets_per_ttl = 1 }).hops)
  end)

  -- Counts what arrives where port 4433 or 33434 is asked for.
  it("asks for the port that it is told", function()
    local plain = net:address("plain", 4)
    net:exec("plain", "nft add table inet probe_spec; nft add chain inet probe_spec c "
      .. "'{ type filter hook prerouting priority 0; }'")
    for _, case in ipairs {
      { "udp", 4433, 4433 }, { "tcp", 4433, 4433 }, { "udp", 0, 33434 }, { "tcp", 0, 80 },
    } do
      local kind, port, expected = case[1], case[2], case[3]
      local rule = ("nft add rule inet probe_spec c %s dport %d counter"):format(kind, expected)
      net:exec("plain", "nft flush chain inet probe_spec c; " .. rule)
      assert.equal(6, #one(plain, { packet_type = kind, port = port, packets_per_ttl = 1 }).hops)
      local packets = net:exec("plain", "nft list table inet probe_spec"):match("counter packets (%d+)")
      assert.is_true(tonumber(packets) >= 1, kind .. " " .. port)
    end
    net:exec("plain", "nft delete table inet probe_spec")
  end)

  -- 60 packets: all but the first burst are as far apart as the rate says, however slow the machine is.
  it("sends no faster than the rate", function()
    local started = host.now()
    one(net:address("plain", 4), { rate = 40, packets_per_ttl = 10 })
    assert.is_true(host.now() - started >= 59 / 40)
  end)

  it("gives a sparing router's answers as it gave them, and the rest as lost", function()
    local colo = one(net:address("spared", 4), { packets_per_ttl = 10 })
    local hop = colo.hops[3]
    assert.equal(4, #colo.hops)
    assert.same(net:path("spared", 4)[3], ips(hop))
    assert.equal(10, hop.nodes[1].packet_count + hop.packets_lost)
    assert.equal(0, colo.hops[4].packets_lost)
  end)

  it("keeps the order of the targets, whatever ends first, and traces each once", function()
    local list = addresses({ "blackholed", "plain", "muted", "away" }, 4)
    list[5] = list[2]
    local result, err = probe(list, { gap = 1, packets_per_ttl = 1 })
    assert.is_nil(err)
    assert.equal(4, #result)
    for i = 1, 4 do
      assert.equal(list[i], result[i].target)
    end
  end)

  it("says who it is", function()
    local named = one(net:address("plain", 4), { colo = "lab01", city = "Somewhere, XX" })
    assert.same({ name = "lab01", city = "Somewhere, XX" }, named.colo)
    local name = host.run("uname -n"):match("%S+")
    assert.same({ name = name }, one(net:address("plain", 4), { max_ttl = 1 }).colo)
  end)

  it("gives what the readers of results read", function()
    local result = traced(addresses({ "plain", "prohibited", "muted" }, 4))
    local drawn = traceroute.report.table(result)
    for _, text in ipairs { "reached at hop 6", "not reached", net:address("plain", 4), "???" } do
      assert.is_truthy(drawn:find(text, 1, true), text)
    end
    assert.equal(1, #traceroute.hops.filter(result, { ip = net:address("plain", 4) }))
    local again = traceroute.json.decode(traceroute.json.encode(result))
    assert.equal(#traceroute.hops.filter(result), #traceroute.hops.filter(again))
  end)

  describe("with a name server", function()
    local server
    -- Addresses of the source itself; all the others in the lab belong to nobody, and so to no AS.
    local PUBLIC, REVERSED_PUBLIC = "44.3.2.1", "1.2.3.44"
    local PUBLIC6, REVERSED_PUBLIC6 = "2a00::1", "1." .. ("0."):rep(27) .. "0.0.a.2"

    local function reversed(name, family, zone)
      local address = net:address(name, family)
      if family == 4 then
        local a, b, c, d = address:match("(%d+)%.(%d+)%.(%d+)%.(%d+)")
        return ("%s.%s.%s.%s.%s"):format(d, c, b, a, zone)
      end
      local tail = ("%08x"):format(tonumber(address:match("::(%x+)$"), 16))
      local whole = "20010db8" .. ("0"):rep(16) .. tail
      return (whole:reverse():gsub("%x", "%0.")) .. zone
    end

    setup(function()
      local four, six = net:address("plain", 4), net:address("plain", 6)
      local said, status = net:exec("source", ("ip address add %s dev lo && ip address add %s dev lo nodad"):format(
        PUBLIC, PUBLIC6))
      assert(status == 0, said)
      server = dns.start({
        "address=/both.test/" .. four, "address=/both.test/" .. six,
        "address=/four.test/" .. net:address("away", 4),
        "ptr-record=" .. reversed("r1", 4, "in-addr.arpa") .. ",r1.lab.test",
        "ptr-record=" .. reversed("r1", 6, "ip6.arpa") .. ",r1-six.lab.test",
        "ptr-record=" .. reversed("plain", 4, "in-addr.arpa") .. ",plain.lab.test",
        "txt-record=" .. reversed("r1", 4, "origin.test") .. ",64500 | 192.0.2.0/24 | ZZ | test |",
        "txt-record=" .. REVERSED_PUBLIC .. ".origin.test,64502 64501 | 44.0.0.0/8 | ZZ | test |",
        "txt-record=" .. REVERSED_PUBLIC6 .. ".origin6.test,64503 | 2a00::/16 | ZZ | test |",
        "local=/test/", "local=/in-addr.arpa/", "local=/ip6.arpa/",
      }, { port = 53, prefix = net:prefix("source") })
    end)

    teardown(function()
      server:stop()
    end)

    local DNS = { dns_servers = "127.0.0.1", resolve = true, asn = true, asn_zone = "origin.test",
      asn6_zone = "origin6.test", dns_timeout = 10 }

    local function with(more)
      local all = {}
      for name, value in pairs(DNS) do
        all[name] = value
      end
      for name, value in pairs(more or {}) do
        all[name] = value
      end
      return all
    end

    it("names hops and target", function()
      local hops = one(net:address("plain", 4), with()).hops
      assert.equal("r1.lab.test", hops[1].nodes[1].name)
      assert.equal(hops[2].nodes[1].ip, hops[2].nodes[1].name)
      assert.equal("plain.lab.test", hops[6].nodes[1].name)
      assert.equal("plain.lab.test", one(net:address("plain", 4), with()).target_summary.name)
      assert.equal("r1-six.lab.test", one(net:address("plain", 6), with()).hops[1].nodes[1].name)
    end)

    it("leaves them out when it is told to", function()
      local question = reversed("r2", 4, "in-addr.arpa")
      local before = server:asked(question)
      local hops = one(net:address("plain", 4), with { resolve = false }).hops
      assert.equal(hops[1].nodes[1].ip, hops[1].nodes[1].name)
      assert.equal(before, server:asked(question))
    end)

    it("finds AS numbers in the zones it is told", function()
      local colo = one(PUBLIC, with())
      assert.equal("AS64501 AS64502", colo.hops[1].nodes[1].asn)
      assert.equal("AS64501 AS64502", colo.target_summary.asn)
      assert.equal("AS64503", one(PUBLIC6, with()).hops[1].nodes[1].asn)
      assert.equal("", one(PUBLIC, with { asn = false }).hops[1].nodes[1].asn)
    end)

    it("asks for no AS number of an address that is not public", function()
      local question = reversed("r1", 4, "origin.test")
      assert.equal("", one(net:address("plain", 4), with()).hops[1].nodes[1].asn)
      assert.equal(0, server:asked(question))
    end)

    it("takes the family asked for, of a name with both", function()
      assert.equal(net:address("plain", 4), one("both.test", with()).target_summary.ip)
      assert.equal(net:address("plain", 4), one("both.test", with { family = "ipv4" }).target_summary.ip)
      local six = one("both.test", with { family = "ipv6" })
      assert.equal(net:address("plain", 6), six.target_summary.ip)
      assert_path("plain", 6, six, "both.test")
    end)

    it("reads the system's configuration again when it has changed", function()
      local file = child:file("nameserver 127.0.0.9\n")
      local said = child:run(([[
        local function address()
          local result, err = traceroute.probe("four.test", { dns_timeout = 30, resolve = false, asn = false })
          print(err and err.message or result[1].colos[1].target_summary.ip)
        end
        address()
        local file = io.open(%q, "w")
        file:write("nameserver 127.0.0.1\n# by now\n")
        file:close()
        address()
      ]]):format(file), ("%s unshare --mount sh -c 'mount --bind %s /etc/resolv.conf && exec \"$@\"' sh")
        :format(net:prefix("source"), file))
      assert.equal("four.test cannot be resolved: no name server answers, or they fail or refuse\n"
        .. net:address("away", 4) .. "\n", said)
    end)

    it("says which name it could not resolve, beside the others' results", function()
      local result, err = probe({ "nowhere.test", net:address("plain", 4), "four.test" }, with { packets_per_ttl = 1 })
      assert.equal("not_found", err.kind)
      assert.equal("nowhere.test cannot be resolved: no such host", err.message)
      assert.same({ "nowhere.test" }, err.targets)
      assert.equal(2, #result)
      assert.equal(net:address("plain", 4), result[1].target)
      assert.equal("four.test", result[2].target)
      result, err = probe("four.test", with { family = "ipv6" })
      assert.is_nil(result)
      assert.same({ "four.test" }, err.targets)
    end)
  end)

  it("comes out without any name server", function()
    local colo = one(net:address("plain", 4), { resolve = true, asn = true, dns_servers = net:address("blackholed", 4),
      dns_timeout = 0.2 })
    assert_path("plain", 4, colo, "plain")
    assert.equal(colo.hops[1].nodes[1].ip, colo.hops[1].nodes[1].name)
    local result, err = probe("plain.test", { dns_servers = net:address("blackholed", 4), dns_timeout = 0.2 })
    assert.is_nil(result)
    assert.equal("not_found", err.kind)
    assert.equal("plain.test cannot be resolved: timed out", err.message)
  end)

  describe("beside Debian's", function()
    if os.getenv("CHECKED_LUA") then
      return -- they are not under valgrind, either
    end

    -- The addresses of what a program printed, one list a line that starts with a hop's number.
    local function printed(text)
      local hops = {}
      for number, rest in ("\n" .. text):gmatch("\n%s*(%d+)[%. |%-]+([^\n]*)") do
        local ip = rest:match("%d+%.%d+%.%d+%.%d+") or rest:match("%x+:[%x:]*:%x+")
        hops[tonumber(number)] = ip or "*"
      end
      return hops
    end

    local COMMANDS = {
      traceroute = {
        icmp = "traceroute -n -I -q 1 %s", udp = "traceroute -n -q 1 %s", tcp = "traceroute -n -T -q 1 %s",
      },
      mtr = {
        icmp = "mtr -n -r -c 1 -i 0.1 -G 0.3 %s", udp = "mtr -n -r -c 1 -i 0.1 -G 0.3 -u %s",
        tcp = "mtr -n -r -c 1 -i 0.1 -G 0.3 -T -P 80 %s",
      },
      scamper = {
        icmp = "scamper -c 'trace -P icmp-paris' -i %s", udp = "scamper -c 'trace -P udp-paris' -i %s",
        tcp = "scamper -c 'trace -P tcp' -i %s",
      },
    }

    for program, commands in pairs(COMMANDS) do
      it(program .. " it finds the same path", function()
        for _, kind in ipairs(TYPES) do
          for _, family in ipairs(FAMILIES) do
            for _, name in ipairs { "plain", "away" } do
              local address = net:address(name, family)
              local theirs = printed((net:exec("source", commands[kind]:format(address))))
              local ours = one(address, { packet_type = kind, packets_per_ttl = 1 }).hops
              for i, hop in ipairs(ours) do
                assert.equal(theirs[i], ips(hop)[1], ("%s, %s over IPv%d, hop %d"):format(name, kind, family, i))
              end
              assert.equal(#theirs, #ours)
            end
          end
        end
      end)
    end

    local function median(list)
      table.sort(list)
      return list[math.ceil(#list / 2)]
    end

    -- The least RTT of each hop in ms, by mtr and by us, one after the other; false where nobody answers. A busy
    -- machine adds to the others, and so to the mean, as it likes.
    local function measure(here, address, kind)
      local said = here:exec("source", ("mtr -n --json -c 10 -i 0.05 -G 0.3 %s %s"):format(
        kind == "udp" and "-u" or "", address))
      local theirs, ours = {}, {}
      for i, hub in ipairs(cjson.decode(said).report.hubs) do
        theirs[i] = hub.host ~= "???" and hub.Best
      end
      local result = child:probe(address, { packet_type = kind, packets_per_ttl = 10, rate = 200, resolve = false,
        asn = false }, here:prefix("source"))
      for i, hop in ipairs(result[1].colos[1].hops) do
        ours[i] = hop.nodes[1] and hop.nodes[1].min_rtt_ms or false
      end
      return theirs, ours
    end

    -- By how much the medians of a few runs of each differ at most, in what they may; and the greatest of them.
    local function difference(here, name, kind, family)
      local path, theirs, ours = here:path(name, family), {}, {}
      for i = 1, #path do
        theirs[i], ours[i] = {}, {}
      end
      for _ = 1, RTT_RUNS do
        local one_theirs, one_ours = measure(here, here:address(name, family), kind)
        assert.same({ #path, #path }, { #one_theirs, #one_ours })
        for i, nodes in ipairs(path) do
          assert.same({ nodes[1] ~= nil, nodes[1] ~= nil }, { one_theirs[i] ~= false, one_ours[i] ~= false })
          table.insert(theirs[i], one_theirs[i] or 0)
          table.insert(ours[i], one_ours[i] or 0)
        end
      end
      local worst, longest = 0, 0
      for i = 1, #path do
        local a, b = median(theirs[i]), median(ours[i])
        worst, longest = math.max(worst, math.abs(a - b) / math.max(0.1 * a, 0.2)), math.max(longest, a)
      end
      return worst, longest
    end

    -- A noisy machine gets a few tries, a wrong clock none that helps.
    local function assert_alike(here, name, kind, family)
      local worst, longest
      for _ = 1, RTT_TRIES do
        worst, longest = difference(here, name, kind, family)
        if worst <= 1 then
          break
        end
      end
      assert.is_true(worst <= 1, ("%s over IPv%d: %g"):format(kind, family, worst))
      return longest
    end

    it("mtr it measures RTTs within 0.2 ms", function()
      assert_alike(net, "plain", "icmp", 4)
    end)

    describe("over links of a length", function()
      local allowed, refusal = lab.has_lengths()
      if not allowed then
        it("mtr it measures RTTs within 10 %", function()
          pending(refusal)
        end)
        return
      end

      local distant

      setup(function()
        distant = lab.start { far = 15, delay = 5 }
      end)

      teardown(function()
        distant:stop()
      end)

      for _, kind in ipairs { "icmp", "udp" } do
        for _, family in ipairs(FAMILIES) do
          it(("mtr it measures RTTs within 10 %% with %s over IPv%d"):format(kind, family), function()
            assert.is_true(assert_alike(distant, "far", kind, family) > 30)
          end)
        end
      end
    end)
  end)
end)
