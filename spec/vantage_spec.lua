-- The one mtr-packet of a process: that what it says is heard however late we listen, and that it may end while nobody
-- needs it.

local host = require "spec.support.host"
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
end)
