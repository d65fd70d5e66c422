local core = require "traceroute.core"
local traceroute = require "traceroute"
local wording = require "traceroute.cli.wording"

local function failure(fields)
  return setmetatable(fields, core.error_metatable)
end

local function said(fields, asked)
  return table.concat(wording.failure(failure(fields), asked), "\n")
end

describe("what is said of a failed call", function()
  it("names the options of the command line", function()
    assert.equal("connection: the CA file cannot be used: /x/ca_file: no such file; check --ca-file",
      said { kind = "connection", message = "the CA file cannot be used: /x/ca_file: no such file; check ca_file" })
    assert.equal("timeout: no answer within 60 s; raise --timeout, or lower --max-ttl, --packets or --wait",
      said { kind = "timeout", message = "no answer within 60 s; raise timeout, or lower max_ttl, packets_per_ttl or "
        .. "wait_time" })
    assert.equal("invalid_request: --type: no such type", said { kind = "invalid_request", path = "packet_type",
      message = "no such type" })
    assert.equal("invalid_request: targets[2]: is a URL", said { kind = "invalid_request", path = "targets[2]",
      message = "is a URL" })
    assert.equal("rate_limit: HTTP 429: wait 900 s", said { kind = "rate_limit", errors = { {} },
      message = "HTTP 429: wait 900 s (retry_after)" })
    local _, err = traceroute.start("a b", "a", { token = "t" })
    assert.equal("invalid_request: --account: letters, digits, - and _ expected; the account id stands in the "
      .. "dashboard's address", wording.failure(err)[1])
    _, err = traceroute.start("abc", "a", { token = "a\nb" })
    assert.matches("^invalid_request: CLOUDFLARE_API_TOKEN: ", wording.failure(err)[1])
  end)

  it("leaves the service's own words alone, and shows all its errors", function()
    assert.equal("invalid_request: HTTP 400, code 1004: max_ttl is wrong; change the request\n"
      .. "error 1004: max_ttl is wrong (/options/max_ttl)\nerror 1005: no such colo",
      said { kind = "invalid_request", status = 400, errors = {
        { code = 1004, message = "max_ttl is wrong", source = { pointer = "/options/max_ttl" } },
        { code = 1005, message = "no such colo" } },
        message = "HTTP 400, code 1004: max_ttl is wrong; change the request" })
    assert.equal("api: no", said { kind = "api", message = "no", errors = { { code = 1, message = "no" } } })
    local many = {}
    for i = 1, 25 do
      many[i] = { code = i }
    end
    assert.matches("\nerror 20: no message\nand 5 more errors$", said { kind = "api", message = "x", errors = many })
  end)

  it("names options as they are written here, also in the words about a connection", function()
    assert.equal("connection: no; check --base-url, --proxy and the network", said { kind = "connection",
      message = "no; check base_url, proxy and the network" })
  end)

  it("names the targets that lack something, unless it is all", function()
    assert.equal("timeout: late\nnot all arrived of 1 of 2 targets: b?", said({ kind = "timeout", message = "late",
      targets = { "b\27" } }, { "a", "b\27" }))
    assert.equal("timeout: late", said({ kind = "timeout", message = "late", targets = { "a", "b" } }, { "a", "b" }))
    local targets, asked = {}, { "whole" }
    for i = 1, 12 do
      targets[i], asked[i + 1] = "h" .. i, "h" .. i
    end
    assert.matches(": h1, .-, h10 and 2 more$", said({ kind = "server", message = "x", targets = targets }, asked))
  end)

  it("is bounded and clean", function()
    assert.equal("the module does not load", wording.failure("the module does not load")[1])
    assert.is_true(#wording.line(("x"):rep(10000)) < 600)
    assert.equal("a?b", wording.line "a\nb")
  end)
end)

describe("the service's messages", function()
  it("are told once each", function()
    local list = { { code = 4, message = "refused" }, { message = "see the reference" }, "?" }
    assert.same({ "message 4: refused", "message see the reference", "message no message" },
      wording.messages { { messages = list }, {}, { messages = list } })
    local many = {}
    for i = 1, 30 do
      many[i] = { code = i, message = "m" }
    end
    assert.equal("and 10 more messages", wording.messages { { messages = many } }[21])
  end)
end)
