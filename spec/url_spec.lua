-- Where a call may go: which base URLs and proxies are taken, and that what is refused is refused before anything
-- is sent. What goes over the wire once they are taken is exchange_spec.lua's.

local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"

describe("a URL", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    host.clean_environment()
    stand_in:reset()
  end)

  teardown(host.clean_environment)

  local function options(more)
    return stand_in:options(nil, { token = "url-spec-token", retries = 0 }, more)
  end

  local function refused(opts)
    local result, err = traceroute.create(stand_in.account, "1.1.1.1", opts)
    assert.is_nil(result)
    assert.equal("invalid_request", err.kind)
    assert.same({}, stand_in:requests())
    return err
  end

  local function sent(more)
    stand_in:reset()
    local _, err = traceroute.create("x", "1.1.1.1", options(more))
    assert.is_nil(err and tostring(err))
    assert.equal(1, #stand_in:requests())
    return stand_in:requests()[1]
  end

  describe("of the service", function()
    it("takes trailing slashes, loopback over plain http, and the environment's", function()
      assert.equal("/ok/client/v4/accounts/x/diagnostics/traceroute",
        sent({ base_url = stand_in:url("ok") .. "///" }).uri)
      for _, name in ipairs { "localhost", "127.0.0.1", host.has_ipv6() and "[::1]" or nil } do
        assert.equal("http", sent({ base_url = stand_in:url("", "http", name) }).listener)
      end
      host.setenv("CLOUDFLARE_BASE_URL", stand_in:url("reversed"))
      assert.matches("^/reversed/", sent({ base_url = server.NONE }).uri)
      assert.matches("^/ok/", sent({ base_url = stand_in:url("ok") }).uri)
    end)

    it("is taken over plain http to elsewhere when insecure is said", function()
      -- through a proxy on loopback, so that nothing leaves it
      local proxy = stand_in:proxy()
      local base_url = stand_in:url("", "http", "127.0.0.1")
      assert.equal("http", sent({ base_url = base_url, insecure = true, proxy = proxy.url }).listener)
      assert.matches("127.0.0.1:" .. stand_in.ports.http, proxy:log(), 1, true)
      local opts = options { base_url = "http://192.0.2.1:1/", insecure = true, proxy = proxy.url }
      assert(traceroute.start(stand_in.account, "1.1.1.1", opts)):cancel()
    end)

    local PLAIN = "plain http would show the credentials to the network; use https, or say insecure = true"
    local GARBAGE = "not a URL; it looks like https://api.cloudflare.com/client/v4"
    local USER = "must not hold a user name; pass token, or email and key"
    local QUERY = "must not hold a query or a fragment"
    for url, why in pairs {
      ["http://api.cloudflare.com/client/v4"] = PLAIN, ["HTTP://api.cloudflare.com"] = PLAIN,
      ["http://localhost.example.com"] = PLAIN, ["http://127.0.0.1.example.com"] = PLAIN,
      ["http://localhost.:1"] = PLAIN, ["http://127.0.0.1%2eexample.com"] = PLAIN,
      ["http://[::ffff:127.0.0.1]"] = PLAIN,
      ["http://128.0.0.1"] = PLAIN, ["http://[::2]"] = PLAIN, ["http://0.0.0.0"] = PLAIN,
      ["https://user@api.cloudflare.com/"] = USER, ["https://user:word@api.cloudflare.com/"] = USER,
      ["http://127.0.0.1@evil.example/"] = USER, ["http://127.0.0.1%40evil.example/"] = GARBAGE,
      ["https://api.cloudflare.com/@"] = USER, ["http://127.0.0.1\\@evil.example/"] = USER,
      ["https://api.cloudflare.com/client/v4?x=1"] = QUERY, ["https://api.cloudflare.com/#x"] = QUERY,
      ["https://api.cloudflare.com/?"] = QUERY,
      ["ftp://api.cloudflare.com/"] = "must begin with https://", ["file:///etc/passwd"] = "must begin with https://",
      ["garbage"] = GARBAGE, ["https://"] = GARBAGE, ["https://a b/"] = GARBAGE, ["//api.cloudflare.com"] = GARBAGE,
      ["api.cloudflare.com/client/v4"] = GARBAGE, ["https://localhost:99999/"] = GARBAGE, ["https://[::1/"] = GARBAGE,
    } do
      it("refuses " .. url, function()
        local err = refused(options { base_url = url })
        assert.same({ "base_url", why }, { err.path, err.message })
        host.setenv("CLOUDFLARE_BASE_URL", url)
        assert.equal(why, refused(options { base_url = server.NONE }).message)
      end)
    end
  end)

  describe("of a proxy", function()
    local WHY = 'not a proxy\'s URL; it looks like http://proxy.example:3128, or "" for none'
    for _, url in ipairs { "ftp://127.0.0.1:1", "http://", "http://a b", "http://127.0.0.1:99999", "gopher://x" } do
      it("refuses " .. url, function()
        local err = refused(options { proxy = url })
        assert.same({ "proxy", WHY }, { err.path, err.message })
      end)
    end

    for _, url in ipairs {
      "", "127.0.0.1:3128", "http://u:p@127.0.0.1:1", "https://127.0.0.1:1", "socks5h://127.0.0.1:1",
    } do
      it(("takes %q"):format(url), function()
        assert(traceroute.start(stand_in.account, "1.1.1.1", options { proxy = url })):cancel()
      end)
    end
  end)
end)
