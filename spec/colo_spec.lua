-- The self-hosted colo in a real nginx over TLS: what it refuses and how, what it answers, and what its operator can
-- bound and read. The client is create(), or curl where a client would never send such a request; the neighbours
-- are the stand-in. nginx runs LuaJIT, so this is for the run on LuaJIT.
if not rawget(_G, "jit") then
  return
end

local uv = require "luv"
local cjson = require "cjson"
local colo = require "spec.support.colo"
local dns = require "spec.support.dns"
local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"
local worker = require "spec.support.worker"

local ACCOUNT = "023e105f4ecef8ad9ca31a8372d0c353"
local PATH = "/accounts/%s/diagnostics/traceroute"
local BODY = '{"targets":["127.0.0.1"]}'
local QUIET = "probe = { resolve = false, asn = false },"
local SECRETS = { "s3cret-one", "s3cret-two", "s3cret-key" }

local CREDENTIALS = ([[credentials = {
  { token = "s3cret-one" },
  { token = "s3cret-two", account = "second" },
  { email = "ops@example.com", key = "s3cret-key" },
},]])

local function config(more)
  return '{ name = "ams01", city = "Amsterdam, NL", ' .. CREDENTIALS .. more .. " }"
end

local OPEN = 'allow = { "127.0.0.0/8" },' .. QUIET

local function neighbour(name, base, ca_file, token)
  return ('{ name = "%s", city = "Elsewhere", account = "%s", token = "%s", base_url = "%s", ca_file = "%s" },'):format(
    name, ACCOUNT, token or "secret", base, ca_file)
end

-- What create() returned, with the token of all accounts.
local function create(here, targets, opts)
  opts = opts or {}
  opts.base_url, opts.ca_file, opts.token = here.base_url, here.ca_file, opts.token or "s3cret-one"
  opts.retries = opts.retries or 0
  return traceroute.create(ACCOUNT, targets, opts)
end

local function names_of(entry)
  local names = {}
  for i, found in ipairs(entry.colos) do
    names[i] = found.colo.name
  end
  table.sort(names)
  return table.concat(names, " ")
end

local function of_colo(entry, name)
  for _, found in ipairs(entry.colos) do
    if found.colo.name == name then
      return found
    end
  end
end

