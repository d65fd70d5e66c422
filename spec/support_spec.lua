-- The stand-in of the service, asked with the curl command: a double that answers wrongly would make every
-- other spec mean nothing.

local cjson = require "cjson"
local garbage = require "spec.support.garbage"
local host = require "spec.support.host"
local json = require "spec.support.json"
local server = require "spec.support.server"
local traces = require "spec.support.traces"

describe("the stand-in #heavy", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  local TOKEN = "-H 'Authorization: Bearer secret'"

  -- Asks with curl. options: targets, body, auth, account, arguments, listener. Returns {status=, headers=
  -- (lower case names), text=, exit= (curl's exit status)}.
  local function ask(behaviour, options)
    options = options or {}
    local body = options.body or cjson.encode { targets = options.targets or { "1.1.1.1" } }
    local url = stand_in:url(behaviour, options.listener)
    local out = os.tmpname()
    local head, exit = host.run(table.concat({
      "env -u LD_PRELOAD curl -sS -m 20 -D - -o", host.quote(out),
      "--cacert", host.quote(stand_in.ca_file),
      options.auth or TOKEN,
      "-H 'Content-Type: application/json' --data-binary", host.quote(body),
      options.arguments or "",
      host.quote(("%s/accounts/%s/diagnostics/traceroute"):format(url, options.account or stand_in.account)),
      "2>/dev/null",
    }, " "))
    local text = host.read(out)
    os.remove(out)
    local headers = {}
    for name, value in head:gmatch("\n([%w-]+): ([^\r\n]*)") do
      headers[name:lower()] = value
    end
    local status
    for code in head:gmatch("HTTP/[%d.]+ (%d+)[^\n]*\r\n") do
      status = tonumber(code) -- the last: a proxy's and informational ones come before it
    end
    return { status = status, headers = headers, text = text, exit = exit }
  end

  -- Status and first code of a failure in the service's envelope.
  local function failure(got)
    local envelope = cjson.decode(got.text)
    assert.is_false(envelope.success)
    return { got.status, envelope.errors[1].code }
  end

  local function result(got)
    assert.equal(200, got.status)
    return cjson.decode(got.text).result
  end

  it("answers one result a target, one trace a colo, in the service's envelope", function()
    local got = ask("ok", {
      body = '{"targets":["1.1.1.1","example.com"],"colos":["ams01"],"options":{"max_ttl":4,"packets_per_ttl":2}}',
    })
    assert.equal(200, got.status)
    assert.equal('"default";r=50;t=30', got.headers.ratelimit)
    assert.equal('"burst";q=100;w=60', got.headers["ratelimit-policy"])
    assert.matches("^%x+%-DEN$", got.headers["cf-ray"])
    local envelope = cjson.decode(got.text)
    assert.is_true(envelope.success)
    assert.equal(2, #envelope.result)
    assert.equal("example.com", envelope.result[2].target)
    assert.equal(1, #envelope.result[2].colos)
    local colo = envelope.result[2].colos[1]
    assert.equal("ams01", colo.colo.name)
    assert.equal(4, #colo.hops)
    assert.same({}, colo.hops[2].nodes)
    assert.equal("NO RESPONSE", colo.hops[3].nodes[1].name)
    assert.equal(2, #colo.hops[4].nodes)
    assert.equal(2, colo.hops[4].packets_sent)
    assert.matches('"packets_ttl":4}', got.text, 1, true)
  end)

  it("gives what traces.lua gives, twice the same and over IPv6 too", function()
    local body = '{"targets":["2606:4700::1111"]}'
    local first = ask("", { body = body })
    local second = ask("ok", { body = body, arguments = host.has_ipv6() and "-6" or "" })
    assert.equal(first.text, second.text)
    local expected = traces.result { targets = { "2606:4700::1111" } }
    assert.equal(json.encode(expected), first.text:match('"result":(.*),"success"'))
    assert.equal("2606:4700::1111", result(first)[1].colos[2].hops[6].nodes[1].ip)
    assert.equal("Could not gather traceroute data: Code 3",
      result(ask("ok", { targets = { "error-3.example" } }))[1].colos[1].error)
  end)

  it("refuses what the service refuses", function()
    local function refusal(options)
      return failure(ask("ok", options))
    end
    assert.same({ 401, 10001 }, refusal { auth = "" })
    assert.same({ 401, 10001 }, refusal { auth = "-H 'X-Auth-Email: a@b.example'" })
    assert.same({ 401, 10000 }, refusal { auth = "-H 'Authorization: Bearer expired'" })
    assert.same({ 403, 10000 }, refusal { auth = "-H 'Authorization: Bearer forbidden'" })
    assert.same({ 404, 7003 }, refusal { account = ("a"):rep(33) })
    assert.same({ 405, 10405 }, refusal { arguments = "-X PUT" })
    assert.same({ 400, 1001 }, refusal { body = "{" })
    assert.same({ 400, 1002 }, refusal { body = '{"targets":[]}' })
    assert.same({ 400, 1002 }, refusal { body = '{"targets":{}}' })
    assert.same({ 400, 1002 }, refusal { body = '{"targets":[7]}' })
    assert.same({ 400, 1003 }, refusal { body = '{"targets":[' .. ('"a",'):rep(10) .. '"a"]}' })
    assert.same({ 400, 1005 }, refusal { body = '{"targets":["a"],"colos":[]}' })
    assert.same({ 400, 1004 }, refusal { body = '{"targets":["a"],"options":{"max_ttl":15.0}}' })
    assert.same({ 400, 1004 }, refusal { body = '{"targets":["a"],"options":{"wait_time":6}}' })
    assert.equal(200, ask("ok", { auth = "-H 'X-Auth-Email: a@b.example' -H 'X-Auth-Key: k'" }).status)
  end)

  it("answers the published example to the byte", function()
    local got = ask "published"
    assert.equal(200, got.status)
    assert.equal(host.read(host.root() .. "/spec/support/published.json"), got.text)
  end)

  it("answers errors as the service and as its edge do", function()
    assert.same({ 503, 1503 }, failure(ask "status/503"))
    assert.same({ 409, 77 }, failure(ask "status/409/77"))
    assert.same({ 200, 1234 }, failure(ask "api_error/1234"))
    assert.same({ 400, 1004 }, failure(ask "api_errors"))
    local got = ask "html/502"
    assert.same({ 502, "text/html; charset=UTF-8" }, { got.status, got.headers["content-type"] })
    assert.matches("^<!DOCTYPE html>", got.text)
    got = ask "ratelimited/300"
    assert.same({ 429, 10100 }, failure(got))
    assert.same({ "300", '"default";r=0;t=300' }, { got.headers["retry-after"], got.headers.ratelimit })
    assert.equal('"default";r=3;t=9', ask("ratelimit/3/9").headers.ratelimit)
    assert.same({ 204, 502 }, { ask("no_content").status, ask("empty/502").status })
  end)

  it("fails as often as it was told for each key", function()
    local behaviour = "retry/2/503/seconds:1,ms:20,should:true/" .. stand_in:key()
    local got = ask(behaviour)
    assert.same({ 503, "1", "20", "true" }, { got.status, got.headers["retry-after"],
      got.headers["retry-after-ms"], got.headers["x-should-retry"] })
    assert.equal(503, ask(behaviour).status)
    assert.equal(200, ask(behaviour).status)
    got = ask("retry/1/429/date:2/" .. stand_in:key())
    assert.equal(429, got.status)
    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", got.headers["retry-after"])
    assert.equal(52, ask("retry/1/0/-/" .. stand_in:key(), { listener = "http11" }).exit) -- CURLE_GOT_NOTHING
  end)

  it("breaks off, resets and goes without a length", function()
    local function broken(behaviour, arguments)
      local got = ask(behaviour, { listener = "http11", arguments = arguments })
      return { got.exit, got.text and #got.text }
    end
    assert.same({ 18, 100 }, broken "cut/100") -- CURLE_PARTIAL_FILE
    assert.same({ 18, 100 }, broken "cut_chunked/100")
    assert.same({ 28, 100 }, broken("hang_after/100", "-m 0.2")) -- CURLE_OPERATION_TIMEDOUT
    assert.same({ 28, 0 }, broken("hang", "-m 0.1"))
    assert.equal(52, broken("close")[1])
    assert.equal(56, broken("reset")[1]) -- CURLE_RECV_ERROR
    assert.equal(92, ask("cut/100").exit) -- CURLE_HTTP2_STREAM
    local whole = ask("ok").text
    for _, behaviour in ipairs { "until_close", "early_hints", "drip/1000/1", "slow/1", "slow_target/1.1.1.1/1" } do
      local got = ask(behaviour, { listener = "http11" })
      assert.same({ behaviour, 0, 200, whole }, { behaviour, got.exit, got.status, got.text })
    end
  end)

  it("says on the wire what it was given, ended in each way", function()
    stand_in:raw("wire", "HTTP/1.1 299 Fine\r\nX-A: b\r\n\r\nbody")
    for how, exit in pairs {
      ["bytes/wire"] = 0, ["reset_bytes/wire"] = 56, ["stall_bytes/wire"] = 28, ["drip_bytes/wire/1"] = 0,
      ["endless_bytes/wire"] = 28,
    } do
      for _, listener in ipairs { "http11", "http" } do
        local got = ask(how, { listener = listener, arguments = exit == 28 and "-m 0.2" })
        local text = how:find "endless" and "bodyHTTP" or "body"
        assert.same({ how, exit, 299, "b" }, { how, got.exit, got.status, got.headers["x-a"] })
        assert.equal(text, how:find "endless" and got.text:sub(1, #text) or got.text)
      end
    end
    local body = '{"result":[{"target":"'
    stand_in:raw("one", body .. "1")
    stand_in:raw("two", body .. "2")
    for _, last in ipairs { "1", "2", "2" } do
      assert.equal(body .. last, ask("cut_raw/one/two", { listener = "http11" }).text)
    end
  end)

  it("compresses, rightly and wrongly", function()
    local plain = ask("ok").text
    for _, behaviour in ipairs { "gzip", "br" } do
      local got = ask(behaviour, { arguments = "--compressed" })
      assert.same({ behaviour, plain }, { got.headers["content-encoding"], got.text })
    end
    assert.equal(61, ask("bad_gzip", { arguments = "--compressed" }).exit) -- CURLE_BAD_CONTENT_ENCODING
    assert.equal(61, ask("plain_gzip", { arguments = "--compressed" }).exit)
    local got = ask("gzip_bomb/8", { arguments = "--compressed" })
    assert.same({ 0, "gzip", 8 * 1048576 + 1246 }, { got.exit, got.headers["content-encoding"], #got.text })
    assert.is_true(#ask("gzip_bomb/8", { arguments = "-H 'Accept-Encoding: gzip'" }).text < 20000)
  end)

  it("sends what it was given, wrong fields and garbage", function()
    stand_in:raw("mine", "one\0two", "text/plain", 418)
    local got = ask "raw/mine"
    assert.same({ 418, "text/plain", "one\0two" }, { got.status, got.headers["content-type"], got.text })
    for i, entry in ipairs(garbage) do
      assert.is_true(entry.body == ask("garbage/" .. i).text, entry.name)
    end
    assert.equal(7, result(ask "wrong/result.1.colos.1.hops.1.nodes.1.ip/number")[1].colos[1].hops[1].nodes[1].ip)
    assert.is_nil(result(ask "wrong/result/absent"))
    assert.equal(cjson.null, cjson.decode(ask("wrong/success/null").text).success)
  end)

  it("answers in another order, in part, in bulk", function()
    local both = { targets = { "a.example", "b.example" } }
    local reversed = result(ask("reversed", both))
    assert.equal("b.example", reversed[1].target)
    assert.equal("sin02", reversed[1].colos[1].colo.name)
    assert.equal(1, #result(ask("missing_target/a.example", both)))
    assert.equal("sin02", result(ask("missing_colo/den01", both))[2].colos[1].colo.name)
    assert.equal("uninvited.example", result(ask("other_target", both))[3].target)
    assert.same({ 500, 1500 }, failure(ask("fail_target/b.example/500", both)))
    assert.equal(1, #result(ask("fail_target/b.example/500", { targets = { "a.example" } })))
    local big = result(ask "big/3/40/20")
    assert.same({ 3, 40, 20 }, { #big, #big[3].colos, #big[3].colos[40].hops })
    assert.equal(20, big[3].colos[40].hops[20].packets_ttl)
  end)

  it("has messages, newer fields, other headers and redirects", function()
    assert.equal("the second message", cjson.decode(ask("messages").text).messages[2].message)
    assert.equal(24001, result(ask "newer")[1].colos[1].hops[1].mpls[1].label)
    assert.matches("user-agent: mine/1", ask("echo_headers", { arguments = "-A mine/1" }).text, 1, true)
    assert.equal(5000, #ask("long_header/5000").headers["x-long"])
    assert.equal("value 50", ask("many_headers/50").headers["x-many-50"])
    assert.same({ "abc" }, { ask("ray/abc").headers["cf-ray"], ask("ray/-").headers["cf-ray"] })
    local got = ask "redirect/307"
    assert.equal(307, got.status)
    assert.equal(("https://127.0.0.1:%d/ok/client/v4/accounts/%s/diagnostics/traceroute"):format(
      stand_in.ports.https, stand_in.account), got.headers.location)
    assert.matches("^http://127%.0%.0%.1:" .. stand_in.ports.http .. "/", ask("redirect/302/http").headers.location)
  end)

  it("has listeners that a careful client refuses", function()
    local function exit_of(listener, arguments)
      return ask("ok", { listener = listener, arguments = arguments }).exit
    end
    assert.equal(0, exit_of "https")
    assert.equal(0, exit_of "http11")
    assert.equal(0, exit_of "http")
    for _, listener in ipairs { "expired", "wrong_name", "self_signed" } do
      assert.same({ listener, 60 }, { listener, exit_of(listener) }) -- CURLE_PEER_FAILED_VERIFICATION
      assert.same({ listener, 0 }, { listener, exit_of(listener, "-k") })
    end
    assert.equal(35, exit_of "old_tls") -- CURLE_SSL_CONNECT_ERROR
    assert.equal(0, exit_of("old_tls", "--tls-max 1.1 --tlsv1.0 --ciphers ALL:@SECLEVEL=0"))
  end)

  it("tells what it received", function()
    ask("ok", { arguments = "-A mine/1" })
    ask("status/500", { listener = "http11", body = "a\nb" })
    local list = stand_in:await(function(list) return #list == 2 and list[2].ended end)
    assert.equal("POST", list[1].method)
    assert.equal(("/ok/client/v4/accounts/%s/diagnostics/traceroute"):format(stand_in.account), list[1].uri)
    assert.equal("Bearer secret", list[1].headers.authorization)
    assert.equal("mine/1", list[1].headers["user-agent"])
    assert.equal('{"targets":["1.1.1.1"]}', list[1].body)
    assert.same({ "HTTP/2.0", "https", "localhost", 200 },
      { list[1].protocol, list[1].listener, list[1].server_name, list[1].status })
    assert.same({ "HTTP/1.1", "http11", "a\nb", 500 },
      { list[2].protocol, list[2].listener, list[2].body, list[2].status })
    assert.is_true(list[2].connection > list[1].connection)
    assert.is_true(list[1].time <= list[2].time and list[1].time <= list[1].ended)
    stand_in:reset()
    assert.same({}, stand_in:requests())
  end)

  it("notices a client that goes away", function()
    ask("hang", { arguments = "-m 0.1" })
    ask("hang", { arguments = "-m 0.1", listener = "http11" })
    local list = stand_in:await(function(list) return #list == 2 and list[1].aborted and list[2].aborted end)
    assert.is_truthy(list)
  end)

  it("offers a proxy, with and without a password", function()
    local open = stand_in:proxy()
    assert.equal(200, ask("ok", { arguments = "-x " .. open.url }).status)
    assert.matches("CONNECT localhost:" .. stand_in.ports.https, open:log(), 1, true)
    local closed = stand_in:proxy { user = "who", password = "secret" }
    assert.equal(56, ask("ok", { arguments = "-x " .. closed.url }).exit)
    assert.equal(200, ask("ok", { arguments = "-U who:secret -x " .. closed.url }).status)
    open:stop()
    closed:stop()
    assert.is_nil(host.read(open.directory .. "/proxy.log"))
  end)

  it("takes other ports when nginx cannot have those it was given", function()
    local free_ports, calls = host.free_ports, 0
    finally(function() host.free_ports = free_ports end)
    host.free_ports = function(count)
      local ports = free_ports(count)
      calls = calls + 1
      if calls == 1 then
        ports[1] = stand_in.ports.http
      end
      return ports
    end
    local other = server.start()
    assert.equal(2, calls)
    assert.is_true(host.connects(other.ports.http))
    other:stop()
  end)

  it("leaves SIGPIPE to kill, as it would kill a user's script", function()
    local ignored = host.read("/proc/self/status"):match("SigIgn:%s*(%x+)")
    assert.equal(0, tonumber(ignored:sub(-4, -4), 16) % 2)
  end)

  it("ends when it is told to, and when its owner is killed", function()
    local script = ([[package.path = %q .. "/?.lua;" .. package.path
      local server = require "spec.support.server"
      print(server.start { workers = 2 }.directory)
      io.stdout:flush()
      require("luv").kill(require("luv").os_getpid(), "sigkill")]]):format(host.root())
    local interpreter = jit and "luajit" or _VERSION:lower():gsub(" ", "")
    local said, status = host.run(interpreter .. " -e " .. host.quote(script) .. " 2>/dev/null")
    assert.equal(137, status)
    local directory = said:match("^([^\n]+)")
    local deadline = host.now() + host.LONG
    while host.read(directory .. "/nginx.conf") and host.now() < deadline do
      host.pause(5)
    end
    assert.is_nil(host.read(directory .. "/nginx.conf"))
    local other = server.start()
    local port = other.ports.http
    assert.is_true(host.connects(port))
    other:stop()
    assert.is_false(host.connects(port))
    assert.is_nil(host.read(other.directory .. "/nginx.conf"))
  end)
end)
