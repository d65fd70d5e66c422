-- What a call would send is told without sending it: the same URL and bodies as a call's, the same refusals, and
-- no credential.

local cjson = require "cjson"
local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"

describe("a plan", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    host.clean_environment()
    stand_in:reset()
  end)

  teardown(host.clean_environment)

  it("is what a call then sends", function()
    local targets = {}
    for i = 1, 21 do
      targets[i] = "host" .. i .. ".example"
    end
    targets[22] = "HOST1.example"
    local opts = stand_in:options("ok", {
      token = "plan-token", concurrency = 1, colos = { "den01" }, packet_type = "udp", packets_per_ttl = 1,
      port = 33434, user_agent = "plan/1",
    })
    local plan = assert(traceroute.plan(stand_in.account, targets, opts))
    assert.same({}, stand_in:requests())
    assert.truthy(traceroute.create(stand_in.account, targets, opts))
    local sent = stand_in:requests()
    assert.equal(3, #sent)
    assert.equal(3, plan.requests)
    assert.equal(3, #plan.bodies)
    for i, request in ipairs(sent) do
      assert.equal(plan.method, request.method)
      assert.equal(request.body, plan.bodies[i])
      assert.equal(plan.url, ("https://localhost:%d%s"):format(stand_in.ports.https, request.uri))
      for _, line in ipairs(plan.headers) do
        local name, value = line:match("^([%w-]+): (.+)$")
        local received = request.headers[name:lower()]
        assert.truthy(received, name)
        assert.is_true(value == "***" or value == received, line)
      end
    end
    assert.equal(10, #cjson.decode(plan.bodies[1]).targets)
  end)

  it("needs no credentials and shows none", function()
    local plan = assert(traceroute.plan("abc", "www.example.com", { timeout = 7 }))
    assert.same({
      method = "POST", url = "https://api.cloudflare.com/client/v4/accounts/abc/diagnostics/traceroute",
      headers = { "Content-Type: application/json", "Accept: application/json",
        "User-Agent: cloudflare-traceroute/" .. traceroute.VERSION },
      bodies = { '{"targets":["www.example.com"],"options":{}}' }, requests = 1, timeout = 7,
    }, plan)
    plan = assert(traceroute.plan("abc", "www.example.com", { email = "who@example.com", key = "plan-key" }))
    assert.same({ "Content-Type: application/json", "Accept: application/json", "X-Auth-Email: ***", "X-Auth-Key: ***",
      "User-Agent: cloudflare-traceroute/" .. traceroute.VERSION }, plan.headers)
    plan = assert(traceroute.plan("abc", "www.example.com", { token = "plan-token" }))
    assert.equal("Authorization: ***", plan.headers[3])
  end)

  it("is refused as a call is", function()
    host.setenv("CLOUDFLARE_API_TOKEN", "plan-token")
    for _, case in ipairs {
      { nil, "a.example" },
      { "a/b", "a.example" },
      { "abc", {} },
      { "abc", { "a.example", "b example" } },
      { "abc", "a.example", { max_tll = 1 } },
      { "abc", "a.example", { colos = { "den 01" } } },
      { "abc", "a.example", { base_url = "http://example.com/" } },
      { "abc", "a.example", { proxy = "gopher://x" } },
      { "abc", "a.example", { email = "who@example.com" } },
      { "abc", "a.example", { token = "a\nb" } },
      { "abc", "a.example", { colos = { "den 01" }, token = "a token" } },
    } do
      local plan, err = traceroute.plan(case[1], case[2], case[3])
      local job, same = traceroute.start(case[1], case[2], case[3])
      assert.is_nil(plan)
      assert.is_nil(job)
      assert.same(same, err)
    end
  end)
end)