-- asked: method, path, headers (array of lines), body, from (a file that holds it). Status, envelope, headers.
local function curl(here, asked)
  local words = { "curl -s -i --http1.1 --max-time 20 -H Expect: --cacert", host.quote(here.ca_file) }
  for _, line in ipairs(asked.headers or { "Authorization: Bearer s3cret-one", "Content-Type: application/json" }) do
    words[#words + 1] = "-H " .. host.quote(line)
  end
  words[#words + 1] = "-X " .. (asked.method or "POST")
  if asked.method ~= "GET" then
    words[#words + 1] = "--data-binary " .. host.quote(asked.from and "@" .. asked.from or asked.body or BODY)
  end
  words[#words + 1] = host.quote(here.base_url .. (asked.path or PATH:format(asked.account or ACCOUNT)))
  local head, body = host.run(table.concat(words, " ")):match("^(.-\r\n)\r\n(.*)$")
  local headers = {}
  for name, value in head:gmatch("([%w-]+): ([^\r]*)") do
    headers[name:lower()] = value
  end
  return tonumber(head:match("^HTTP/1.1 (%d+)")), cjson.decode(body), headers
end

local function assert_refused(status, code, here, asked, message)
  local got, envelope, headers = curl(here, asked)
  assert.equal(status, got, message)
  assert.equal("application/json", headers["content-type"])
  assert.is_false(envelope.success)
  assert.equal(cjson.null, envelope.result)
  assert.same({}, envelope.messages)
  assert.equal(1, #envelope.errors)
  assert.equal(code, envelope.errors[1].code, message)
  if message then
    assert.matches(message, envelope.errors[1].message)
  end
  return envelope.errors[1], headers
end

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
      "status=200 outcome=partial%(1%) seconds=%d+%.%d+ targets=127.0.0.1,192.168.0.1 colos=ams01$",
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

describe("a colo with neighbours", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  local function start(neighbours, more)
    local here = colo.start { config = config(OPEN .. "neighbours = {" .. neighbours .. "}," .. (more or "")) }
    finally(function()
      here:stop()
    end)
    return here
  end

  local function standing(name, behaviour, token)
    return neighbour(name, stand_in:url(behaviour), stand_in.ca_file, token)
  end

  it("asks them for their own colo alone, with their own credentials and the options as they came", function()
    local here = start(standing("den01", "ok") .. standing("sin02", "ok"))
    local result, err = create(here, { "127.0.0.1", "127.0.0.2" }, { max_ttl = 3, packets_per_ttl = 2 })
    assert.is_nil(err)
    assert.equal("ams01 den01 sin02", names_of(result[1]))
    assert.equal("ams01 den01 sin02", names_of(result[2]))
    assert.equal(3, #of_colo(result[2], "den01").hops)
    local asked = {}
    for _, request in ipairs(stand_in:requests()) do
      assert.equal("Bearer secret", request.headers.authorization)
      local body = cjson.decode(request.body)
      assert.same({ "127.0.0.1", "127.0.0.2" }, body.targets)
      assert.same({ max_ttl = 3, packets_per_ttl = 2 }, body.options)
      asked[#asked + 1] = table.concat(body.colos, ",")
    end
    table.sort(asked)
    assert.same({ "den01", "sin02" }, asked)
  end)

  it("asks only those that are named", function()
    local here = start(standing("den01", "ok") .. standing("sin02", "ok"))
    assert.equal("sin02", names_of(create(here, "127.0.0.1", { colos = { "sin02", "sin02" } })[1]))
    assert.equal(1, #stand_in:requests())
    assert.equal("ams01", names_of(create(here, "127.0.0.1", { colos = { "ams01" } })[1]))
    assert.equal(1, #stand_in:requests())
    local _, err = create(here, "127.0.0.1", { colos = { "ams01", "fra01" } })
    assert.equal("invalid_request", err.kind)
    assert.equal(1005, err.code)
    assert.equal("Colo is not a valid colo", err.errors[1].message)
  end)

  it("asks them side by side", function()
    local here = start(standing("den01", "slow/300") .. standing("sin02", "slow/300") .. standing("fra03", "slow/300"))
    local result = create(here, "127.0.0.1")
    assert.equal("ams01 den01 fra03 sin02", names_of(result[1]))
    local list = stand_in:await(function(all)
      return #all == 3 and all[1].ended and all[2].ended and all[3].ended
    end)
    local first_end, last_begin = math.huge, 0
    for _, request in ipairs(list) do
      first_end, last_begin = math.min(first_end, request.ended), math.max(last_begin, request.time)
    end
    assert.is_true(last_begin < first_end)
  end)

  it("tells by a code what went wrong at one, and delivers the others", function()
    local down = ("https://localhost:%d/client/v4"):format(server.free_port())
    local here = start(neighbour("down", down, stand_in.ca_file) .. standing("no", "ok", "forbidden")
      .. standing("late", "hang") .. standing("sick", "status/500") .. standing("odd", "missing_colo/odd")
      .. standing("self", "ok") .. neighbour("alien", stand_in:url("ok", "self_signed"), stand_in.ca_file),
      "max_seconds = 3")
    local result, err, info = create(here, "127.0.0.1")
    assert.is_nil(err)
    local codes = {}
    for _, found in ipairs(result[1].colos) do
      codes[found.colo.name] = found.error:match("Code (%d)$") or found.error
    end
    assert.same({
      ams01 = "", self = "", down = "1", alien = "1", no = "2", late = "3", sick = "4", odd = "4",
    }, codes)
    assert.equal("Elsewhere", of_colo(result[1], "down").colo.city)
    assert.equal(6, #info[1].messages)
    assert.is_nil(here:error_log():find("s3cret", 1, true))
  end)

  it("passes on what a neighbour says of a target", function()
    local here = start(standing("den01", "ok"))
    local result = create(here, "error-3.example", { colos = { "den01" } })
    assert.equal("Could not gather traceroute data: Code 3", result[1].colos[1].error)
  end)

  -- The neighbour never answers, so whatever is read was sent before the last result was there.
  it("sends results as they come, and gives the rest up when the client leaves", function()
    local here = start(standing("den01", "hang"))
    local pipe = io.popen(("echo $$; exec curl -s -N --max-time 20 --cacert %s -H 'Authorization: Bearer s3cret-one' "
      .. "-H 'Content-Type: application/json' -d %s %s"):format(host.quote(here.ca_file),
      host.quote('{"targets":["127.0.0.1","127.0.0.2"]}'), host.quote(here.base_url .. PATH:format(ACCOUNT))))
    local pid, text = pipe:read("*l"), ""
    repeat
      local byte = pipe:read(1)
      text = text .. (byte or "")
    until not byte or text:find('"target_summary"', 1, true) and text:find('"hops":[{', 1, true)
    assert.matches('^{"result":%[{"target":"127.0.0.[12]","colos":%[{.*"target_summary"', text)
    assert.is_table(stand_in:await(function(list)
      return #list == 1
    end))
    assert.is_nil(stand_in:requests()[1].ended)
    host.run("kill -KILL " .. pid)
    pipe:close()
    assert.is_table(stand_in:await(function(list)
      return list[1].aborted
    end))
    assert.matches("status=499 outcome=left", worker.await(function()
      return here:lines()[1]
    end))
  end)

  -- Begins a call that does not end, and returns what ends it.
  local function occupy(here)
    local pid = host.run(("curl -s --max-time 20 --cacert %s -H 'Authorization: Bearer s3cret-one' "
      .. "-H 'Content-Type: application/json' -d %s %s >/dev/null 2>&1 & echo $!"):format(host.quote(here.ca_file),
      host.quote(BODY), host.quote(here.base_url .. PATH:format(ACCOUNT)))):match("%d+")
    assert.is_table(stand_in:await(function(list)
      return #list == 1
    end))
    return function()
      host.run("kill -KILL " .. pid)
    end
  end

  it("refuses calls beyond those that may be made at once, and takes them again later", function()
    local here = start(standing("den01", "hang"), "max_calls = 1")
    local leave = occupy(here)
    local _, headers = assert_refused(429, 10100, here, {}, "too many calls at once")
    assert.equal("5", headers["retry-after"])
    local _, err = create(here, "127.0.0.1", { colos = { "ams01" } })
    assert.equal("rate_limit", err.kind)
    assert.equal(5, err.retry_after)
    leave()
    assert.is_table(worker.await(function()
      return (create(here, "127.0.0.1", { colos = { "ams01" } }))
    end))
    -- Each that ends gives its slot back.
    for _ = 1, 3 do
      assert.is_table((create(here, "127.0.0.1", { colos = { "ams01" } })))
    end
  end)

  it("counts the calls of all workers where a shared dictionary is named", function()
    local here = colo.start {
      workers = 3,
      config = config(OPEN .. 'max_calls = 1, shared_dict = "calls",'
        .. "neighbours = {" .. standing("den01", "hang") .. "}"),
    }
    finally(function()
      here:stop()
    end)
    local leave = occupy(here)
    for _ = 1, 12 do
      assert_refused(429, 10100, here, {})
    end
    leave()
  end)
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

describe("a colo in which something breaks", function()
  local here, stand_in

  setup(function()
    stand_in = server.get()
    here = colo.start {
      config = config(OPEN
        .. 'log = function(entry) ngx.log(ngx.NOTICE, entry.status, " ", entry.outcome) error "full" end, '
        .. "neighbours = {" .. neighbour("den01", stand_in:url("ok"), stand_in.ca_file) .. "}"),
      -- Faults as only a mistake in the module could make them.
      locations = [[
        location ~ ^/client/v4/accounts/early/ {
          content_by_lua_block {
            local calls = { take = function() error "broken on purpose" end }
            setmetatable({ calls = calls }, { __index = here }):serve()
          }
        }
        location ~ ^/client/v4/accounts/late/ {
          content_by_lua_block {
            local gather = require "traceroute.colo.gather"
            local run = gather.run
            gather.run = function(_, _, deliver)
              gather.run = run
              deliver(1, { colo = { name = "ams01", city = "Amsterdam, NL" }, error = "", hops = {} })
              error "broken on purpose"
            end
            here:serve()
          }
        }
        location ~ ^/client/v4/accounts/neighbour/ {
          content_by_lua_block {
            local config = setmetatable({ neighbours = {
              setmetatable({ name = "den01", city = "Denver" }, { __index = function() error "broken on purpose" end }),
            } }, { __index = here.config })
            setmetatable({ config = config }, { __index = here }):serve()
          }
        }
      ]],
    }
  end)

  teardown(function()
    here:stop()
  end)

  it("answers what others found when one of them breaks", function()
    local result, err, info = traceroute.create("neighbour", "127.0.0.1", {
      base_url = here.base_url, ca_file = here.ca_file, token = "s3cret-one", retries = 0,
      colos = { "ams01", "den01" } })
    assert.is_nil(err)
    assert.equal("", of_colo(result[1], "ams01").error)
    assert.equal("Could not gather traceroute data: Code 4", of_colo(result[1], "den01").error)
    assert.equal("127.0.0.1 from den01: could not be probed", info[1].messages[1].message)
    assert.matches("traceroute: colo den01: [^\n]*broken on purpose", here:error_log())
  end)

  it("says so before the first byte, breaks the answer off behind it, and logs why", function()
    local failure = assert_refused(500, 10500, here, { account = "early" })
    assert.equal("internal error", failure.message)
    local result, err = traceroute.create("late", { "127.0.0.1", "127.0.0.2" }, {
      base_url = here.base_url, ca_file = here.ca_file, token = "s3cret-one", retries = 0 })
    assert.equal("connection", err.kind)
    assert.equal("ams01", result[1].colos[1].colo.name)
    assert.same({ "127.0.0.1", "127.0.0.2" }, err.targets)
    local log = here:error_log()
    assert.equal(2, select(2, log:gsub("traceroute%.colo: [^\n]*broken on purpose", "")))
    assert.equal(2, select(2, log:gsub(" 500 failed[^\n]*\n", "")))
    assert.matches("traceroute%.colo: log: [^\n]*full", log)
  end)
end)

describe("a colo's configuration", function()
  local configuration = require "traceroute.colo.configuration"

  local function changed(name, value)
    local given = { name = "ams01", credentials = { { token = "secret-token" } } }
    if name then
      given[name] = value
    end
    return given
  end

  local NEIGHBOUR = {
    name = "den01", base_url = "https://den.example/client/v4", account = "a", token = "secret-token",
  }

  local function with(base, name, value)
    local copy = {}
    for key, item in pairs(base) do
      copy[key] = item
    end
    copy[name] = value
    return copy
  end

  it("has defaults", function()
    local given = changed()
    local read = assert(configuration.read(given))
    assert.equal(10, read.max_targets)
    assert.equal(192, read.max_packets)
    assert.equal(10, read.max_calls)
    assert.equal(55, read.max_seconds)
    assert.equal(200, read.rate)
    assert.same({}, read.allow)
    assert.same({}, read.neighbours)
    assert.same(changed(), given)
  end)

  it("says which field is wrong, and shows no credential", function()
    for _, case in ipairs {
      { "nmae", "x", "config.nmae", "did you mean name" },
      { "name", nil, "name", "missing" },
      { "name", "two words", "name" },
      { "name", 7, "name", "string expected, got number" },
      { "credentials", nil, "credentials", "missing" },
      { "credentials", {}, "credentials", "missing" },
      { "credentials", { token = "secret-token" }, "credentials" },
      { "credentials", { {} }, "credentials[1]" },
      { "credentials", { { token = "secret-token", key = "secret-token" } }, "credentials[1]" },
      { "credentials", { { email = "a@example.com" } }, "credentials[1]" },
      { "credentials", { { token = "secret-token\n" } }, "credentials[1].token" },
      { "credentials", { { token = "a" }, { token = 5 } }, "credentials[2].token" },
      { "credentials", { { token = "secret-token", account = "a/b" } }, "credentials[1].account" },
      { "credentials", { "secret-token" }, "credentials[1]", "table expected" },
      { "credentials", { { email = "a@example.com", key = "secret-token\r" } }, "credentials[1]", "control character" },
      { "neighbours", { with(NEIGHBOUR, "name", "two words") }, "neighbours[1].name", "letters" },
      { "neighbours", { with(NEIGHBOUR, "account", "a/b") }, "neighbours[1].account", "letters" },
      { "neighbours", { with(NEIGHBOUR, "ca_file", "/no\0where") }, "neighbours[1].ca_file" },
      { "neighbours", { with(NEIGHBOUR, "token", nil) }, "neighbours[1].token", "missing" },
      { "neighbours", { with(NEIGHBOUR, "base_url", "http://den.example") }, "neighbours[1].base_url", "https" },
      { "neighbours", { with(NEIGHBOUR, "name", "ams01") }, "neighbours[1].name", "another colo" },
      { "neighbours", { NEIGHBOUR, NEIGHBOUR }, "neighbours[2].name", "another colo" },
      { "neighbours", { with(NEIGHBOUR, "tokn", "x") }, "neighbours[1].tokn", "did you mean token" },
      { "allow", { "10.0.0.0/8", "private" }, "allow[2]", "network" },
      { "deny", { "10.0.0.0/33" }, "deny[1]", "network" },
      { "allow", "10.0.0.0/8", "allow", "table expected" },
      { "max_targets", 11, "max_targets" }, { "max_targets", 0, "max_targets" }, { "max_calls", 1.5, "max_calls" },
      { "max_packets", 641, "max_packets" }, { "max_seconds", 0, "max_seconds" }, { "rate", 0 / 0, "rate" },
      { "probe", { max_ttl = 3 }, "probe.max_ttl", "unknown" },
      { "probe", { dns_timeout = 0 }, "probe.dns_timeout" },
      { "log", "file", "log", "function expected" },
    } do
      local read, err = configuration.read(changed(case[1], case[2]))
      assert.is_nil(read, case[3])
      assert.equal(case[3], err.path)
      assert.matches(case[4] or ".", err.message)
      assert.is_nil(tostring(err):find("secret-token", 1, true))
    end
  end)

  it("keeps nginx from starting when it is wrong", function()
    local started, why = colo.try { config = '{ name = "ams01", credentials = {} }' }
    assert.is_nil(started)
    assert.matches("traceroute%.colo: credentials: missing", why)
    started, why = colo.try { config = config 'shared_dict = "none"' }
    assert.is_nil(started)
    assert.matches("shared_dict: nginx has no lua_shared_dict of that name", why)
  end)
end)
