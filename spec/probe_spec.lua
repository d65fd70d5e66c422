-- traceroute.probe on loopback: its arguments, its job, and mtr-packet as it should and should not be. What paths it
-- finds is probe_lab_spec.lua's.

local core = require "traceroute.core"
local dns = require "spec.support.dns"
local host = require "spec.support.host"
local prober = require "spec.support.prober"
local traceroute = require "traceroute"
local uv = require "luv"
local worker = require "spec.support.worker"

describe("the arguments of a probe", function()
  local function refused(targets, opts)
    local result, err, info = traceroute.probe(targets, opts)
    assert.is_nil(result)
    assert.equal("invalid_request", err.kind)
    assert.same({ dropped = {} }, info)
    local job, same = traceroute.survey(targets, opts)
    assert.is_nil(job)
    assert.same(err, same)
    return err
  end

  -- name = { kind, least, most, unit }
  local OPTIONS = {
    max_ttl = { "integer", 0, 64, " hops" }, packets_per_ttl = { "integer", 0, 10, " packets" },
    port = { "integer", 0, 65535, "" }, wait_time = { "integer", 1, 5, " s" }, gap = { "integer", 0, 64, " hops" },
    rate = { "number", 0.01, 100000, " packets/s" }, dns_timeout = { "number", 0.001, 60, " s" },
    timeout = { "number", 0.001, 86400, " s" },
    resolve = { "boolean" }, asn = { "boolean" }, on_progress = { "function" },
    packet_type = { "choice" }, family = { "choice" },
    asn_zone = { "string", 1, 200 }, asn6_zone = { "string", 1, 200 }, dns_servers = { "servers" },
    colo = { "string", 1, 64 }, city = { "string", 1, 128 },
    allow = { "networks" }, deny = { "networks" }, -- networks_spec has what is in them
  }

  it("are those of the list", function()
    local names = {}
    for _, field in ipairs(core.schema().probe_options) do
      assert.is_table(OPTIONS[field.name], field.name)
      names[field.name] = true
    end
    for name in pairs(OPTIONS) do
      assert.is_true(names[name], name)
    end
  end)

  it("name servers by their addresses", function()
    for _, text in ipairs { "nonsense", "127.0.0.1,", "127.0.0.1 ", "127.0.0.1:0", "[::1", "name.example", "1.2.3" } do
      local err = refused("127.0.0.1", { dns_servers = text })
      assert.equal("dns_servers", err.path)
      assert.matches("^addresses of name servers", err.message)
    end
  end)

  for name, expected in pairs(OPTIONS) do
    it("have a type: " .. name, function()
      local kind = expected[1]
      for _, value in ipairs { {}, true, "text", 1.5, print } do
        local fits = ({ boolean = "boolean", ["function"] = "function", string = "string", number = "number",
          servers = "string", networks = "table" })[kind]
        if type(value) ~= fits then
          local err = refused("127.0.0.1", { [name] = value })
          assert.equal(name, err.path, type(value))
        end
      end
    end)

    if expected[2] and expected[1] ~= "string" then
      it("have a range: " .. name, function()
        for _, value in ipairs { expected[2] - 1, expected[3] + 1, -1, math.huge, 0 / 0 } do
          local err = refused("127.0.0.1", { [name] = value })
          assert.equal(name, err.path)
        end
        local err = refused("127.0.0.1", { [name] = expected[3] + 1 })
        assert.is_truthy(err.message:find(tostring(expected[3]) .. expected[4], 1, true), err.message)
      end)
    elseif expected[2] then
      it("have a length: " .. name, function()
        assert.equal(name, refused("127.0.0.1", { [name] = "" }).path)
        assert.equal(name, refused("127.0.0.1", { [name] = ("x"):rep(expected[3] + 1) }).path)
      end)
    end
  end

  it("leave gre to Cloudflare", function()
    for _, kind in ipairs { "gre", "gre+icmp" } do
      local err = refused("127.0.0.1", { packet_type = kind })
      assert.equal("packet_type", err.path)
      assert.equal("gre and gre+icmp are sent by Cloudflare alone; from here: icmp, udp or tcp", err.message)
    end
    assert.equal("packet_type", refused("127.0.0.1", { packet_type = "sctp" }).path)
    assert.equal("family", refused("127.0.0.1", { family = "IPv4" }).path)
  end)

  it("know their names", function()
    local err = refused("127.0.0.1", { max_tll = 5 })
    assert.same({ "max_tll", "unknown option; did you mean max_ttl?" }, { err.path, err.message })
    assert.equal("token", refused("127.0.0.1", { token = "x" }).path)
    assert.equal("colos", refused("127.0.0.1", { colos = {} }).path)
    assert.equal("invalid_request", refused("127.0.0.1", 5).kind)
  end)

  it("are read raw", function()
    local inherited = setmetatable({}, { __index = { packet_type = "gre" } })
    local job = assert(traceroute.survey("127.0.0.1", inherited))
    job:cancel()
  end)

  it("name targets as for create", function()
    for _, targets in ipairs {
      {}, "", "a b", "https://example.com/", { "127.0.0.1", 5 }, { "127.0.0.1", "300.1.1.1" },
    } do
      local _, same = traceroute.create("account", targets, { token = "x" })
      assert.same(same, refused(targets))
    end
    assert.equal("targets", refused(nil).path)
  end)
end)

