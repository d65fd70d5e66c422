-- What comes back: its shape, its order, what belongs to which target, what is kept of an answer that
-- arrived in part, and what info tells. Single fields are schema_spec.lua's, refusals error_spec.lua's.

local cjson = require "cjson"
local host = require "spec.support.host"
local json = require "spec.support.json"
local server = require "spec.support.server"
local traces = require "spec.support.traces"
local traceroute = require "traceroute"

describe("a response", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  local function create(behaviour, targets, more)
    return traceroute.create(stand_in.account, targets,
      stand_in:options(behaviour, { token = "response-spec-token", retries = 0, quota = 0 }, more))
  end

  local function plain(value)
    return cjson.decode(json.encode(value))
  end

  -- The base URL of an answer with this result.
  local function answering(result, members)
    local envelope = { success = true, errors = json.array {}, messages = json.array {}, result = result }
    for name, value in pairs(members or {}) do
      envelope[name] = value
    end
    return stand_in:raw("response", json.encode(envelope))
  end

  local function names(result)
    local list = {}
    for i, entry in ipairs(result or {}) do
      list[i] = entry.target or "(none)"
    end
    return list
  end

  -- t1.example … tn.example
  local function many(n)
    local list = {}
    for i = 1, n do
      list[i] = ("t%d.example"):format(i)
    end
    return list
  end

  it("is what the service sent, as plain tables", function()
    local targets = { "1.1.1.1", "example.com", "2001:db8::7", "error-3.example" }
    local result, err = create("ok", targets, { max_ttl = 6, packets_per_ttl = 4 })
    assert.is_nil(err)
    local expected = plain(traces.result { targets = targets, options = { max_ttl = 6, packets_per_ttl = 4 } })
    assert.same(expected, cjson.decode(cjson.encode(result)))
    assert.equal("Could not gather traceroute data: Code 3", result[4].colos[1].error)
    assert.same({}, result[4].colos[1].hops)
    for _, entry in ipairs(result) do
      assert.is_nil(getmetatable(entry))
      assert.is_nil(getmetatable(entry.colos))
      assert.is_nil(getmetatable(entry.colos[1]))
    end
  end)

  it("gives the published example back, whose errors are not empty although it succeeded", function()
    local result, err, info = create("published", "1.1.1.1")
    assert.is_nil(err)
    local published = cjson.decode(host.read(host.root() .. "/spec/support/published.json"))
    assert.same(published.result, result)
    assert.same(cjson.decode(cjson.encode(published.result)), cjson.decode(cjson.encode(result)))
    assert.equal(0.021, result[1].colos[1].target_summary.mean_latency_ms)
    assert.same({ "string" }, result[1].colos[1].hops[1].nodes[1].labels)
    assert.same(published.messages, info[1].messages)
  end)

  it("keeps both spellings of target_summary as they come", function()
    local both = traces.result { targets = { "1.1.1.1" }, colos = { "a", "b" } }
    both[1].colos[2].target_summary = {
      min_rtt_ms = 1, mean_rtt_ms = 2.5, max_rtt_ms = 4, std_dev_rtt_ms = 0.5, packet_count = 3,
      ip = "1.1.1.1", name = "", asn = "",
    }
    local result, err = create(answering(both), "1.1.1.1")
    assert.is_nil(err)
    assert.is_number(result[1].colos[1].target_summary.mean_latency_ms)
    assert.is_nil(result[1].colos[1].target_summary.mean_rtt_ms)
    assert.same(plain(both[1].colos[2].target_summary), result[1].colos[2].target_summary)
  end)

  it("keeps what a newer service adds, without its nulls", function()
    local result, err, info = create("newer", "1.1.1.1")
    assert.is_nil(err)
    local colo = result[1].colos[1]
    assert.equal("2030-01-01T00:00:00Z", result[1].probed_at)
    assert.same({ version = 2, flags = { "a", "b" } }, colo.protocol)
    assert.equal(math.type and "integer", math.type and math.type(colo.protocol.version)) -- luacheck: ignore
    assert.equal("WNAM", colo.colo.region)
    assert.same({ { label = 24001 } }, colo.hops[1].mpls)
    assert.equal("US", colo.hops[1].nodes[1].country)
    assert.is_nil(colo.target_summary.reverse)
    assert.is_nil(colo.hops[1].nodes[1].labels)
    assert.same({}, info.dropped)
  end)

  it("holds no null at any depth of unknown fields", function()
    local result = traces.result { targets = { "1.1.1.1" }, colos = { "a" } }
    local deep = { a = json.null, b = json.array { 1, json.null, 2 }, c = { d = { e = json.null, f = 1 } } }
    result[1].deep, result[1].colos[1].deep, result[1].colos[1].hops[1].deep = deep, deep, deep
    for _, mode in ipairs { "strict", "lenient", "none" } do
      local got, err = create(answering(result), "1.1.1.1", { validate = mode ~= "none" and mode })
      assert.is_nil(err)
      local expected = { b = { 1, 2 }, c = { d = { f = 1 } } }
      assert.same({ expected, expected, expected }, { got[1].deep, got[1].colos[1].deep, got[1].colos[1].hops[1].deep })
    end
  end)

  describe("has its order", function()
    it("from the targets asked for, not from the service", function()
      local targets = many(10)
      local result, err = create("reversed", targets)
      assert.is_nil(err)
      assert.same(targets, names(result))
      assert.same({ "sin02", "den01" }, { result[1].colos[1].colo.name, result[1].colos[2].colo.name })
    end)

    it("over several requests that end in another order", function()
      local targets = many(35)
      local result, err, info = create("slow_target/t5.example/100", targets, { colos = { "den01" } })
      assert.is_nil(err)
      assert.same(targets, names(result))
      assert.same(plain(traces.result { targets = targets, colos = { "den01" } }), result)
      assert.same({ 10, 10, 10, 5 }, { #info[1].targets, #info[2].targets, #info[3].targets, #info[4].targets })
    end)

    it("by name, whatever the service makes of its spelling", function()
      local result = traces.result { targets = { "x.example", "2001:db8:0:0::1", "EXAMPLE.com." }, colos = { "a" } }
      local got, err = create(answering(result), { "Example.com", "X.example.", "2001:DB8::1" })
      assert.is_nil(err)
      assert.same({ "EXAMPLE.com.", "x.example", "2001:db8:0:0::1" }, names(got))
    end)

    it("with two results for one target side by side", function()
      local result = traces.result { targets = { "a.example", "b.example", "a.example" }, colos = { "x" } }
      local got, err = create(answering(result), { "a.example", "b.example" })
      assert.is_nil(err)
      assert.same({ "a.example", "a.example", "b.example" }, names(got))
    end)
  end)

  describe("that lacks something", function()
    it("says which target, and gives the others", function()
      local result, err, info = create("missing_target/b.example", { "a.example", "b.example", "c.example" })
      assert.same({ "a.example", "c.example" }, names(result))
      assert.equal("invalid_response", err.kind)
      assert.equal("result", err.path)
      assert.equal("the response holds no result for 1 of 3 targets", err.message)
      assert.same({ "b.example" }, err.targets)
      assert.equal(200, info[1].status)
    end)

    it("names what was asked for, and no other target whose colos are no colos", function()
      local result = traces.result { targets = { "a.example", "nobody.example", "C.example" }, colos = { "x" } }
      result[2].colos[1].hops, result[3].colos[1].hops = 1, 2
      local got, err = create(answering(result), { "a.example", "b.example", "c.example" })
      assert.same({ "a.example", "C.example", "nobody.example" }, names(got))
      assert.same({ "invalid_response", "result[2].colos[1].hops" }, { err.kind, err.path })
      assert.same({ "b.example", "c.example" }, err.targets)
    end)

    it("says of such an error where it came from", function()
      local _, err, info = create("missing_target/b.example", { "a.example", "b.example" })
      assert.same({ 200, 1, info[1].ray }, { err.status, err.attempts, err.ray })
    end)

    it("passes a missing colo, which the service may not have", function()
      local result, err = create("missing_colo/sin02", "a.example")
      assert.is_nil(err)
      assert.equal(1, #result[1].colos)
      assert.equal("den01", result[1].colos[1].colo.name)
    end)

    it("gives nil when nothing came", function()
      local result, err = create(answering(json.array {}), { "a.example", "b.example" })
      assert.is_nil(result)
      assert.same({ "a.example", "b.example" }, err.targets)
      assert.equal("the response holds no result for 2 of 2 targets", err.message)
    end)

    it("gives a result without a name to the one target that has none", function()
      local result = traces.result { targets = { "a.example", "b.example" }, colos = { "x" } }
      result[1].target = nil
      local got, err = create(answering(result), { "a.example", "b.example" })
      assert.is_nil(err and tostring(err))
      table.sort(got, function(x, y) return x.target < y.target end)
      assert.same({ "a.example", "b.example" }, names(got))
    end)
  end)

  it("with a target that nobody asked for has it at the end", function()
    local result, err = create("other_target", { "b.example", "a.example" })
    assert.is_nil(err)
    assert.same({ "b.example", "a.example", "uninvited.example" }, names(result))
  end)

  describe("is told of by info:", function()
    it("each request's targets, status, ray, tries, time, bytes and messages", function()
      local targets = many(12)
      local _, err, info = create("messages", targets)
      assert.is_nil(err)
      assert.equal(2, #info)
      local list = stand_in:await(function(l) return #l == 2 and l[1].ended and l[2].ended end)
      local MESSAGES = {
        { code = 10000, message = "the first message" }, { code = 10001, message = "the second message" },
      }
      local sizes = {}
      for _, request in ipairs(list) do
        sizes[#cjson.decode(request.body).targets] = #json.encode {
          success = true, errors = json.array {}, messages = json.array(MESSAGES),
          result = traces.result(cjson.decode(request.body)),
        }
      end
      for _, part in ipairs(info) do
        assert.equal(200, part.status)
        assert.equal(1, part.attempts)
        assert.matches("^8f%x+%-DEN$", part.ray)
        assert.is_true(part.seconds > 0 and part.seconds < host.LONG)
        assert.equal(sizes[#part.targets], part.bytes)
        assert.same(MESSAGES, part.messages)
        assert.is_nil(part.error)
      end
      assert.equal("t1.example", info[1].targets[1])
      assert.same({ "t11.example", "t12.example" }, info[2].targets)
      assert.same({}, info.dropped)
    end)

    it("the tries, and the last one's status", function()
      local _, err, info = create("retry/2/503/ms:1/" .. stand_in:key(), "1.1.1.1", { retries = 2 })
      assert.is_nil(err)
      assert.same({ 3, 200 }, { info[1].attempts, info[1].status })
      assert.equal(3, #stand_in:requests())
    end)

    it("no ray when the service gave none", function()
      local _, err, info = create("ray/-", "1.1.1.1")
      assert.is_nil(err)
      assert.is_nil(info[1].ray)
    end)
  end)

  describe("of which a part failed", function()
    it("gives the rest together with the error and its targets", function()
      local targets = many(25)
      local result, err, info = create("fail_target/t12.example/500", targets)
      local expected, lost = {}, {}
      for i, target in ipairs(targets) do
        table.insert(i > 10 and i <= 20 and lost or expected, target)
      end
      assert.same(expected, names(result))
      assert.equal("server", err.kind)
      assert.equal(500, err.status)
      assert.equal(1500, err.code)
      assert.same(lost, err.targets)
      assert.same({ 200, 500, 200 }, { info[1].status, info[2].status, info[3].status })
      assert.equal(err, info[2].error)
      assert.is_nil(info[1].error or info[3].error)
    end)

    for _, status in ipairs { 401, 403, 404 } do
      it("sends no more after HTTP " .. status, function()
        local result, err, info = create("fail_target/t1.example/" .. status, many(45), { concurrency = 1 })
        assert.is_nil(result)
        assert.equal(status, err.status)
        assert.equal(1, #stand_in:requests())
        assert.equal(45, #err.targets)
        for i = 2, 5 do
          assert.equal(err.kind, info[i].error.kind)
          assert.equal("not sent, since another request of this call got HTTP " .. status, info[i].error.message)
          assert.is_nil(info[i].error.attempts)
        end
      end)
    end

    it("goes on after what holds for one request alone", function()
      for _, status in ipairs { 400, 500, 418 } do
        stand_in:reset()
        local result, err = create("fail_target/t1.example/" .. status, many(25), { concurrency = 1 })
        assert.equal(15, #result)
        assert.equal(status, err.status)
        assert.equal(3, #stand_in:requests())
      end
    end)

    it("runs no more requests side by side than concurrency says", function()
      for _, concurrency in ipairs { 1, 2 } do
        stand_in:reset()
        local result = create("slow/30", many(45), { concurrency = concurrency })
        assert.equal(45, #result)
        local list = stand_in:await(function(l)
          for _, request in ipairs(l) do
            if not request.ended then return false end
          end
          return #l == 5
        end)
        local most = 0
        for _, one in ipairs(list) do
          local beside = 0
          for _, other in ipairs(list) do
            if other.time <= one.time and other.ended > one.time then beside = beside + 1 end
          end
          most = math.max(most, beside)
        end
        assert.equal(concurrency, most)
      end
    end)

    local NAMED = '{"success":true,"errors":[],"messages":[],"result":[{"target":"1.1.1.1","colos":['
      .. json.encode(traces.colo("1.1.1.1", "den01")) .. ","

    it("keeps the colos that arrived before it broke off", function()
      local result, err = create(stand_in:raw("half", NAMED .. '{"colo":{"na'), "1.1.1.1")
      assert.same({ "invalid_response", 200 }, { err.kind, err.status })
      assert.same({ "1.1.1.1" }, err.targets)
      assert.same({ { target = "1.1.1.1", colos = { plain(traces.colo("1.1.1.1", "den01")) } } }, result)
    end)

    it("holds each colo once, however many tries broke off", function()
      -- how far the first 3,200 bytes reach depends on the order in which the members were written
      local _, _, info = create("ok", "1.1.1.1")
      local cut = ("cut/%d"):format(info[1].bytes - 60)
      local once = create(cut, "1.1.1.1", { retries = 0 })
      local twice, err = create(cut, "1.1.1.1", { retries = 1 })
      assert.same({ "connection", 2 }, { err.kind, err.attempts })
      assert.equal(1, #twice)
      assert.equal("1.1.1.1", twice[1].target)
      assert.is_true(#once[1].colos >= 1)
      assert.equal(#once[1].colos, #twice[1].colos)
    end)

    -- { target, colo … } … -> the text of an answer that is not closed
    local function open_answer(list)
      local results = {}
      for i, entry in ipairs(list) do
        local colos = {}
        for k = 2, #entry do
          colos[k - 1] = entry[k] == "" and '{"error":"no name"}' or ('{"colo":{"name":"%s"}}'):format(entry[k])
        end
        results[i] = ('{"target":"%s","colos":[%s]}'):format(entry[1], table.concat(colos, ","))
      end
      return '{"success":true,"result":[' .. table.concat(results, ",")
    end

    -- What create made of that, in the same form.
    local function outline(result)
      local list = {}
      for i, entry in ipairs(result) do
        list[i] = { entry.target }
        for k, colo in ipairs(entry.colos) do
          list[i][k + 1] = colo.colo and colo.colo.name or ""
        end
      end
      return list
    end

    it("joins what its tries brought: by target, however spelt, and by colo", function()
      local first, second = stand_in:key(), stand_in:key()
      stand_in:raw(first, open_answer {
        { "b.example", "x" }, { "a.example", "x", "y" }, { "A.Example.", "y", "z", "" }, { "b.example", "y", "x" },
        { "d.example", "x" }, { "a.example\\u0000", "q" },
      })
      stand_in:raw(second, open_answer { { "c.example", "x", "x" }, { "A.EXAMPLE", "w", "x" }, { "c.example", "w" } })
      local result, err = create(("cut_raw/%s/%s"):format(first, second), { "a.example", "b.example", "c.example" },
        { retries = 1 })
      assert.same({ "connection", 2 }, { err.kind, err.attempts })
      assert.same({
        { "A.EXAMPLE", "w", "x", "y", "z", "" }, { "b.example", "x", "y" }, { "c.example", "x", "x" },
        { "c.example", "w" }, { "d.example", "x" }, { "a.example\0", "q" },
      }, outline(result))
    end)

    it("is whole when a later try brings all of it", function()
      local result, err, info = create("retry/1/0/-/" .. stand_in:key(), { "1.1.1.1", "a.example" }, { retries = 1 })
      assert.is_nil(err)
      assert.same(plain(traces.result { targets = { "1.1.1.1", "a.example" } }), cjson.decode(cjson.encode(result)))
      assert.equal(2, info[1].attempts)
    end)
  end)
end)
