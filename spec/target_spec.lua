-- What can be traced and from where, as a script says it: which targets and colos are taken, what is said of
-- the others, and what is asked for once. The rules for a single text are unit tests too.

local cjson = require "cjson"
local server = require "spec.support.server"
local traceroute = require "traceroute"

local TOKEN = "target-spec-token"

describe("a call's", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  local function options(more)
    return stand_in:options(nil, { token = TOKEN, retries = 0, quota = 0, colos = { "den01" } }, more)
  end

  local function refused(targets, more)
    local result, err = traceroute.create(stand_in.account, targets, options(more))
    assert.is_nil(result)
    assert.equal("invalid_request", err.kind)
    assert.same({}, stand_in:requests())
    return err
  end

  -- The one request that these arguments make, with its body decoded.
  local function sent(targets, more)
    stand_in:reset()
    local result, err = traceroute.create(stand_in.account, targets, options(more))
    assert.is_nil(err and tostring(err))
    local list = stand_in:requests()
    assert.equal(1, #list)
    list[1].asked = cjson.decode(list[1].body)
    return list[1], result
  end

  describe("targets", function()
    it("that can be traced go out as they are spelled", function()
      local LABEL = ("a"):rep(63)
      local LONGEST = table.concat({ LABEL, LABEL, LABEL, ("b"):rep(61) }, ".")
      for _, target in ipairs {
        "1.1.1.1", "255.255.255.255", "0.0.0.0", "::1", "::", "2001:DB8:0:0:0:0:0:1", "::ffff:1.2.3.4", "Example.COM",
        "example.com.", "a", "1e100.net", "_dmarc.example", "xn--bcher-kva.example", "3com", "a-b.c--d", "0x.example",
        "example.0xyz", LABEL, LONGEST, LONGEST .. ".",
      } do
        assert.same({ target }, sent(target).asked.targets)
        assert.same({ target }, sent({ target }).asked.targets)
      end
    end)

    local HINT = '; did you mean "%s"?'
    local NETWORK = "a path or a network, not a host name or address"
    local NOT_IPV4 = "not an IPv4 address (four numbers from 0 to 255)"
    local CONTROL = "no host name: it holds a control character; strip white space and line ends"
    local LONG = "longer than a host name can be (253 bytes)"
    local OTHER = "not a host name or an IP address"
    for _, case in ipairs {
      { "https://example.com/x?y", "a URL, not a host name or address" .. HINT:format("example.com") },
      { "https://[2001:db8::1]:8443/", "a URL, not a host name or address" .. HINT:format("2001:db8::1") },
      { "https://", "a URL, not a host name or address" },
      { "example.com:443", "a host with a port" .. HINT:format("example.com") .. " (a port is the option port)" },
      { "1.1.1.1:53", "a host with a port" .. HINT:format("1.1.1.1") .. " (a port is the option port)" },
      { "[2001:db8::1]", "an address in brackets" .. HINT:format("2001:db8::1") },
      { "[2001:db8::1]:53", "an address in brackets" .. HINT:format("2001:db8::1") },
      { "192.0.2.0/24", NETWORK .. HINT:format("192.0.2.0") },
      { "2001:db8::/32", NETWORK .. HINT:format("2001:db8::") },
      { "256.1.1.1/8", NETWORK },
      { "example.com/", NETWORK .. HINT:format("example.com") },
      { "fe80::1%eth0", "an address with a zone, which means nothing elsewhere; leave out the %" },
      { "2001:db8::1::2", "not an IPv6 address" },
      { "1:2:3:4:5:6:7:8:9", "not an IPv6 address" },
      { "user@example.com", "a user name with a host" .. HINT:format("example.com") },
      { "a b", "more than one word; pass several targets as an array" },
      { " a", "no host name: strip the blanks around it" }, { "a ", "no host name: strip the blanks around it" },
      { " ", "no host name: strip the blanks around it" },
      { "1.1.1.1,1.0.0.1", "more than one word; pass several targets as an array" },
      { "*.example.com", "a wildcard, not a host name" },
      { "b\195\188cher.example", "not ASCII; write an internationalised name as xn--…" },
      { "256.1.1.1", NOT_IPV4 }, { "1.1.1", NOT_IPV4 }, { "1.1.1.1.1", NOT_IPV4 }, { "01.1.1.1", NOT_IPV4 },
      { "1.1.1.1.", NOT_IPV4 }, { "3232235777", NOT_IPV4 }, { "example.1", NOT_IPV4 }, { "0x7f000001", NOT_IPV4 },
      { "a.0X1F.", NOT_IPV4 },
      { "a\n", CONTROL }, { "a\0", CONTROL }, { "\0", CONTROL }, { "a\127", CONTROL }, { "\ta", CONTROL },
      { ("a."):rep(127) .. "a", LONG }, { ("a"):rep(100000), LONG },
      { ("a"):rep(64), OTHER }, { "-a", OTHER }, { "a-", OTHER }, { "a-.b", OTHER }, { ".", OTHER }, { ".a", OTHER },
      { "a..b", OTHER }, { "a!", OTHER },
    } do
      it(("refuse %q"):format(case[1]:sub(1, 40)), function()
        local err = refused(case[1])
        assert.equal("targets", err.path)
        assert.equal(" is " .. case[2], err.message:sub(-#case[2] - 4))
        assert.equal("targets[2]", refused({ "1.1.1.1", case[1], "" }).path)
      end)
    end

    it("show the refused text as one printable line", function()
      local err = refused("a\27[31m\nb")
      assert.equal('invalid_request: targets: "a?[31m b" is ' .. CONTROL, tostring(err))
      assert.equal('"" is empty', refused("").message)
    end)

    for name, case in pairs {
      ["nothing"] = { nil, "targets", "string or array of strings expected, got nil" },
      ["a number"] = { 1, "targets", "string or array of strings expected, got number" },
      ["a function"] = { print, "targets", "string or array of strings expected, got function" },
      ["an empty array"] = { {}, "targets", "at least one target expected, got none" },
      ["a number within"] = { { "a", "b", 7 }, "targets[3]", "string expected, got number" },
      ["a table within"] = { { { "a" } }, "targets[1]", "string expected, got table" },
      ["false within"] = { { "a", false }, "targets[2]", "string expected, got boolean" },
      ["null within"] = { { "a", cjson.null }, "targets[2]", "string expected, got userdata" },
    } do
      it("are refused when they are " .. name, function()
        local err = refused(case[1])
        assert.same({ case[2], case[3] }, { err.path, err.message })
      end)
    end

    it("are never dropped in silence: names and far places are refused", function()
      for _, targets in ipairs {
        { "a", target = "b" }, { target = "b" }, { [2] = "b" }, { "a", [9] = "b" }, { [0] = "z", "a" },
        { "a", nil, "c" },
      } do
        local err = refused(targets)
        assert.same({ "targets", "array of strings expected, got a table with other keys or gaps" },
          { err.path, err.message })
      end
    end)

    it("are asked for once, whatever their spelling", function()
      local request, result = sent {
        "b.example", "2001:db8::1", "A.example", "a.EXAMPLE.", "b.example", "2001:DB8:0::0:1", "a.example",
      }
      assert.same({ "b.example", "2001:db8::1", "A.example" }, request.asked.targets)
      assert.same({ "b.example", "2001:db8::1", "A.example" }, { result[1].target, result[2].target, result[3].target })
      assert.equal(3, #result)
    end)

    it("have a bound", function()
      local many = {}
      for i = 1, 100001 do
        many[i] = "a"
      end
      assert.equal("more than 100000 targets; make several calls", refused(many).message)
    end)
  end)

  describe("colos", function()
    it("that are empty or absent are left out of the body", function()
      assert.equal('{"targets":["1.1.1.1"],"options":{}}', sent("1.1.1.1", { colos = {} }).body)
      assert.equal('{"targets":["1.1.1.1"],"options":{}}', sent("1.1.1.1", { colos = server.NONE }).body)
      assert.same({ "ams01", "den01" }, sent("1.1.1.1", { colos = { "ams01", "den01" } }).asked.colos)
      local many = {}
      for i = 1, 1000 do
        many[i] = "c" .. i
      end
      assert.same(many, sent("1.1.1.1", { colos = many }).asked.colos)
    end)

    for _, name in ipairs { "", "den 01", 'den"', "d\0n", "den\n", "\195\164", ("d"):rep(65), "a/b" } do
      it(("refuse %q"):format(name), function()
        local err = refused("1.1.1.1", { colos = { "den01", name } })
        assert.same({ "colos[2]", "the name of a colo expected, such as den01 (1 to 64 letters, digits, - _ .)" },
          { err.path, err.message })
      end)
    end
  end)
end)