local available, why = prober.available()

describe("a probe", function()
  if not available then
    it("is sent by mtr-packet", function()
      pending(why)
    end)
    return
  end

  local child, plain, real -- plain: not under valgrind
  -- A rate at which the first packet goes out at once and the second not before the spec is over.
  local SLOW = { rate = 0.02, packets_per_ttl = 1, resolve = false, asn = false }
  local THREE = { "127.0.0.1", "127.0.0.2", "127.0.0.3" }
  local SCRIPT_SLOW = "local SLOW = { rate = 0.02, packets_per_ttl = 1, resolve = false, asn = false }\n"
  local QUICK = "local QUICK = { rate = 1000, resolve = false, asn = false }\n"

  setup(function()
    child, plain = prober.start(), prober.start(host.interpreter())
    real = host.run("command -v mtr-packet"):match("%S+")
  end)

  teardown(function()
    child:stop()
    plain:stop()
  end)

  local function slow(more)
    local opts = {}
    for _, list in ipairs { SLOW, more or {} } do
      for name, value in pairs(list) do
        opts[name] = value
      end
    end
    return opts
  end

  local function program(text)
    return child:file("#!/bin/sh\n" .. text .. "\n", "755")
  end

  local function with_program(path, by)
    return (by or child):probe(THREE, { packets_per_ttl = 2, rate = 20, resolve = false, asn = false },
      "env MTR_PACKET=" .. path)
  end

  local function ends_well(text, before)
    local said, status = child:run(text, before)
    assert.equal("fine\n", said)
    assert.equal(0, status)
  end

  it("of this machine reaches it", function()
    for _, kind in ipairs { "icmp", "udp", "tcp" } do
      local result, err = traceroute.probe("127.0.0.1",
        { packet_type = kind, asn = false, resolve = false, colo = "me" })
      assert.is_nil(err)
      assert.equal("me", result[1].colos[1].colo.name)
      assert.equal(1, #result[1].colos[1].hops)
      assert.equal("127.0.0.1", result[1].colos[1].hops[1].nodes[1].ip)
      assert.equal(3, result[1].colos[1].target_summary.packet_count)
    end
  end)

  it("asks no one about addresses that are not public", function()
    local server = dns.start { "local=/test/", "local=/arpa/", "address=/me.test/127.0.0.1" }
    local result = traceroute.probe("me.test", { dns_servers = server.address, asn_zone = "origin.test" })
    local asked = server:asked("1.0.0.127.origin.test")
    local reversed, named = server:asked("1.0.0.127.in-addr.arpa"), server:asked("me.test", "A")
    server:stop()
    assert.equal("127.0.0.1", result[1].colos[1].target_summary.ip)
    assert.same({ 0, 1, 1 }, { asked, reversed, named })
  end)

  -- By other options than the process's first, and by four sets of them in turn, as many as are kept.
  it("asks for a name once, as long as the answer holds", function()
    local server = dns.start { "local=/test/", "local=/arpa/", "address=/me.test/127.0.0.1", "local-ttl=60" }
    finally(function()
      server:stop()
    end)
    local function asked_after(sets, rounds)
      for _ = 1, rounds do
        for set = 1, sets do
          local result, err = traceroute.probe("me.test", { dns_servers = server.address, dns_timeout = 10 + set,
            packets_per_ttl = 1, rate = 1000, asn = false })
          assert.is_nil(err)
          assert.equal("127.0.0.1", result[1].colos[1].hops[1].nodes[1].ip)
        end
      end
      return server:asked("me.test", "A"), server:asked("1.0.0.127.in-addr.arpa")
    end
    assert.same({ 4, 4 }, { asked_after(4, 3) })
    -- The fifth drives out the first, and from then on each the one that comes next.
    assert.same({ 4 + 1 + 5, 4 + 1 + 5 }, { asked_after(5, 2) })
  end)

  it("is cancelled in the middle, and what is known is kept", function()
    local job = assert(traceroute.survey(THREE, slow { on_progress = function(progress)
      assert.same({ targets = 3, targets_done = 1 }, progress)
      return false
    end }))
    repeat until job:step(1)
    local result, err = job:result()
    assert.equal("cancelled", err.kind)
    assert.same({ "127.0.0.2", "127.0.0.3" }, err.targets)
    assert.equal(1, #result)
    assert.equal(1, result[1].colos[1].target_summary.packet_count)
    job = assert(traceroute.survey(THREE, SLOW))
    job:cancel()
    result, err = job:result()
    assert.is_nil(result)
    assert.equal("cancelled", err.kind)
    assert.same(THREE, err.targets)
  end)

  it("is over after its timeout, and what is known is kept", function()
    local result, err = traceroute.probe(THREE, slow { timeout = 1 })
    assert.equal("timeout", err.kind)
    assert.same({ "127.0.0.2", "127.0.0.3" }, err.targets)
    assert.equal(1, #result)
  end)

  it("says how far it is", function()
    local seen = {}
    traceroute.probe(THREE, { rate = 1000, asn = false, resolve = false, on_progress = function(progress)
      assert.equal(3, progress.targets)
      seen[#seen + 1] = progress.targets_done
    end })
    assert.equal(3, seen[#seen])
    for i = 2, #seen do
      assert.is_true(seen[i] > seen[i - 1])
    end
  end)

  it("needs nothing but its descriptor to be driven", function()
    local job = assert(traceroute.survey(THREE, { rate = 100, asn = false, resolve = false }))
    local poll, turns = uv.new_poll(job:fd()), 0
    poll:start("r", function()
      turns = turns + 1
      if job:step(0) then
        poll:close()
      end
    end)
    uv.run()
    local result, err = job:result()
    assert.is_nil(err)
    assert.equal(3, #result)
    assert.is_true(turns > 1 and turns < 500, turns)
  end)

  it("tells the labels of routers that add them to their answers", function()
    local result, err = with_program(program([[
      while read token command rest; do
        case $command in
          check-support) echo "$token feature-support support ok" ;;
          *) echo "$token reply ip-4 127.0.0.1 round-trip-time 1500 mpls 24001,1,0,62,17,7,1,255" ;;
        esac
      done]]))
    assert.is_nil(err)
    assert.same({ "MPLS L=24001,E=1,S=0,T=62", "MPLS L=17,E=7,S=1,T=255" }, result[1].colos[1].hops[1].nodes[1].labels)
    assert.equal(1.5, result[1].colos[1].target_summary.mean_rtt_ms)
  end)

  -- A target that is traced counts until its names are there, so that they do not pile up.
  describe("of 5,000 targets, without a word from the name server,", function()
    local SCRIPT_MANY = [[
      local targets = {}
      for i = 1, 5000 do
        targets[i] = ("127.1.%%d.%%d"):format(math.floor(i / 250), i %% 250)
      end
      local opts = { rate = 100000, packets_per_ttl = 1, max_ttl = 1, asn = false, dns_servers = %q }
    ]]

    it("begins 4,096", function()
      local server, close = dns.silent()
      finally(close)
      local log = child.directory .. "/sent"
      ends_well(SCRIPT_MANY:format(server) .. ([[
        local function sent() -- to how many: a probe that mtr-packet has no room for is sent again
          local seen, count = {}, 0
          for address in read(%q):gmatch("send%%-probe[^\n]- (127%%.1%%.[%%d.]+)") do
            count = count + (seen[address] and 0 or 1)
            seen[address] = true
          end
          return count
        end
        opts.dns_timeout = 60
        local job = assert(traceroute.survey(targets, opts))
        repeat job:step(0.05) until sent() >= 4096
        job:step(1)
        job:cancel()
        assert(sent() == 4096, sent())
        print "fine"
      ]]):format(log), "env MTR_PACKET=" .. program(("tee %s | %s"):format(log, real)))
    end)

    it("begins the others when it is not waited for any longer", function()
      local server, close = dns.silent()
      finally(close)
      ends_well(SCRIPT_MANY:format(server) .. [[
        opts.dns_timeout = 0.5
        local result, err = traceroute.probe(targets, opts)
        assert(not err, tostring(err))
        assert(#result == 5000, #result)
        print "fine"
      ]])
    end)
  end)

  describe("without a good mtr-packet", function()
    local function assert_refused(path, pattern, by)
      local result, err = with_program(path, by)
      assert.is_nil(result)
      assert.equal("permission", err.kind)
      assert.is_truthy(err.message:find(pattern), err.message)
      assert.same(THREE, err.targets)
    end

    -- Under valgrind every program can be started, and then ends.
    it("says what to install", function()
      assert_refused("/nonexistent", "^mtr%-packet is not installed; it is in the package mtr%-tiny", plain)
      assert_refused(child:file("not a program", "644"), "^mtr%-packet cannot be started: Permission denied", plain)
    end)

    it("says that it does not run", function()
      assert_refused("/bin/false", "^mtr%-packet does not run here: exit status 1; .*setcap cap_net_raw%+ep")
      assert_refused(program("kill -9 $$"), "does not run here: signal 9")
      assert_refused(program("echo no such luck >&2; exit 1"), "does not run here: no such luck")
    end)

    it("says what is no mtr-packet", function()
      for _, text in ipairs {
        "while read line; do echo garbage; done", "cat", "exec yes", "head -c 100000 /dev/zero; echo; exec sleep 100",
        "while read token rest; do echo $token unknown-command; done",
      } do
        assert_refused(program(text), "does not answer as mtr%-packet")
      end
    end)

    it("does not wait for one that is silent", function()
      local started = host.now()
      assert_refused(program("trap '' TERM; while :; do sleep 1; done"), "does not answer as mtr%-packet")
      assert.is_true(host.now() - started < 60)
    end)

    it("says that there is no descriptor for it", function()
      ends_well(QUICK .. [[
        traceroute.create("account", "192.0.2.1", { base_url = "https://127.0.0.1:1", token = "secret", retries = 0 })
        local open = {}
        repeat
          local file = io.open "/dev/null"
          open[#open + 1] = file
        until not file
        local _, err = traceroute.probe("127.0.0.1", QUICK)
        assert(tostring(err) == "connection: mtr-packet cannot be started: Too many open files", tostring(err))
        for _, file in ipairs(open) do file:close() end
        assert(traceroute.probe("127.0.0.1", QUICK))
        print "fine"
      ]], "prlimit --nofile=64")
    end)

    it("says which privilege is missing", function()
      local copy = child.directory .. "/mtr-packet"
      host.run(("cp %s %s && chmod 755 %s"):format(real, copy, copy))
      local result, err = child:probe("127.0.0.1", {},
        "setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all env MTR_PACKET=" .. copy)
      assert.is_nil(result)
      assert.equal("permission", err.kind)
      assert.is_truthy(err.message:find("Failure to open IPv4 sockets", 1, true), err.message)
      assert.is_truthy(err.message:find("setcap cap_net_raw+ep", 1, true), err.message)
    end)
  end)

  it("is sent later where mtr-packet has no descriptor left for it", function()
    for _, limit in ipairs { "-Sn 32", "-n 32" } do
      ends_well([[
        local targets = {}
        for i = 1, 100 do
          targets[i] = "127.0.1." .. i
        end
        local result, err = traceroute.probe(targets, { packet_type = "tcp", rate = 100000, packets_per_ttl = 5,
          resolve = false, asn = false })
        assert(not err, tostring(err))
        for _, entry in ipairs(result) do
          assert(entry.colos[1].target_summary.packet_count == 5)
        end
        assert(#result == 100)
        print "fine"
      ]], ("sh -c 'ulimit %s && exec \"$@\"' sh"):format(limit))
    end
  end)

  it("is not tried for ever where mtr-packet never takes one", function()
    local result, err = with_program(program(real .. " | sed -u 's/ reply .*/ invalid-argument/'"))
    assert.is_nil(result)
    assert.equal("connection", err.kind)
    assert.is_truthy(err.message:find("could not be probed to the end", 1, true), err.message)
    assert.same(THREE, err.targets)
  end)

  it("whose answers cannot be read is lost, and holds up no other", function()
    local mumbler = program(real .. " | sed -u 's/ reply .*/ reply ip-4 nowhere/'")
    ends_well([[
      local targets = {}
      for i = 1, 120 do
        targets[i] = "127.0.1." .. i
      end
      local result, err = traceroute.probe(targets, { rate = 100000, packets_per_ttl = 10, max_ttl = 1, wait_time = 1,
        timeout = 60, resolve = false, asn = false })
      assert(not err, tostring(err))
      assert(#result == 120)
      for _, entry in ipairs(result) do
        local hop = entry.colos[1].hops[1]
        assert(hop.packets_sent == 10 and hop.packets_lost == 10, hop.packets_sent .. " " .. hop.packets_lost)
      end
      print "fine"
    ]], "env MTR_PACKET=" .. mumbler)
  end)

  it("that loses its mtr-packet keeps what is known, and the next one starts another", function()
    local mark = child.directory .. "/died"
    -- Two lines: that it is mtr-packet, and the answer to the first probe.
    local mortal = program(("[ -e %s ] && exec %s\n: >%s\n%s | sed -u 2q"):format(mark, real, mark, real))
    ends_well(SCRIPT_SLOW .. ([[
      local targets = { "127.0.0.1", "127.0.0.2" }
      SLOW.rate, SLOW.packets_per_ttl = 20, 5
      local result, err = traceroute.probe(targets, SLOW)
      assert(err.kind == "connection", tostring(err))
      assert(err.message:find "^mtr%-packet ended in the middle of a trace", err.message)
      assert(#err.targets == 2 and #result >= 1)
      assert(result[1].colos[1].hops[1].nodes[1].packet_count == 1)
      assert(result[1].colos[1].hops[1].packets_sent == 1 and result[1].colos[1].hops[1].packets_lost == 0)
      result, err = traceroute.probe(targets, SLOW)
      assert(not err, tostring(err))
      assert(#result == 2 and result[2].colos[1].hops[1].packets_lost == 0)
      print "fine"
    ]]), "env MTR_PACKET=" .. mortal)
  end)

  it("whose mtr-packet is killed says so to every job", function()
    ends_well(SCRIPT_SLOW .. [[
      local jobs, done = {}, 0
      local function on_progress() done = done + 1 end
      for i = 1, 3 do
        jobs[i] = assert(traceroute.survey({ "127.0.0.1", "127.0.0.2" },
          { rate = 0.02, packets_per_ttl = 1, resolve = false, asn = false, on_progress = on_progress }))
      end
      while done < 3 do
        for i = 1, 3 do jobs[i]:step(0.001) end
      end
      local running = children()
      assert(#running == 1, #running)
      os.execute("kill -KILL " .. running[1].pid)
      for i = 1, 3 do
        local result, err = finish(jobs[i])
        assert(err.kind == "connection" and err.message:find("signal 9", 1, true), tostring(err))
        assert(#result == 1 and #err.targets == 1 and err.targets[1] == "127.0.0.2")
      end
      assert(#children() == 0)
      print "fine"
    ]])
  end)

  it("leaves no zombie and no descriptor, and shares one child", function()
    ends_well(QUICK .. [[
      assert(traceroute.probe("127.0.0.1", QUICK))
      local before, first = descriptors(), children()
      assert(#first == 1)
      for _ = 1, 50 do
        local result, err = traceroute.probe("127.0.0.1", QUICK)
        assert(result and not err, tostring(err))
      end
      collectgarbage()
      collectgarbage()
      local after = children()
      assert(descriptors() == before)
      assert(#after == 1 and after[1].pid == first[1].pid and not after[1].state:find "Z")
      print "fine"
    ]])
  end)

  it("leaves nothing of those that fail", function()
    ends_well(QUICK .. [[
      traceroute.probe("127.0.0.1", QUICK)
      local before = descriptors()
      for _ = 1, 20 do
        local _, err = traceroute.probe("127.0.0.1", QUICK)
        assert(err.kind == "permission")
      end
      assert(descriptors() == before and #children "false" == 0)
      print "fine"
    ]], "env MTR_PACKET=/bin/false")
  end)

  it("ends its child with the process, however that ends", function()
    for _, last in ipairs { "os.exit(0, true)", "os.exit(1)", "os.execute('kill -KILL ' .. own_pid())" } do
      local said = child:run(SCRIPT_SLOW .. [[
        local job = traceroute.survey({ "127.0.0.1", "127.0.0.2" }, SLOW)
        job:step(0.05)
        print(children()[1].pid)
        io.stdout:flush()
      ]] .. last)
      local pid = assert(said:match("^%d+"), said)
      assert.is_true(worker.await(function()
        return not worker.is_alive(pid)
      end), last)
    end
  end)

  it("works where the process has no standard descriptors", function()
    local path = plain.directory .. "/outcome"
    local command = plain:command(QUICK .. ([[
      local result, err = traceroute.probe("127.0.0.1", QUICK)
      local file = io.open(%q, "w")
      file:write(err and tostring(err) or "hops: " .. #result[1].colos[1].hops)
      file:close()
    ]]):format(path))
    host.run("timeout 60 " .. command .. " <&- >&- 2>&-")
    assert.equal("hops: 1", host.read(path))
  end)

  it("leaks nothing that valgrind would see", function()
    if host.is_sanitized() or host.run("command -v valgrind") == "" then
      pending("valgrind is not installed, or a sanitizer is in its place")
      return
    end
    local said, status = plain:run(QUICK .. [[
      for _ = 1, 3 do
        local result = assert(traceroute.probe({ "127.0.0.1", "::1" }, QUICK))
        assert(#result == 2)
      end
      QUICK.rate, QUICK.packets_per_ttl = 0.02, 1
      local job = traceroute.survey({ "127.0.0.1", "127.0.0.2" }, QUICK)
      job:step(0.1)
      job:cancel()
      traceroute.probe("none.test", { dns_servers = "127.0.0.1:1", dns_timeout = 0.1 })
      job = nil
      os.exit(0, true)
    ]], "valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect --error-exitcode=0")
    assert.equal(0, status, said)
    for _, word in ipairs { " tr_%w+ %(", "Invalid ", "uninitialised" } do
      assert.is_nil(said:find(word), said)
    end
  end)

  -- nginx runs LuaJIT, which can fork without a further library.
  if not rawget(_G, "jit") then
    return
  end

  it("leaves a forked process none of its mtr-packet, which ends with its own", function()
    local said = child:run(SCRIPT_SLOW .. [[
      local ffi = require "ffi"
      ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int); int pause(void); int close(int);"
      local job = assert(traceroute.survey({ "127.0.0.1", "127.0.0.2" }, SLOW))
      job:step(0.05)
      local function own_child()
        local found = children()
        assert(#found == 1, #found)
        return found[1].pid
      end
      local first, before = own_child(), descriptors()
      local prober = ffi.C.fork()
      if prober == 0 then
        local fewer = before - descriptors()
        job:cancel()
        local good = fewer == 3 and #traceroute.probe("127.0.0.1", SLOW) == 1 and own_child() ~= first
        ffi.C._exit(good and 0 or 1)
      end
      local status = ffi.new "int[1]"
      ffi.C.waitpid(prober, status, 0)
      assert(status[0] == 0, status[0])
      assert(own_child() == first)
      SLOW.rate = 100
      assert(#traceroute.probe("127.0.0.3", SLOW) == 1)
      assert(own_child() == first)
      local sleeper = ffi.C.fork()
      if sleeper == 0 then
        for fd = 0, 2 do ffi.C.close(fd) end -- whoever reads what we print waits for all of us
        while true do ffi.C.pause() end
      end
      print(first, sleeper)
      os.exit(0)
    ]])
    local first, sleeper = said:match("^(%d+)%s+(%d+)\n$")
    assert.is_string(sleeper, said)
    local has_ended = worker.await(function()
      return not worker.is_alive(first)
    end)
    local sleeps = worker.is_alive(sleeper)
    host.run("kill -KILL " .. sleeper)
    assert.is_true(has_ended)
    assert.is_true(sleeps)
  end)

  it("in nginx yields, as a user without any privilege", function()
    local nginx = worker.start {
      user = host.run("id -u"):match("^0") and "nobody nogroup" or nil,
      http = "lua_shared_dict states 1m;",
      locations = [[
        location = /probe { content_by_lua_block {
          ngx.shared.states:set("state", "running")
          local result, err = require("traceroute").probe("127.0.0.1", { rate = 4, packets_per_ttl = 10, asn = false,
            resolve = false })
          ngx.shared.states:set("state", "done")
          ngx.print(err and tostring(err) or result[1].colos[1].target_summary.packet_count)
        } }
        location = /state { content_by_lua_block { ngx.print(ngx.shared.states:get("state") or "") } }
      ]],
    }
    local asked = nginx:begin("/probe")
    local state = worker.await(function()
      local body = nginx:get("/state")
      return body ~= "" and body
    end)
    local body, status = asked:finish()
    local log = nginx:error_log()
    nginx:stop()
    assert.equal("running", state, log)
    assert.equal(200, status, log)
    assert.equal("10", body, log)
    assert.is_nil(log:find("[error]", 1, true), log)
  end)
end)
