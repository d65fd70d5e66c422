-- The self-hosted colo in a real nginx over TLS: what it refuses and how, what it answers, and what its operator can
-- bound and read. The client is create(), or curl where a client would never send such a request. nginx runs LuaJIT, so
-- this is for the run on LuaJIT.
if not rawget(_G, "jit") then
  return
end

local uv = require "luv"
local client = require "spec.support.colo_client"
local colo = require "spec.support.colo"
local dns = require "spec.support.dns"
local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"
local worker = require "spec.support.worker"

local ACCOUNT, PATH, BODY, OPEN, SECRETS = client.ACCOUNT, client.PATH, client.BODY, client.OPEN, client.SECRETS
local config, create, curl, assert_refused = client.config, client.create, client.curl, client.assert_refused

describe("a colo", function()
  local here, stand_in

  setup(function()
    stand_in = server.get()
    here = colo.start { config = config(OPEN .. 'deny = { "127.66.0.0/16" }, max_packets = 60, max_targets = 3') }
  end)

  teardown(function()
    here:stop()
  end)

  before_each(function()
    stand_in:reset()
  end)

  it("answers create with a trace from here, in a form that its strict schema takes", function()
    local result, err, info = create(here, { "127.0.0.1", "127.0.0.2" }, { max_ttl = 4, packets_per_ttl = 2 })
    assert.is_nil(err)
    assert.equal(2, #result)
    for i, entry in ipairs(result) do
      assert.equal("127.0.0." .. i, entry.target)
      assert.equal(1, #entry.colos)
      local found = entry.colos[1]
      assert.same({ name = "ams01", city = "Amsterdam, NL" }, found.colo)
      assert.equal("", found.error)
      assert.equal(1, #found.hops)
      assert.equal(2, found.hops[1].packets_sent)
      assert.equal(0, found.hops[1].packets_lost)
      assert.equal("127.0.0." .. i, found.hops[1].nodes[1].ip)
      assert.equal("127.0.0." .. i, found.target_summary.ip)
      assert.equal(2, found.target_summary.packet_count)
    end
    assert.same({}, info.dropped)
    assert.same({}, info[1].messages)
  end)

  it("names targets as they were written, and one that comes twice once", function()
    local _, envelope = curl(here, { body = '{"targets":["127.0.0.1","LocalHost."],"options":null,"colos":null}' })
    local names = { [envelope.result[1].target] = true, [envelope.result[2].target] = true }
    assert.same({ ["127.0.0.1"] = true, ["LocalHost."] = true }, names)
    _, envelope = curl(here, { body = '{"targets":["localhost","LOCALHOST"]}' })
    assert.equal(1, #envelope.result)
    assert.equal("localhost", envelope.result[1].target)
  end)

  it("takes tokens, and pairs of email and key", function()
    assert.is_table(create(here, "127.0.0.1"))
    assert.is_table(traceroute.create(ACCOUNT, "127.0.0.1", {
      base_url = here.base_url, ca_file = here.ca_file, email = "ops@example.com", key = "s3cret-key",
    }))
  end)

  it("refuses what it cannot authenticate", function()
    local json = "Content-Type: application/json"
    local wrong = {
      [10001] = {
        {}, { "Authorization: Basic s3cret-one" }, { "Authorization: Bearer" }, { "X-Auth-Email: ops@example.com" },
        { "X-Auth-Key: s3cret-key" },
      },
      [10000] = {
        { "Authorization: Bearer s3cret-on" }, { "Authorization: Bearer s3cret-onee" },
        { "Authorization: Bearer s3cret-key" }, { "X-Auth-Email: s3cret-one", "X-Auth-Key: s3cret-one" },
        { "X-Auth-Email: ops@example.com", "X-Auth-Key: s3cret-one" },
        { "X-Auth-Email: other@example.com", "X-Auth-Key: s3cret-key" },
        -- A token goes alone: what comes with it does not make it good.
        { "Authorization: Bearer wrong", "X-Auth-Email: ops@example.com", "X-Auth-Key: s3cret-key" },
      },
    }
    for code, list in pairs(wrong) do
      for _, headers in ipairs(list) do
        headers[#headers + 1] = json
        local _, got = assert_refused(401, code, here, { headers = headers })
        assert.equal("Bearer", got["www-authenticate"])
      end
    end
    local _, err = create(here, "127.0.0.1", { token = "wrong" })
    assert.equal("authentication", err.kind)
  end)

  it("keeps accounts apart", function()
    local headers = { "Authorization: Bearer s3cret-two", "Content-Type: application/json" }
    assert.equal(200, (curl(here, { account = "second", headers = headers })))
    assert_refused(403, 10000, here, { headers = headers })
    assert.equal(200, (curl(here, { account = "second" })))
    local _, err = create(here, "127.0.0.1", { token = "s3cret-two" })
    assert.equal("permission", err.kind)
  end)

  it("refuses other paths and methods", function()
    for _, path in ipairs {
      "/accounts/a/diagnostics", "/accounts/a/diagnostics/traceroute/x", "/accounts//diagnostics/traceroute",
      "/accounts/a%20b/diagnostics/traceroute", PATH:format(("a"):rep(33)), "/",
    } do
      assert_refused(404, 7003, here, { path = path })
    end
    for _, method in ipairs { "GET", "PUT", "DELETE" } do
      local _, headers = assert_refused(405, 10405, here, { method = method })
      assert.equal("POST", headers.allow)
    end
  end)

  it("refuses other content types, and bodies that are too long", function()
    local token = "Authorization: Bearer s3cret-one"
    for _, kind in ipairs { "text/plain", "application/jsonp", "application/x-www-form-urlencoded" } do
      assert_refused(415, 1000, here, { headers = { token, "Content-Type: " .. kind } })
    end
    assert.equal(200, (curl(here, { headers = { token, "Content-Type: application/json; charset=utf-8" } })))
    local long = here.directory .. "/long"
    host.write(long, BODY .. (" "):rep(64 * 1024))
    assert_refused(413, 10413, here, { from = long })
    assert_refused(413, 10413, here, {
      from = long, headers = { token, "Content-Type: application/json", "Transfer-Encoding: chunked" },
    })
    host.write(long, BODY .. (" "):rep(64 * 1024 - #BODY))
    assert.equal(200, (curl(here, { from = long })))
  end)

  it("refuses bodies that the contract does not have", function()
    for _, case in ipairs {
      { 1001, "" }, { 1001, "{" }, { 1001, "[]" }, { 1001, '"x"' }, { 1001, '{"targets":["a"],"target":1}' },
      { 1001, '["127.0.0.1"]' }, { 1001, BODY .. BODY }, { 1001, '{"targets":["127.0.0.1"],"options":{"port":NaN}}' },
      { 1002, "{}", "/targets" }, { 1002, '{"targets":[]}', "/targets" },
      { 1002, '{"targets":"127.0.0.1"}', "/targets" },
      { 1002, '{"targets":null}', "/targets" }, { 1002, '{"targets":["a",7]}', "/targets/1" },
      { 1002, '{"targets":["127.0.0.1","a b"]}', "/targets/1" }, { 1002, '{"targets":["a",null]}', "/targets/1" },
      { 1003, '{"targets":["a.a","b.b","c.c","d.d"]}', "/targets" },
      { 1005, '{"targets":["a.a"],"colos":[]}', "/colos" }, { 1005, '{"targets":["a.a"],"colos":["den01"]}', "/colos" },
      { 1005, '{"targets":["a.a"],"colos":"ams01"}', "/colos" },
      { 1005, '{"targets":["a.a"],"colos":{"a":"ams01"}}', "/colos" },
      { 1005, '{"targets":["a.a"],"colos":["ams01",null]}', "/colos" },
    } do
      local err = assert_refused(400, case[1], here, { body = case[2] })
      assert.equal(case[3], err.source and err.source.pointer, case[2])
    end
    local err = assert_refused(400, 1005, here, { body = '{"targets":["a.a"],"colos":["nowhere"]}' })
    assert.equal("Colo is not a valid colo", err.message)
  end)

  it("refuses options that the contract does not have", function()
    for option, pointer in pairs {
      ['"max_ttl":65'] = "/max_ttl", ['"max_ttl":-1'] = "/max_ttl", ['"max_ttl":1.5'] = "/max_ttl",
      ['"max_ttl":"15"'] = "/max_ttl", ['"max_ttl":null'] = "/max_ttl", ['"packets_per_ttl":11'] = "/packets_per_ttl",
      ['"port":65536'] = "/port", ['"wait_time":0'] = "/wait_time", ['"wait_time":6'] = "/wait_time",
      ['"packet_type":"sctp"'] = "/packet_type", ['"packet_type":"gre"'] = "/packet_type",
      ['"packet_type":"gre+icmp"'] = "/packet_type", ['"token":"x"'] = "/token", ['"allow":["0.0.0.0/0"]'] = "/allow",
      ['"rate":100000'] = "/rate", ['"max_ttl":21'] = "", ['"packets_per_ttl":5'] = "",
    } do
      local err = assert_refused(400, 1004, here, { body = '{"targets":["127.0.0.1"],"options":{' .. option .. "}}" })
      assert.equal("/options" .. pointer, err.source.pointer, option)
    end
    assert_refused(400, 1004, here, { body = '{"targets":["127.0.0.1"],"options":["max_ttl"]}' })
    assert_refused(400, 1004, here, { body = '{"targets":["127.0.0.1"],"options":7}' })
    local good = '{"targets":["127.0.0.1"],"options":{"max_ttl":20.0,"packet_type":"udp"}}'
    assert.equal(200, (curl(here, { body = good })))
  end)

  it("does not probe networks that its operator denies, whatever else is allowed", function()
    local result, err, info = create(here, { "127.0.0.1", "127.66.0.1", "192.168.0.1" })
    assert.is_nil(err)
    assert.equal("", result[1].colos[1].error)
    for i = 2, 3 do
      assert.equal("Could not gather traceroute data: Code 2", result[i].colos[1].error)
      assert.same({}, result[i].colos[1].hops)
    end
    local said = {}
    for i, message in ipairs(info[1].messages) do
      said[i] = message.code .. " " .. message.message
    end
    table.sort(said)
    assert.same({
      "1102 127.66.0.1 from ams01: refused by the colo", "1102 192.168.0.1 from ams01: refused by the colo",
    }, said)
  end)

  it("writes many targets on several lines, none of which nginx cuts off", function()
    local wide = colo.start { config = config(OPEN .. "max_targets = 10") }
    local targets = {}
    for i = 1, 10 do
      targets[i] = "127.0.0." .. i
    end
    create(wide, targets, { max_ttl = 1 })
    local lines = worker.await(function()
      local all = wide:lines()
      return #all == 3 and all
    end)
    wide:stop()
    local written = {}
    for _, line in ipairs(lines) do
      written[#written + 1] = line:match("targets=(%S+)")
    end
    assert.equal(table.concat(targets, ","), table.concat(written, ","))
  end)

  it("names in each line what failed of its targets, and counts what there is no room for", function()
    local wide = colo.start { config = config('max_targets = 10, probe = { dns_servers = "127.0.0.1:1" }') }
    local long = ("x"):rep(60) .. "." .. ("y"):rep(60) .. "." .. ("z"):rep(40) .. ".%d.test"
    local targets = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" }
    for i = 5, 8 do
      targets[i] = long:format(i)
    end
    create(wide, targets, { max_ttl = 1 })
    local lines = worker.await(function()
      local all = wide:lines()
      return #all == 2 and all
    end)
    wide:stop()
    assert.matches("outcome=partial%(8%) ", lines[1])
    local named = {}
    for text in lines[1]:match(" failed=(%S+) colos=ams01$"):gmatch("[^,]+") do
      named[#named + 1] = text
    end
    table.sort(named)
    assert.same({ "10.0.0.1@ams01:2", "10.0.0.2@ams01:2", "10.0.0.3@ams01:2", "10.0.0.4@ams01:2" }, named)
    local first, second, more = lines[2]:match(" failed=([^,]+),([^,]+),%+(%d) colos=ams01$")
    for _, text in ipairs { first, second } do
      assert.equal(long:format(text:match("(%d)%.test@")) .. "@ams01:4", text)
    end
    assert.equal("2", more)
  end)

  it("writes a line for each request, and no credential", function()
    local before = #here:lines()
    create(here, { "127.0.0.1", "192.168.0.1" }, { max_ttl = 3 })
    curl(here, { headers = { "Authorization: Bearer s3cret-two", "Content-Type: application/json" } })
    curl(here, { headers = { "Authorization: Bearer s3cret-guess" } })
    local lines = worker.await(function()
      local all = here:lines()
      return #all == before + 3 and all
    end)
    for i, expected in ipairs {
      "status=200 outcome=partial%(1%) seconds=%d+%.%d+ targets=127.0.0.1,192.168.0.1 "
        .. "failed=192.168.0.1@ams01:2 colos=ams01$",
      "status=403 outcome=refused seconds=%d+%.%d+ targets=%- colos=%-$",
      "status=401 outcome=refused seconds=%d+%.%d+ targets=%- colos=%-$",
    } do
      assert.matches("^account=" .. ACCOUNT .. " client=127.0.0.1 " .. expected, lines[before + i])
    end
    local log = here:error_log()
    for _, secret in ipairs(SECRETS) do
      assert.is_nil(log:find(secret, 1, true))
    end
    assert.is_nil(log:find("s3cret-guess", 1, true))
  end)
end)

-- The processes whose parent is that one.
local function children(pid)
  local found = {}
  local list = [[for s in /proc/[0-9]*/stat; do
    read -r p _ _ parent _ <$s && [ "$parent" = %d ] && echo $p; done 2>/dev/null]]
  for child in host.run(list:format(pid)):gmatch("%d+") do
    found[#found + 1] = tonumber(child)
  end
  return found
end

describe("the mtr-packet of a colo", function()
  it("holds none of nginx's connections", function()
    local here = colo.start { config = config(OPEN) }
    finally(function()
      here:stop()
    end)
    assert.is_table((create(here, "127.0.0.1")))
    local workers = children(tonumber(host.read(here.directory .. "/nginx.pid")))
    assert.equal(1, #workers)
    local senders = children(workers[1])
    assert.equal(1, #senders)
    local held = host.run(("cd /proc/%d/fd && for fd in *; do readlink $fd; done"):format(senders[1]))
    -- What it opened itself are raw sockets, which the tables of TCP and unix sockets do not have.
    local known = host.run("cat /proc/net/tcp /proc/net/tcp6 /proc/net/unix")
    for inode in held:gmatch("socket:%[(%d+)%]") do
      assert.is_nil(known:find(" " .. inode .. " ", 1, true), inode)
    end
    assert.is_nil(held:find("error.log", 1, true))
  end)
end)

describe("a colo's allowed networks", function()
  it("are the public ones by default, of addresses and of names once they are resolved", function()
    local names = dns.start {
      "address=/inner.example/127.0.0.1", "address=/inner6.example/::1", "address=/metadata.example/169.254.169.254",
      "address=/mapped.example/::ffff:10.0.0.1",
    }
    local here = colo.start {
      config = config(('probe = { resolve = false, asn = false, dns_servers = "%s" }'):format(names.address)),
    }
    finally(function()
      here:stop()
      names:stop()
    end)
    local targets = {
      "127.0.0.1", "::1", "localhost", "10.0.0.1", "169.254.169.254", "224.0.0.1", "::ffff:127.0.0.1", "fe80::1",
      "inner.example", "inner6.example", "metadata.example", "mapped.example",
    }
    local result, err = create(here, targets)
    assert.is_nil(err)
    assert.equal(#targets, #result)
    for _, entry in ipairs(result) do
      assert.equal("Could not gather traceroute data: Code 2", entry.colos[1].error, entry.target)
      assert.same({}, entry.colos[1].hops)
    end
  end)

  it("may name a private one, for names as for addresses; a name that does not resolve is another failure", function()
    local names = dns.start { "address=/inner.example/127.0.0.9", "local=/example/" }
    local here = colo.start {
      config = config(('allow = { "127.0.0.9" }, probe = { resolve = false, asn = false, dns_servers = "%s" }'):format(
        names.address)),
    }
    finally(function()
      here:stop()
      names:stop()
    end)
    local result = create(here, { "inner.example", "127.0.0.9", "127.0.0.8", "none.example" })
    assert.equal("127.0.0.9", result[1].colos[1].hops[1].nodes[1].ip)
    assert.equal("", result[2].colos[1].error)
    assert.equal("Could not gather traceroute data: Code 2", result[3].colos[1].error)
    assert.equal("Could not gather traceroute data: Code 4", result[4].colos[1].error)
  end)
end)

-- What the colo lacks is no refusal: the client may try another.
it("a colo without mtr-packet says that it cannot probe, and its operator reads why", function()
  for _, program in ipairs { "/nonexistent", "/bin/false" } do
    local here = colo.start { config = config(OPEN), top = ("env MTR_PACKET=%s;"):format(program) }
    local result, err, info = create(here, "127.0.0.1")
    local log = here:error_log()
    here:stop()
    assert.is_nil(err)
    assert.equal("Could not gather traceroute data: Code 4", result[1].colos[1].error)
    assert.equal("127.0.0.1 from ams01: could not be probed", info[1].messages[1].message)
    assert.matches("traceroute: 127%.0%.0%.1 from here: permission: mtr%-packet [^\n]*mtr%-tiny", log)
  end
end)

describe("a colo's limits", function()
  it("end a call in time, with what is there", function()
    local silent = uv.new_udp()
    silent:bind("127.0.0.1", 0)
    local here = colo.start {
      config = config(('allow = { "127.0.0.0/8" }, max_seconds = 0.5, '
        .. 'probe = { resolve = false, asn = false, dns_timeout = 60, dns_servers = "127.0.0.1:%d" }'):format(
        silent:getsockname().port)),
    }
    finally(function()
      here:stop()
      silent:close()
      uv.run("nowait")
    end)
    local result, err = create(here, { "127.0.0.1", "silent.example" })
    assert.is_nil(err)
    assert.equal("", result[1].colos[1].error)
    assert.equal("Could not gather traceroute data: Code 3", result[2].colos[1].error)
  end)

  it("log to the operator's own function", function()
    local here = colo.start {
      config = config(OPEN .. [[log = function(entry)
        ngx.log(ngx.NOTICE, "own: ", entry.account, " ", entry.client, " ", entry.targets[1], " ", entry.colos[1], " ",
          entry.status, " ", entry.outcome, " ", type(entry.seconds))
      end]]),
    }
    finally(function()
      here:stop()
    end)
    create(here, "127.0.0.1")
    assert.matches("own: " .. ACCOUNT .. " 127.0.0.1 127.0.0.1 ams01 200 ok number", here:error_log())
    assert.same({}, here:lines())
  end)
end)
