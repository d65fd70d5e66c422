-- The one mtr-packet of a process: that what it says is heard however late we listen, and that it may end while nobody
-- needs it.

local host = require "spec.support.host"
local lab = require "spec.support.lab"
local prober = require "spec.support.prober"

local available, why = prober.available()

describe("the child that probes", function()
  if not available then
    it("is mtr-packet", function()
      pending(why)
    end)
    return
  end

  local child

  setup(function()
    child = prober.start()
  end)

  teardown(function()
    child:stop()
  end)

  local function ends_well(text, before)
    local said, status = child:run(text, before)
    assert.equal("fine\n", said)
    assert.equal(0, status)
  end

  -- Answers 400 probes at once, once it is let, with more bytes than a pipe takes by itself.
  local LATE = [[#!/bin/sh
    labels=1000001,7,0,255,1000002,7,0,255,1000003,7,0,255,1000004,7,0,255
    labels=$labels,1000005,7,0,255,1000006,7,0,255,1000007,7,0,255,1000008,7,1,255
    count=0 answers=
    while read token command family address rest; do
      case $command in
        check-support) echo "$token feature-support support ok"; continue ;;
      esac
      answers="$answers$token reply ip-4 $address round-trip-time 1000 mpls $labels
"
      count=$((count + 1))
      if [ $count -eq 400 ]; then
        echo $$ >%s.new
        mv %s.new %s
        while [ ! -e %s ]; do sleep 0.01; done
        printf '%%s' "$answers"
      fi
    done
  ]]

  -- While we listen it does not run, so what is heard then is what was there.
  it("is heard to the end after a long pause", function()
    local held, let = child.directory .. "/held", child.directory .. "/let"
    local program = child:file(LATE:format(held, held, held, let), "755")
    ends_well(([[
      local held, let, targets = %q, %q, {}
      for i = 1, 400 do
        targets[i] = ("127.1.%%d.%%d"):format(math.floor(i / 200), i %% 200 + 1)
      end
      local job = assert(traceroute.survey(targets, { rate = 100000, packets_per_ttl = 1, max_ttl = 1, wait_time = 1,
        resolve = false, asn = false }))
      repeat
        assert(not job:step(0.01))
      until io.open(held)
      io.open(let, "w"):close()
      os.execute "sleep 3"
      os.execute("kill -STOP " .. read(held))
      job:step(0)
      os.execute("kill -CONT " .. read(held))
      local result, err = finish(job)
      assert(not err, tostring(err))
      local lost = 0
      for _, entry in ipairs(result) do
        lost = lost + entry.colos[1].hops[1].packets_lost
      end
      assert(#result == 400 and lost == 0, lost .. " lost")
      print "fine"
    ]]):format(held, let), "env MTR_PACKET=" .. program)
  end)

  local KILLED = [[
    local QUICK = { rate = 1000, resolve = false, asn = false }
    local function kill_child()
      local running = children()
      assert(#running == 1, #running)
      os.execute("kill -KILL " .. running[1].pid)
      repeat until not children()[1] or children()[1].state:find "Z"
      return running[1].pid
    end
  ]]

  it("is another where it ended while nobody needed it", function()
    ends_well(KILLED .. [[
      assert(traceroute.probe("127.0.0.1", QUICK))
      local before = descriptors()
      for _ = 1, 3 do
        local dead = kill_child()
        local result, err = traceroute.probe("127.0.0.1", QUICK)
        assert(result and not err, tostring(err))
        assert(#children() == 1 and children()[1].pid ~= dead and descriptors() == before)
      end
      print "fine"
    ]])
  end)

  it("is another for who comes after its death in the middle of a trace, which is that trace's loss", function()
    ends_well(KILLED .. [[
      local done = 0
      local first = assert(traceroute.survey({ "127.0.0.1", "127.0.0.2" }, { rate = 0.02, packets_per_ttl = 1,
        resolve = false, asn = false, on_progress = function() done = done + 1 end }))
      repeat first:step(0.01) until done == 1
      kill_child()
      local result, err = traceroute.probe("127.0.0.3", QUICK)
      assert(result and not err, tostring(err))
      result, err = finish(first)
      assert(err.kind == "connection" and err.message:find("signal 9", 1, true), tostring(err))
      assert(#result == 1 and err.targets[1] == "127.0.0.2")
      assert(#children() == 1)
      print "fine"
    ]])
  end)

  describe("where there is no route", function()
    -- Words that run a command in a network of nothing but its own loopback, after some others there.
    local function alone(first)
      return "unshare --net sh -c " .. host.quote("ip link set lo up && " .. first .. ' && exec "$@"') .. " sh"
    end

    local allowed, refusal = lab.available()
    if not allowed then
      it("is not asked", function()
        pending(refusal)
      end)
      return
    end

    local NO_ROUTE = [[
      local function assert_no_route(entry, ttl)
        local colo = entry.colos[1]
        local node = colo.hops[ttl].nodes[1]
        assert(#colo.hops == ttl and #colo.hops[ttl].nodes == 1, entry.target)
        assert(node.ip == "" and #node.labels == 1 and node.labels[1] == "no-route", entry.target)
        assert(colo.target_summary.packet_count == 0 and colo.hops[ttl].packets_lost == 0)
      end
    ]]

    -- 0.95 dies of an unreachable route, and of the others says no more than that it does not understand.
    it("is not asked, and other targets do not suffer", function()
      for _, kind in ipairs { "icmp", "udp", "tcp" } do
        ends_well(NO_ROUTE .. ([[
          local targets = { "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "2a00::1" }
          for i = 1, 10 do
            targets[#targets + 1] = "127.0.0." .. i
          end
          local result, err = traceroute.probe(targets, { packet_type = %q, resolve = false, asn = false })
          assert(not err, tostring(err))
          for i = 1, 5 do
            assert_no_route(result[i], 1)
          end
          for i = 6, 15 do
            assert(result[i].colos[1].target_summary.packet_count == 3, result[i].target)
          end
          assert(#children() == 1)
          print "fine"
        ]]):format(kind), alone("ip route add unreachable 192.0.2.0/24 && ip route add throw 203.0.113.0/24 && "
          .. "ip route add unreachable 2001:db8::/32"))
      end
    end)

    it("says at once what may not be sent", function()
      ends_well([[
        local targets = { "127.0.0.1", "192.0.2.1", "198.51.100.1", "fe80::1", "127.0.0.2" }
        local result, err = traceroute.probe(targets, { resolve = false, asn = false })
        assert(err.kind == "connection" and err.message:find("192.0.2.1 could not be probed to the end", 1, true))
        assert(table.concat(err.targets, " ") == "192.0.2.1 198.51.100.1 fe80::1")
        assert(#result == 2)
        print "fine"
      ]], alone("ip route add prohibit 192.0.2.0/24 && ip route add blackhole 198.51.100.0/24"))
    end)

    it("is no answer of an mtr-packet that refuses all others: they end as soon", function()
      local told = child.directory .. "/told"
      local unwilling = child:file(([[#!/bin/sh
        while read token command rest; do
          case "$command" in
            check-support) echo "$token feature-support support ok" ;;
            *) echo "$rest" >>%s; echo "$token invalid-argument" ;;
          esac
        done]]):format(told), "755")
      ends_well(([[
        local targets = {}
        for i = 1, 1000 do
          local is_refused = i <= 20 and i %% 2 == 0
          targets[i] = is_refused and "127.0.0." .. i or ("198.18.%%d.%%d"):format(math.floor(i / 250), i %% 250)
        end
        local result, err = traceroute.probe(targets, { rate = 1000, resolve = false, asn = false })
        assert(#result == 990 and #err.targets == 10)
        local count = 0
        for _ in io.lines(%q) do
          count = count + 1
        end
        assert(count >= 100 and count < 500, count)
        print "fine"
      ]]):format(told), alone("true") .. " env MTR_PACKET=" .. unwilling)
    end)

    it("any more is not asked again", function()
      local forgetful = child:file([[#!/bin/sh
        while read token command family address rest; do
          case "$command $rest" in
            check-support*) echo "$token feature-support support ok" ;;
            *"ttl 1 "*) echo "$token ttl-expired ip-4 192.0.2.1 round-trip-time 1000" ;;
            *) ip route del 198.51.100.0/24 2>/dev/null; echo "$token invalid-argument" ;;
          esac
        done]], "755")
      ends_well(NO_ROUTE .. [[
        local result, err = traceroute.probe("198.51.100.1", { resolve = false, asn = false })
        assert(not err, tostring(err))
        assert_no_route(result[1], 2)
        print "fine"
      ]], alone("ip route add 198.51.100.0/24 dev lo") .. " env MTR_PACKET=" .. forgetful)
    end)
  end)
end)
