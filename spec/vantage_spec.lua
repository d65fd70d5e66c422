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
end)
