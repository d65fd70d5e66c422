-- What is checked and made before anything is sent: account, credentials, and the exact bytes of the requests.
-- Targets and colos are target_spec.lua's, ranges and types of options schema_spec.lua's, which URLs are taken
-- url_spec.lua's.

local cjson = require "cjson"
local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"

local TOKEN = "request-spec-token"

describe("a request", function()
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
    return stand_in:options(nil, { token = TOKEN, retries = 0, quota = 0, colos = { "den01" } }, more)
  end

  local function refused(account, targets, opts, kind)
    local result, err, info = traceroute.create(account, targets, opts)
    assert.is_nil(result)
    assert.equal(kind or "invalid_request", err.kind)
    assert.same({ dropped = {} }, info)
    assert.is_nil(err.status)
    assert.is_nil(err.attempts)
    local job, same = traceroute.start(account, targets, opts)
    assert.is_nil(job)
    assert.same(err, same)
    assert.same({}, stand_in:requests())
    return err
  end

  -- The one request that these arguments make, with its body decoded.
  local function sent(targets, more, account)
    stand_in:reset()
    local result, err = traceroute.create(account or stand_in.account, targets, options(more))
    assert.is_nil(err and tostring(err))
    local list = stand_in:requests()
    assert.equal(1, #list)
    list[1].asked = cjson.decode(list[1].body)
    return list[1], result
  end

  describe("account", function()
    it("stands in the path", function()
      for _, account in ipairs { "a", "Z-_9", ("f"):rep(32) } do
        assert.equal("/client/v4/accounts/" .. account .. "/diagnostics/traceroute", sent("1.1.1.1", {}, account).uri)
      end
    end)

    it("comes from the environment when it is nil", function()
      host.setenv("CLOUDFLARE_ACCOUNT_ID", "fromtheenvironment")
      local result, err = traceroute.create(nil, "1.1.1.1", options())
      assert.is_nil(err)
      assert.equal(1, #result)
      assert.matches("/accounts/fromtheenvironment/", stand_in:requests()[1].uri, 1, true)
      assert.matches("/accounts/given/", sent("1.1.1.1", {}, "given").uri, 1, true)
    end)

    local BYTES = "letters, digits, - and _ expected; the account id, which stands in the dashboard's address, comes "
      .. "before the targets"
    for name, case in pairs {
      ["too long"] = { ("a"):rep(33), "1 to 32 characters expected" },
      ["empty"] = { "", "1 to 32 characters expected" },
      ["a path"] = { "a/../b", BYTES },
      ["a NUL"] = { "abc\0", BYTES },
      ["a line end"] = { "abc\n", BYTES },
      ["a query"] = { "abc?x", BYTES },
      ["not ASCII"] = { "\195\164", BYTES },
      ["a number"] = { 5, "string expected, got number" },
      ["a table"] = { {}, "string expected, got table" },
      ["false"] = { false, "string expected, got boolean" },
    } do
      it("is refused when it is " .. name, function()
        local err = refused(case[1], "1.1.1.1", options())
        assert.same({ "account", case[2] }, { err.path, err.message })
      end)
    end

    it("missing names the variable, and one from the environment is checked too", function()
      local err = refused(nil, "1.1.1.1", options())
      assert.same({ "account", "missing; pass it, or set CLOUDFLARE_ACCOUNT_ID" }, { err.path, err.message })
      host.setenv("CLOUDFLARE_ACCOUNT_ID", "")
      assert.matches("missing", refused(nil, "1.1.1.1", options()).message)
      host.setenv("CLOUDFLARE_ACCOUNT_ID", "a/b")
      err = refused(nil, "1.1.1.1", options())
      assert.same({ "CLOUDFLARE_ACCOUNT_ID", BYTES }, { err.path, err.message })
      host.setenv("CLOUDFLARE_BASE_URL", "ftp://api.example")
      err = refused(stand_in.account, "1.1.1.1", options { base_url = server.NONE })
      assert.same({ "CLOUDFLARE_BASE_URL", "must begin with https://" }, { err.path, err.message })
      host.setenv("CLOUDFLARE_ACCOUNT_ID", ("a"):rep(33))
      assert.equal("CLOUDFLARE_ACCOUNT_ID", refused(nil, "1.1.1.1", options()).path)
    end)
  end)

  describe("on the wire", function()
    it("is one POST with exactly these bytes", function()
      local request = sent({ "1.1.1.1", "example.com" }, {
        colos = { "den01" }, max_ttl = 5, packet_type = "gre+icmp", packets_per_ttl = 2, port = 65535, wait_time = 3,
      })
      assert.equal('{"targets":["1.1.1.1","example.com"],"colos":["den01"],"options":{"packet_type":"gre+icmp",'
        .. '"max_ttl":5,"packets_per_ttl":2,"port":65535,"wait_time":3}}', request.body)
      assert.equal("POST", request.method)
      assert.equal('{"targets":["1.1.1.1"],"colos":["den01"],"options":{"max_ttl":0,"port":0}}',
        sent("1.1.1.1", { max_ttl = 0, port = 0.0 }).body)
    end)

    it("carries these headers and no others", function()
      local request = sent("1.1.1.1")
      local headers = request.headers
      headers["accept-encoding"] = nil -- how bodies are compressed is exchange's
      assert.same({
        ["content-type"] = "application/json", accept = "application/json", authorization = "Bearer " .. TOKEN,
        ["user-agent"] = "cloudflare-traceroute/" .. traceroute.VERSION, host = "localhost:" .. stand_in.ports.https,
        ["content-length"] = tostring(#request.body),
      }, headers)
      assert.equal("mine/1 (x)", sent("1.1.1.1", { user_agent = "mine/1 (x)" }).headers["user-agent"])
    end)

    it("asks for no leave to send a long body, over HTTP/1.1 either", function()
      local many = {}
      for i = 1, 10 do
        many[i] = ("a"):rep(60) .. "." .. ("b"):rep(60) .. "." .. ("c"):rep(60) .. ".x" .. i
      end
      local request = sent(many, { base_url = stand_in:url("", "http11") })
      assert.is_true(#request.body > 1024)
      assert.equal("HTTP/1.1", request.protocol)
      assert.is_nil(request.headers.expect)
    end)

    it("splits after ten targets, and opts go with each part", function()
      local targets = {}
      for i = 1, 25 do
        targets[i] = ("t%d.example"):format(i)
      end
      local result, err, info = traceroute.create(stand_in.account, targets, options { max_ttl = 1, concurrency = 1 })
      assert.is_nil(err)
      assert.equal(25, #result)
      local next_target = 1
      for i, count in ipairs { 10, 10, 5 } do
        local asked = cjson.decode(stand_in:requests()[i].body)
        assert.equal(count, #asked.targets)
        assert.same({ colos = { "den01" }, options = { max_ttl = 1 }, targets = asked.targets }, asked)
        assert.same(asked.targets, info[i].targets)
        for _, target in ipairs(asked.targets) do
          assert.equal(targets[next_target], target)
          next_target = next_target + 1
        end
      end
      assert.equal(3, #info)
    end)
  end)

  describe("credentials", function()
    -- { what is set in the environment, opts, expected authorization, e-mail, key }
    for name, case in pairs {
      ["a token"] = { {}, { token = "t1" }, "Bearer t1" },
      ["a pair"] = { {}, { email = "m@x", key = "k1" }, nil, "m@x", "k1" },
      ["a token and a pair"] = { {}, { token = "t1", email = "m@x", key = "k1" }, "Bearer t1" },
      ["a token in the environment"] = { { API_TOKEN = "t2" }, {}, "Bearer t2" },
      ["a pair in the environment"] = { { EMAIL = "e@x", API_KEY = "k2" }, {}, nil, "e@x", "k2" },
      ["both in the environment"] = { { API_TOKEN = "t2", EMAIL = "e@x", API_KEY = "k2" }, {}, "Bearer t2" },
      ["a token and half a pair in the environment"] = { { API_TOKEN = "t2", EMAIL = "e@x" }, {}, "Bearer t2" },
      ["an empty token in the environment"] =
        { { API_TOKEN = "", EMAIL = "e@x", API_KEY = "k2" }, {}, nil, "e@x", "k2" },
      ["a pair over a token in the environment"] =
        { { API_TOKEN = "t2" }, { email = "m@x", key = "k1" }, nil, "m@x", "k1" },
      ["a pair that is half in the environment"] = { { API_KEY = "k2" }, { email = "m@x" }, nil, "m@x", "k2" },
      ["a token over all in the environment"] =
        { { API_TOKEN = "t2", EMAIL = "e@x", API_KEY = "k2" }, { token = "t1" }, "Bearer t1" },
    } do
      it("go out: " .. name, function()
        for variable, value in pairs(case[1]) do
          host.setenv("CLOUDFLARE_" .. variable, value)
        end
        case[2].token = case[2].token or server.NONE
        local headers = sent("1.1.1.1", case[2]).headers
        assert.same({ n = case[3], e = case[4], k = case[5] },
          { n = headers.authorization, e = headers["x-auth-email"], k = headers["x-auth-key"] })
      end)
    end

    local WITHOUT_KEY = "an email without a key; pass both, or a token"
    local WITHOUT_EMAIL = "a key without an email; pass both, or a token"
    for name, case in pairs {
      ["none"] = { {}, {}, "authentication", "token",
        "no credentials; pass token, or set CLOUDFLARE_API_TOKEN (permission Magic Transit Write)" },
      ["an email alone"] = { {}, { email = "m@x" }, "authentication", "key", WITHOUT_KEY },
      ["a key alone"] = { {}, { key = "k" }, "authentication", "email", WITHOUT_EMAIL },
      ["half a pair beside a token of the environment"] =
        { { API_TOKEN = "t" }, { email = "m@x" }, "authentication", "key", WITHOUT_KEY },
      ["an email alone in the environment"] = { { EMAIL = "m@x" }, {}, "authentication", "key", WITHOUT_KEY },
      ["a key alone in the environment"] = { { API_KEY = "k" }, {}, "authentication", "email", WITHOUT_EMAIL },
    } do
      it("are refused: " .. name, function()
        for variable, value in pairs(case[1]) do
          host.setenv("CLOUDFLARE_" .. variable, value)
        end
        case[2].token = server.NONE
        local err = refused(stand_in.account, "1.1.1.1", options(case[2]), case[3])
        assert.same({ case[4], case[5] }, { err.path, err.message })
      end)
    end

    it("from the environment with a line end are refused by the variable's name, and not shown", function()
      local WHY = "holds a control character; strip line ends"
      for name, set in pairs {
        CLOUDFLARE_API_TOKEN = { CLOUDFLARE_API_TOKEN = "s3cret\n" },
        CLOUDFLARE_EMAIL = { CLOUDFLARE_EMAIL = "s3cret\r\nX-Evil: 1", CLOUDFLARE_API_KEY = "s3cret" },
        CLOUDFLARE_API_KEY = { CLOUDFLARE_EMAIL = "a@b", CLOUDFLARE_API_KEY = "s3cret\n" },
      } do
        host.clean_environment()
        for variable, value in pairs(set) do
          host.setenv(variable, value)
        end
        local err = refused(stand_in.account, "1.1.1.1", options { token = server.NONE })
        assert.same({ name, WHY }, { err.path, err.message })
      end
    end)
  end)

  describe("the caller's tables", function()
    local function trap()
      local function raise() error("a metamethod was called") end
      return {
        __index = raise, __newindex = raise, __len = raise, __pairs = raise, __ipairs = raise, __tostring = raise,
      }
    end

    it("are read raw", function()
      local opts = options { max_ttl = 3 }
      setmetatable(opts, trap())
      setmetatable(opts.colos, trap())
      local targets = setmetatable({ "1.1.1.1" }, trap())
      local result, err = traceroute.create(stand_in.account, targets, opts)
      assert.is_nil(err)
      assert.equal(1, #result)
      assert.equal('{"targets":["1.1.1.1"],"colos":["den01"],"options":{"max_ttl":3}}', stand_in:requests()[1].body)
      stand_in:reset()
      assert.equal("targets", refused(stand_in.account, setmetatable({}, trap()), opts).path)
    end)

    it("are not changed", function()
      local opts, targets = options { max_ttl = 3 }, { "B.example.", "b.example", "1.1.1.1" }
      local before = cjson.decode(cjson.encode { opts, targets })
      assert.is_nil(select(2, traceroute.create(stand_in.account, targets, opts)))
      assert.same(before, { opts, targets })
      assert.is_nil(getmetatable(opts))
    end)
  end)
end)
