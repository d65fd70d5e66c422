-- One HTTP exchange on the wire: TLS, connections, compression, bounds, proxies. Answers that are late, broken or
-- hostile are hostile_server_spec's, tries after the first retry_spec's.

local cjson = require "cjson"
local host = require "spec.support.host"
local hostile_server = require "spec.support.hostile_server"
local server = require "spec.support.server"
local traceroute = require "traceroute"
local uv = require "luv"

local TOKEN = "exchange-spec-token"

describe("an exchange", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  -- Asks once. `base` is a behaviour at a listener of the stand-in, or a whole URL.
  local function ask(base, listener, more)
    local result, err, info = traceroute.create(stand_in.account, "192.0.2.1",
      stand_in:options(base, { listener = listener, token = TOKEN, retries = 0, timeout = 20 }, more))
    assert.is_nil((tostring(err) .. cjson.encode(info)):find(TOKEN, 1, true))
    return result, err, info
  end

  -- The whole answer of `ok` arrived.
  local function is_whole(result, err)
    assert.is_nil(err)
    assert.equal("192.0.2.1", result[1].target)
    assert.equal("den01", result[1].colos[1].colo.name)
    assert.equal(6, #result[1].colos[2].hops)
  end

  local function fails(kind, words, result, err)
    assert.is_nil(result)
    assert.equal(kind, err.kind)
    assert.matches(words, err.message)
    assert.same({ "192.0.2.1" }, err.targets)
  end

  describe("over TLS", function()
    it("speaks HTTP/2 where the server has it, with the name checked", function()
      is_whole(ask("ok"))
      local got = stand_in:requests()[1]
      assert.equal("HTTP/2.0", got.protocol)
      assert.equal("localhost", got.server_name)
      assert.equal("TLSv1.3", got.tls)
      assert.equal("Bearer " .. TOKEN, got.headers.authorization)
      assert.is_nil(got.headers.expect)
      is_whole(ask("ok", "http11"))
      assert.equal("HTTP/1.1", stand_in:requests()[2].protocol)
      is_whole(ask(stand_in:url("ok", "https", "127.0.0.1")))
    end)

    it("trusts what ca_file names, and nothing else of its own accord", function()
      fails("connection", "not trusted: .*issuer.*ca_file", ask("ok", "https", { ca_file = server.NONE }))
      fails("connection", "CA file.*/nonexistent/ca.pem", ask("ok", "https", { ca_file = "/nonexistent/ca.pem" }))
      local path = stand_in.directory .. "/garbage.pem"
      host.write(path, "-----BEGIN CERTIFICATE-----\nnot a certificate\n")
      fails("connection", "CA file", ask("ok", "https", { ca_file = path }))
      assert.same({}, stand_in:requests())
      is_whole(ask("ok"))
    end)

    it("trusts the CAs that a directory holds under their hashes", function()
      local directory = stand_in.directory .. "/cas"
      assert.equal(0, select(2, host.run(("mkdir -m 755 %s && cp %s %s/ours.pem"):format(
        directory, stand_in.ca_file, directory))))
      fails("connection", "not trusted: .*issuer", ask("ok", "https", { ca_file = directory }))
      host.run("openssl rehash " .. directory)
      is_whole(ask("ok", "https", { ca_file = directory }))
    end)
  end)

  it("uses a connection again in later calls", function()
    for _, listener in ipairs { "https", "http11", "http" } do
      stand_in:reset()
      for _ = 1, 3 do
        is_whole(ask("ok", listener))
      end
      local list = stand_in:requests()
      assert.equal(list[1].connection, list[2].connection)
      assert.equal(list[1].connection, list[3].connection)
    end
  end)

  describe("of many at once", function()
    local function start(calls, base_url)
      local jobs = {}
      for i = 1, calls do
        jobs[i] = traceroute.start(stand_in.account, "192.0.2.1",
          stand_in:options(base_url, { token = TOKEN, quota = 0, retries = 0, timeout = 30 }))
      end
      return jobs
    end

    local function cancel(jobs)
      for _, job in ipairs(jobs) do
        job:cancel()
      end
    end

    -- How many connections so many calls open, none of which is answered, and in how many seconds.
    local function connections_of(calls, listener)
      local began, seen, count = uv.hrtime(), {}, 0
      local jobs = start(calls, stand_in:url("hang", listener))
      repeat
        local done = jobs[1]:step(0.05)
      until done or #stand_in:requests() == calls
      for _, request in ipairs(stand_in:requests()) do
        count = count + (seen[request.connection] and 0 or 1)
        seen[request.connection] = true
      end
      cancel(jobs)
      assert.equal(calls, #stand_in:requests())
      return count, (uv.hrtime() - began) / 1e9
    end

    -- A connection that takes longer than 0.25 s to be made is not waited for.
    it("shares a connection of HTTP/2 with others", function()
      local connections, seconds = connections_of(100, "https")
      assert.is_true(connections >= 4 and connections <= 5 + seconds / 0.25, connections)
    end)

    it("has a connection of its own by HTTP/1.1", function()
      assert.equal(70, (connections_of(70, "http11")))
    end)

    it("does not wait for the connections to another host", function()
      local silent = uv.new_tcp()
      silent:bind("127.0.0.1", 0)
      silent:listen(200, function() end)
      local stuck = start(80, ("https://127.0.0.1:%d"):format(silent:getsockname().port))
      local job = start(1, stand_in:url("ok"))[1]
      while not job:step(1) do end
      is_whole(job:result())
      for _, other in ipairs(stuck) do
        assert.is_nil((other:result())) -- not even the first has come to its end
        assert.matches("not done", select(2, other:result()).message)
      end
      cancel(stuck)
      silent:close()
      uv.run("nowait")
    end)
  end)

  it("opens another connection once a server has closed the kept one", function()
    local own = server.start()
    local first = traceroute.create(own.account, "192.0.2.1",
      own:options("until_close", { listener = "http11", token = TOKEN, retries = 0 }))
    local second = traceroute.create(own.account, "192.0.2.1",
      own:options("ok", { listener = "http11", token = TOKEN, retries = 0 }))
    local list = own:requests()
    own:stop()
    assert.equal(2, #first[1].colos)
    assert.equal(2, #second[1].colos)
    assert.not_equal(list[1].connection, list[2].connection)
  end)

  -- libcurl asks once more when a connection it kept is reset, and holds on to the words about that. A server that
  -- says in turn what is listed, to calls alone and then to two at once, which take two connections, if `two` is their
  -- number. With `gone` it takes no more once it has reset a connection.
  local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
  local NO_GZIP = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n{}{}"
  local UNREADABLE = "^the response cannot be read: .*ncoding"
  for _, case in ipairs {
    { "by another", says = UNREADABLE, connections = 2, OK, "reset", NO_GZIP },
    { "by one that was kept, too", says = UNREADABLE, two = 3, connections = 2, OK, OK, OK, "reset", NO_GZIP },
    { "by none", says = "[Cc]onnect to server; check base_url", gone = true, connections = 1, OK, "reset" },
  } do
    it("says what went wrong, not how a kept connection ended that was replaced " .. case[1], function()
      local asked, connections, is_gone = {}, 0, false
      local url, stop = hostile_server.listen(function(client, text)
        connections = connections + (text == "" and 1 or 0)
        if not text:find("}", 1, true) then -- the request's end
          return
        end
        asked[#asked + 1] = client
        local answer = case[1 + #asked]
        if answer == "reset" then
          client:close_reset()
          is_gone = case.gone
        elseif #asked + 1 ~= case.two then
          client:write(answer)
        end
        if #asked == case.two then
          asked[#asked - 1]:write(answer)
        end
      end, true)
      finally(stop)
      local function start()
        return assert(traceroute.start(stand_in.account, "192.0.2.1",
          stand_in:options(url, { token = TOKEN, retries = 0, timeout = 20 })))
      end
      local function finish(job)
        while not job:step(0) do
          uv.run("nowait")
          if is_gone then
            stop()
          end
        end
        return select(2, job:result())
      end
      finish(start())
      if case.two then
        local one, other = start(), start()
        finish(one)
        finish(other)
      end
      local err = finish(start())
      assert.matches(case.says, err.message)
      assert.equal(#case - 1, #asked)
      assert.equal(case.connections, connections)
    end)
  end

  describe("decodes", function()
    for _, case in ipairs {
      { "gzip", "https" }, { "gzip", "http11" }, { "br", "https" },
      { "early_hints", "http11" }, { "until_close", "http11" }, { "until_close", "http" },
      { "drip/500/1", "https" }, { "drip/7/0", "http11" },
    } do
      it(case[1] .. " at " .. case[2], function()
        is_whole(ask(case[1], case[2]))
      end)
    end

    it("headers that trickle in, and the ray of the answer instead of that of early hints", function()
      local _, _, info = ask("early_hints", "http11")
      assert.is_nil(info[1].ray)
      local body = host.read(host.root() .. "/spec/support/published.json")
      local text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncf-ray: slow-one\r\nX-Long: " .. ("x"):rep(100) ..
        "\r\nContent-Length: " .. #body .. "\r\n\r\n"
      local listener, client, sent = uv.new_tcp(), uv.new_tcp(), 0
      listener:bind("127.0.0.1", 0)
      listener:listen(1, function()
        local idle = uv.new_idle()
        listener:accept(client)
        idle:start(function() -- one byte a turn of the loop
          sent = sent + 1
          if sent <= #text then
            client:write(text:sub(sent, sent))
          else
            client:write(body)
            idle:close()
          end
        end)
      end)
      local job = traceroute.start(stand_in.account, "1.1.1.1",
        { base_url = "http://127.0.0.1:" .. listener:getsockname().port, token = TOKEN, retries = 0, timeout = 20 })
      while not job:step(0) do
        uv.run("nowait")
      end
      listener:close()
      client:close()
      uv.run("nowait")
      local result, err, slow = job:result()
      assert.is_nil(err)
      assert.equal("1.1.1.1", result[1].target)
      assert.equal("slow-one", slow[1].ray)
    end)
  end)

  it("takes max_response_bytes in, counted after decompression, and no more", function()
    local _, _, info = ask("ok")
    local size = info[1].bytes
    for _, behaviour in ipairs { "ok", "gzip" } do
      is_whole(ask(behaviour, "https", { max_response_bytes = size }))
      local _, err, short = ask(behaviour, "https", { max_response_bytes = size - 1 })
      assert.equal("invalid_response", err.kind)
      assert.is_true(short[1].bytes < size)
    end
  end)

  describe("ends in time", function()
    it("and hangs up when no answer comes, or it stops coming", function()
      for _, listener in ipairs { "https", "http11" } do
        for _, behaviour in ipairs { "hang", "hang_after/3000" } do
          ask("ok", listener) -- opens the connection, which may take longer than is left to the other
          stand_in:reset()
          ask(behaviour, listener, { timeout = 0.3 * host.patience() })
          local list = stand_in:await(function(list)
            return #list == 1 and list[1].ended
          end)
          assert.is_true(list[1].aborted)
        end
      end
    end)

    it("when requests side by side wait for one connection that hangs", function()
      local port, silent = server.silent_port()
      local targets = {}
      for i = 1, 35 do
        targets[i] = "192.0.2." .. i
      end
      for name, kind in pairs { connect_timeout = "connection", timeout = "timeout" } do
        local start = uv.hrtime()
        local _, _, info = traceroute.create(stand_in.account, targets,
          { base_url = "https://127.0.0.1:" .. port, token = TOKEN, retries = 0, timeout = 8, [name] = 0.2 })
        for i = 1, 4 do
          assert.equal(kind, info[i].error.kind)
          assert.is_true(info[i].seconds < 8)
        end
        assert.is_true((uv.hrtime() - start) / 1e9 < 8)
      end
      silent.close()
    end)
  end)

  describe("through a proxy", function()
    local NAMES = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "no_proxy" }
    local plain, guarded

    setup(function()
      plain, guarded = stand_in:proxy(), stand_in:proxy { user = "alice", password = "wonderland" }
    end)

    teardown(function()
      plain:stop()
      guarded:stop()
    end)

    after_each(function()
      for _, name in ipairs(NAMES) do
        host.setenv(name, nil)
      end
    end)

    -- How many tunnels to the stand-in's port the proxy was asked for so far.
    local function tunnels(proxy, port)
      local _, count = proxy:log():gsub("CONNECT %w+:" .. (port or stand_in.ports.https), "")
      return count
    end

    it("asks the option's first, then the environment's, then none", function()
      is_whole(ask("ok", "https", { proxy = plain.url }))
      assert.equal(1, tunnels(plain))
      host.setenv("https_proxy", "http://127.0.0.1:" .. server.free_port())
      fails("connection", "connect", ask("ok", "http11"))
      is_whole(ask("ok", "http11", { proxy = plain.url }))
      is_whole(ask("ok", "http11", { proxy = "" }))
      assert.equal(1, tunnels(plain, stand_in.ports.http11))
      host.setenv("no_proxy", "elsewhere.example,localhost")
      is_whole(ask("ok", "http11"))
      host.setenv("no_proxy", nil)
      host.setenv("https_proxy", guarded.url:gsub("//", "//alice:wonderland@"))
      is_whole(ask("ok", "http11"))
      assert.equal(1, tunnels(guarded, stand_in.ports.http11))
    end)

    it("does not send its own credentials through the tunnel, nor the token to the proxy", function()
      is_whole(ask("ok", "https", { proxy = guarded.url:gsub("//", "//alice:wonderland@") }))
      local headers = stand_in:requests()[1].headers
      assert.is_nil(headers["proxy-authorization"])
      assert.equal("Bearer " .. TOKEN, headers.authorization)
      assert.is_nil(guarded:log():find(TOKEN, 1, true))
    end)

    it("says that it was refused, without trying again", function()
      local result, err = ask("ok", "https", { proxy = guarded.url, retries = 2 })
      fails("connection", "proxy refused with HTTP 407.*https_proxy", result, err)
      assert.equal(1, err.attempts)
      assert.same({}, stand_in:requests())
    end)

    it("keeps the proxy's password out of every message", function()
      -- An option that is no proxy's URL is refused; what the environment says is left to libcurl.
      for address, kind in pairs {
        ["http://127.0.0.1:" .. server.free_port()] = "connection", ["ftp://127.0.0.1:1"] = "invalid_request",
        ["http://127.0.0.1:99999"] = "invalid_request", ["http://x y:1"] = "invalid_request",
        ["http://[::1:1"] = "invalid_request", ["http://nowhere.invalid:1"] = "connection",
        [guarded.url] = "connection",
      } do
        local url = address:gsub("//", "//alice:rabbithole@")
        for _, by in ipairs { "option", "environment" } do
          host.setenv("https_proxy", by == "environment" and url or nil)
          local result, err, info = ask("ok", "https", { proxy = by == "option" and url or nil })
          assert.is_nil(result)
          assert.equal(by == "option" and kind or "connection", err.kind)
          assert.is_nil((tostring(err) .. cjson.encode(info)):find("rabbithole", 1, true), url)
        end
      end
      assert.same({}, stand_in:requests())
    end)

    it("never goes with plain http on loopback, whatever is asked for", function()
      local before = plain:log()
      for _, name in ipairs(NAMES) do
        host.setenv(name, name ~= "no_proxy" and plain.url or nil)
      end
      is_whole(ask("ok", "http"))
      is_whole(ask("ok", "http", { proxy = plain.url }))
      assert.equal(before, plain:log())
    end)
  end)
end)
