-- What a caller appends to an account, a target, a credential or a URL adds no header, path, request or member to what
-- goes over the wire: it is refused before, or stands there as a part of its value.

local cjson = require "cjson"
local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"

local ACCOUNT = "a1"

describe("what goes over the wire holds no injected line, header, path or member:", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    host.clean_environment()
    stand_in:reset()
  end)

  teardown(host.clean_environment)

  local TAILS = {
    "\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\0X-Evil: 1", "\r\n\r\nPOST /evil HTTP/1.1\r\n\r\n",
    "%0d%0aX-Evil:%201", "/../../evil", "/..%2fevil", "?evil=1", "#evil", ";evil", " HTTP/1.1\r\nX-Evil: 1",
    ' evil', '"],"evil":["', '\\"', "\127", "\133", "\226\128\168X-Evil: 1", "\255", "@evil.example", ":evil", "\\evil",
    ",evil", "\tevil", "[evil]", "\195\164",
  }
  local HEADERS = {
    ["content-type"] = true, accept = true, ["user-agent"] = true, host = true, ["content-length"] = true,
    ["accept-encoding"] = true, authorization = true, ["x-auth-email"] = true, ["x-auth-key"] = true,
  }

  -- { what is asked } -> each tail is appended by it: arguments of create
  local PLACES = {
    account = function(tail) return ACCOUNT .. tail, "a.example", {} end,
    target = function(tail) return ACCOUNT, { "a.example" .. tail }, {} end,
    ["first target"] = function(tail) return ACCOUNT, tail, {} end,
    colo = function(tail) return ACCOUNT, "a.example", { colos = { "den01" .. tail } } end,
    token = function(tail) return ACCOUNT, "a.example", { token = "t" .. tail } end,
    email = function(tail) return ACCOUNT, "a.example", { token = false, email = "a@b" .. tail, key = "k" } end,
    key = function(tail) return ACCOUNT, "a.example", { token = false, email = "a@b", key = "k" .. tail } end,
    user_agent = function(tail) return ACCOUNT, "a.example", { user_agent = "u" .. tail } end,
    base_url = function(tail, base) return ACCOUNT, "a.example", { base_url = base .. tail } end,
    proxy = function(tail, _, dead) return ACCOUNT, "a.example", { proxy = dead .. tail } end,
  }
  local VARIABLES = {
    account = "ACCOUNT_ID", token = "API_TOKEN", email = "EMAIL", key = "API_KEY", base_url = "BASE_URL",
  }

  local function check(request, account, targets, opts)
    assert.equal("POST", request.method)
    assert.is_nil(request.headers["x-evil"])
    for name, value in pairs(request.headers) do
      assert.is_true(HEADERS[name] or false, name)
      assert.equal("string", type(value), name) -- no header comes twice
    end
    if not opts.base_url then
      assert.equal(("/ok/client/v4/accounts/%s/diagnostics/traceroute"):format(account), request.uri)
      assert.same({
        targets = type(targets) == "table" and targets or { targets }, colos = opts.colos or { "den01" }, options = {},
      }, cjson.decode(request.body))
    else
      assert.is_nil(request.uri:find("[%z%c ]"))
      assert.equal(1, (select(2, request.uri:gsub("/diagnostics/traceroute", ""))))
      assert.matches("^/ok/", request.uri)
    end
    assert.equal(opts.user_agent or "cloudflare-traceroute/" .. traceroute.VERSION, request.headers["user-agent"])
    if opts.token ~= false then
      assert.equal("Bearer " .. (opts.token or "t"), request.headers.authorization)
    else
      assert.same({ opts.email, opts.key }, { request.headers["x-auth-email"], request.headers["x-auth-key"] })
    end
  end

  for place, make in pairs(PLACES) do
    for _, by in ipairs(VARIABLES[place] and { "argument", "environment" } or { "argument" }) do
      it(place .. " as " .. by, function()
        local dead = "http://127.0.0.1:" .. server.free_port()
        for _, listener in ipairs { "http11", "https" } do
          local base = stand_in:url("ok", listener)
          for _, tail in ipairs(TAILS) do
            stand_in:reset()
            local account, targets, more = make(tail, base, dead)
            local opts = { base_url = base, ca_file = stand_in.ca_file, token = "t", retries = 0, quota = 0,
              colos = { "den01" }, timeout = 20 }
            for name, value in pairs(more) do
              opts[name] = value or nil
            end
            local asked = account
            if by == "environment" and not tail:find("%z") then
              host.clean_environment()
              host.setenv("CLOUDFLARE_" .. VARIABLES[place], place == "account" and account or opts[place])
              if place == "account" then
                asked = nil
              else
                opts[place] = nil
              end
            end
            if place ~= "proxy" or tail:sub(1, 1) ~= "/" then
              local _, err = traceroute.create(asked, targets, opts)
              local list = stand_in:requests()
              assert.is_true(#list <= 1)
              if err and err.kind == "invalid_request" and not err.status then
                assert.same({}, list)
              elseif place == "proxy" then
                assert.equal("connection", err.kind)
                assert.same({}, list)
              else
                assert.equal(1, #list, place .. tail)
                check(list[1], account, targets, more)
              end
            end
          end
        end
      end)
    end
  end
end)
