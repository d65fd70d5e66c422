-- Failures as values: the kind that each answer stands for, the words a person reads, what the service
-- said, and that a credential shows in none of it.

local cjson = require "cjson"
local json = require "spec.support.json"
local server = require "spec.support.server"
local traceroute = require "traceroute"

local TOKEN = "T0k3n-of-the-error-spec"

describe("an error", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  local function create(behaviour, more)
    local result, err, info = traceroute.create(stand_in.account, "1.1.1.1",
      stand_in:options(behaviour, { token = TOKEN, retries = 0, quota = 0 }, more))
    return err, result, info
  end

  local RAY = "8f%x+%-DEN"

  describe("has the kind of its status:", function()
    local CREDENTIALS = "check the token, or email and key"
    local PERMISSION = "the token needs the permission Magic Transit Write for this account"
    local LIMIT = "wait five minutes, for which a breach of the limit blocks"
    local LATER = "try again later; support asks for the ray"
    for status, case in pairs {
      [400] = { "invalid_request", "change the request" }, [401] = { "authentication", CREDENTIALS },
      [402] = { "api", "support asks for the ray" }, [403] = { "permission", PERMISSION },
      [404] = { "not_found", "check the account id and base_url" }, [405] = { "invalid_request", "change the request" },
      [408] = { "timeout", "support asks for the ray" }, [409] = { "invalid_request", "change the request" },
      [410] = { "api", "support asks for the ray" }, [413] = { "invalid_request", "change the request" },
      [415] = { "invalid_request", "change the request" }, [418] = { "api", "support asks for the ray" },
      [422] = { "invalid_request", "change the request" }, [429] = { "rate_limit", LIMIT },
      [500] = { "server", LATER }, [501] = { "server", LATER }, [502] = { "server", LATER },
      [503] = { "server", LATER }, [504] = { "server", LATER },
      [520] = { "server", LATER }, [530] = { "server", LATER },
    } do
      it(status .. " is " .. case[1], function()
        local err, result, info = create("status/" .. status)
        assert.is_nil(result)
        assert.equal(case[1], err.kind)
        assert.equal(("HTTP %d, code %d: the service said %d; %s"):format(status, 1000 + status, status, case[2]),
          err.message)
        assert.same({ status, 1000 + status, 1 }, { err.status, err.code, err.attempts })
        assert.same({ { code = 1000 + status, message = "the service said " .. status } }, err.errors)
        assert.same({ "1.1.1.1" }, err.targets)
        assert.is_nil(err.path)
        assert.matches("^" .. RAY .. "$", err.ray)
        assert.equal(err, info[1].error)
        assert.equal(status, info[1].status)
      end)
    end
  end)

  it("carries all that the service said, and begins with the first of it", function()
    local err, _, info = create("api_errors")
    assert.same({ "invalid_request", 1004 }, { err.kind, err.code })
    assert.same({
      { code = 1004, message = "max_ttl is not valid", source = { pointer = "/options/max_ttl" } },
      { code = 1005, message = "Colo is not a valid colo", documentation_url = "https://example.invalid/1005" },
    }, err.errors)
    assert.equal("HTTP 400, code 1004: max_ttl is not valid; change the request", err.message)
    assert.same({ { code = 2000, message = "see the reference" } }, info[1].messages)
  end)

  it("knows the service's own refusals", function()
    for token, kind in pairs { forbidden = "permission", expired = "authentication" } do
      local err = create("ok", { token = token })
      assert.same({ kind, 10000 }, { err.kind, err.code })
      assert.matches("^HTTP 40[13], code 10000: Authentication error", err.message)
    end
  end)

  describe("as a string", function()
    it("is one line: kind, path, message, ray", function()
      local err = create("status/503")
      assert.equal("server: HTTP 503, code 1503: the service said 503; try again later; support asks for the ray (ray "
        .. err.ray .. ")", tostring(err))
      err = create("wrong/result.1.colos/string")
      assert.equal("invalid_response: result[1].colos: array expected, got string (ray " .. err.ray .. ")",
        tostring(err))
      err = create("ok", { max_ttl = 65 })
      assert.equal("invalid_request: max_ttl: integer from 0 to 64 hops expected, got 65", tostring(err))
    end)

    it("stands whatever a script makes of the fields", function()
      local err = create("status/503")
      for name in pairs(err) do
        err[name] = nil
      end
      assert.equal("", tostring(err))
      err.kind, err.message, err.path, err.ray = {}, 5, true, print
      assert.equal(": 5", tostring(err))
    end)

    it("has no line end and no control character, whatever the service says", function()
      for message, shown in pairs {
        ["a\nb\r\n\tc"] = "a b   c", ["\27[2Jx\0y"] = "?[2Jx", ["\226\128\174evil"] = "?evil",
        ["caf\195\169"] = "caf\195\169",
      } do
        local body = json.encode { success = false, errors = json.array { { code = 1, message = message } } }
        local err = create(stand_in:raw("words", body, nil, 400))
        assert.equal("HTTP 400, code 1: " .. shown .. "; change the request", err.message)
        assert.equal(message, err.errors[1].message)
      end
    end)

    it("has a bound, and ends between two characters", function()
      local words = ("\195\169"):rep(10000)
      local body = json.encode { success = false, errors = json.array { { code = 1, message = words } } }
      local err = create(stand_in:raw("long", body, nil, 400))
      assert.is_true(#err.message < 512)
      assert.is_nil(err.message:find("\195%f[^\128-\191]"))
      assert.matches("; change the request$", err.message)
      assert.equal(20000, #err.errors[1].message)
    end)
  end)

  describe("of an answer that is not the service's", function()
    it("shows a part of a long page only", function()
      local err = create(stand_in:raw("page", "<p>" .. ("word "):rep(100000) .. "</p>", "text/html", 500))
      assert.equal("server", err.kind)
      assert.is_true(#err.message < 300)
    end)

    it("whose errors are of wrong types does without them", function()
      for _, errors in ipairs { '"no"', "[7]", '[{"code":"x","message":5}]', "{}", "null", '{"a":1}' } do
        for _, mode in ipairs { "strict", "lenient", "none" } do
          local err = create(stand_in:raw("errors", '{"success":false,"errors":' .. errors .. "}", nil, 403),
            { validate = mode ~= "none" and mode })
          assert.same({ "permission", 403 }, { err.kind, err.status })
          assert.matches("^HTTP 403", err.message)
          assert.is_string(tostring(err))
        end
      end
    end)
  end)

  describe("of the rate limit", function()
    it("says how long to wait", function()
      for code, url in pairs { [10100] = "ratelimited/7", [971] = "ratelimited/7/971" } do
        -- a token of its own: the block holds for whoever shares it
        local err = create(url, { token = "limited-" .. code })
        assert.same({ "rate_limit", 429, code, 7 }, { err.kind, err.status, err.code, err.retry_after })
        assert.matches("; wait 7 s %(retry_after%)$", err.message)
      end
    end)

    it("gives no wait that the service did not name", function()
      assert.is_nil(create("status/429", { token = "limited-without-a-wait" }).retry_after)
    end)
  end)

  describe("and the ray", function()
    it("is the service's, cut and printable", function()
      assert.is_nil(create("ray/-", { base_url = stand_in:url("ray/-"), max_response_bytes = 10 }).ray)
      local err = create("ray/" .. ("r"):rep(500), { max_response_bytes = 10 })
      assert.is_true(#err.ray > 0 and #err.ray < 64)
      assert.equal("abc", create("ray/abc", { max_response_bytes = 10 }).ray)
    end)

    it("is in every error about an answer", function()
      for _, behaviour in ipairs {
        "html/502", "status/401", "api_error", "garbage/text", "wrong/result.1.target/number",
        "wrong/result.1.colos.1.hops/number", "missing_target/1.1.1.1", "garbage/colo_text",
      } do
        local err = create(behaviour)
        assert.matches("^" .. RAY .. "$", tostring(err.ray), nil, nil, behaviour)
        assert.equal(1, err.attempts)
        assert.is_number(err.status)
      end
    end)
  end)

  describe("never shows a credential", function()
    local function everything(err, info)
      local parts = { tostring(err) }
      local function walk(value)
        if type(value) == "table" then
          for key, item in pairs(value) do
            parts[#parts + 1] = tostring(key)
            walk(item)
          end
        else
          parts[#parts + 1] = tostring(value)
        end
      end
      walk(err)
      walk(info)
      return table.concat(parts, "\n")
    end

    local function check(url, more, secret)
      local err, _, info = create(url, more)
      local text = everything(err, info)
      assert.is_nil(text:find(secret or TOKEN, 1, true))
      return err, info, text
    end

    local function envelope(message)
      return json.encode {
        success = false, errors = json.array {
          {
            code = 1, message = message, documentation_url = message, source = { pointer = message },
            more = json.array { message },
          },
        }, messages = json.array { { code = 2, message = message, deep = { a = message } } },
      }
    end

    it("that the service echoes in its errors and messages", function()
      local err, info = check(stand_in:raw("echo", envelope("bad token " .. TOKEN .. "!" .. TOKEN), nil, 401))
      local STARS = ("*"):rep(#TOKEN)
      assert.equal("bad token " .. STARS .. "!" .. STARS, err.errors[1].message)
      assert.equal("bad token " .. STARS .. "!" .. STARS, info[1].messages[1].deep.a)
      check("echo_headers", {}) -- a call that goes well, whose messages are in info
      local _, _, told = create("echo_headers")
      assert.matches("authorization: Bearer " .. ("%*"):rep(#TOKEN), cjson.encode(told[1].messages))
    end)

    it("that is a key", function()
      local PAIR = { token = server.NONE, email = "mail@example.com", key = "K3y-of-the-error-spec" }
      check("echo_headers", PAIR, PAIR.key)
      check(stand_in:raw("echo", envelope("bad key " .. PAIR.key), nil, 401), PAIR, PAIR.key)
    end)

    it("that the service echoes behind a zero byte", function()
      check(stand_in:raw("echo", envelope("x\0" .. TOKEN), nil, 401))
    end)

    it("that the service echoes as a name", function()
      check(stand_in:raw("echo", '{"success":false,"errors":[{"code":1,"' .. TOKEN .. '":1}]}', nil, 401))
    end)

    it("that a page echoes, wherever the page is cut", function()
      for _, status in ipairs { 200, 502 } do
        check(stand_in:raw("echo", "<p>" .. TOKEN .. "</p>", "text/html", status))
        for before = 60, 300 do
          local _, _, text = check(stand_in:raw("echo", ("x"):rep(before) .. TOKEN .. " and more", "text/html", status))
          assert.is_nil(text:find("xT0k3n", 1, true), "after " .. before .. " bytes")
        end
      end
    end)

    it("that long words of the service echo, wherever they are cut", function()
      for before = 200, 260 do
        local _, _, text = check(stand_in:raw("echo", envelope(("x"):rep(before) .. TOKEN), nil, 401))
        assert.is_nil(text:find("xT0k3n", 1, true), "after " .. before .. " bytes")
      end
    end)

    it("that a ray echoes", function()
      check("ray/" .. TOKEN, { max_response_bytes = 10 })
    end)

    it("that stands in the redirect's address", function()
      check((stand_in:url("redirect/302"):gsub("/client", "/" .. TOKEN .. "/client")))
    end)

    it("that is wrong itself", function()
      check("ok", { token = TOKEN .. "\n" })
      check("ok", { token = TOKEN .. ("x"):rep(5000) })
      check("ok", { [TOKEN] = 1, token = TOKEN, max_ttl = 99 }, "never")
    end)
  end)
end)
