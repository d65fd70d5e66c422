-- Many calls at once in nginx, and what they share: a worker's time, its connections, the resolver, the quota of
-- all workers. The counts and values are asserted, not the times: those are the benchmark's.
if not rawget(_G, "jit") then
  return
end

local cjson = require "cjson"
local host = require "spec.support.host"
local server = require "spec.support.server"
local worker = require "spec.support.worker"

local LOCATIONS = [[
  location = /call { content_by_lua_block { require("spec.support.caller").answer() } }
  location = /many { content_by_lua_block { require("spec.support.caller").answer_many() } }
  location = /nearly {
    content_by_lua_block {
      for _, key in ipairs(ngx.shared.pace:get_keys()) do
        if key:find ":hold$" then
          ngx.shared.pace:set(key, ngx.now() + 0.0005)
        end
      end
      require("spec.support.caller").answer()
    }
  }
  location = /turns {
    content_by_lua_block {
      local caller = require "spec.support.caller"
      local targets, opts = caller.query()
      -- Turns of the worker's loop since the first colo was taken in.
      local turns, counts, outcome = 0, false, nil
      opts.on_progress = function()
        counts = true
      end
      ngx.thread.spawn(function()
        outcome = caller.call(targets, opts)
      end)
      repeat
        ngx.sleep(0.001)
        turns = turns + (counts and 1 or 0)
      until outcome
      outcome.turns = turns
      ngx.print(require("cjson").encode(outcome))
    }
  }
  location = /left {
    content_by_lua_block {
      local caller = require "spec.support.caller"
      caller.left = require("traceroute").start("account", caller.query())
    }
  }
  location = /drop {
    content_by_lua_block {
      require("spec.support.caller").left = nil
      collectgarbage()
    }
  }
  location = /stepped {
    content_by_lua_block {
      local job = require("traceroute").start("account", require("spec.support.caller").query())
      while not job:step(0) do
        ngx.sleep(0.005)
      end
    }
  }
]]

describe("many calls in one nginx", function()
  local stand_in, nginx

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
    nginx = nil
  end)

  after_each(function()
    if nginx then
      nginx:stop()
    end
  end)

  local function start(options)
    options.locations = LOCATIONS
    nginx = worker.start(options)
  end

  local function path(location, behaviour, query)
    query.base, query.ca = query.base or stand_in:url(behaviour), stand_in.ca_file
    return worker.path(location, query)
  end

  it("answers others while 500 requests wait, and answers all 500", function()
    start {}
    local asked, key = {}, stand_in:key()
    for i, range in ipairs { "[1-250]", "[251-500]" } do
      asked[i] = nginx:begin(path("/call", "held/" .. key, {}) .. ("&targets=t%s.example"):format(range), 60)
    end
    local function ping()
      local body, status = nginx:get("/ping")
      assert.equal("pong", body)
      assert.equal(200, status)
    end
    repeat
      ping()
    until #stand_in:requests() == 500
    for _ = 1, 100 do
      ping()
    end
    stand_in:raw(key, "")
    local right, count = {}, 0
    for i = 1, 2 do
      for text in asked[i]:finish():gmatch("%b{}") do
        local outcome = cjson.decode(text)
        assert.equal(2, outcome.colos, outcome.message)
        assert.is_nil(right[outcome.targets])
        right[outcome.targets], count = true, count + 1
      end
    end
    assert.equal(500, count)
  end)

  it("decodes a response of 17 MB while others are answered", function()
    start {}
    local names = {}
    for i = 1, 10 do
      names[i] = "t" .. i
    end
    local targets = table.concat(names, ",")
    local asked = nginx:begin(path("/call", "big/10/330/15", { targets = targets }), 60)
    local during, ended = 0
    repeat
      assert.equal("pong", (nginx:get("/ping")))
      local request = stand_in:requests()[1]
      ended = request and request.ended
      during = during + (request and not ended and 1 or 0)
    until ended
    local outcome = cjson.decode((asked:finish()))
    assert.equal(targets, outcome.targets)
    assert.equal(3300, outcome.colos)
    assert.is_true(during > 0)
  end)

  it("takes a response of 17 MB in by slices, between which the worker's loop turns", function()
    start {}
    local targets = {}
    for i = 1, 10 do
      targets[i] = "t" .. i
    end
    local outcome = cjson.decode((nginx:get(path("/turns", "big/10/330/15", { targets = table.concat(targets, ",") }),
      60)))
    assert.equal(3300, outcome.colos)
    assert.is_true(outcome.turns > 30, outcome.turns)
  end)

  it("says what to raise when nginx has no connections left", function()
    start { connections = 24 }
    local answer = cjson.decode((nginx:get(path("/many", "slow/300", { n = 40 }))))
    assert.is_true(answer.right > 0)
    assert.equal(40, answer.right + #answer.wrong)
    assert.is_true(#answer.wrong > 0)
    for _, outcome in ipairs(answer.wrong) do
      assert.equal("connection", outcome.kind)
      assert.equal("no connection to the transfer's thread (error); raise worker_connections", outcome.message)
    end
    assert.equal(2, cjson.decode((nginx:get(path("/call", "ok", {})))).colos)
    assert.equal("pong", (nginx:get("/ping")))
  end)

  it("goes on after a time without descriptors", function()
    start { descriptors = 64 }
    local answer = cjson.decode((nginx:get(path("/many", "slow/300", { n = 60, timeout = 3 }))))
    assert.equal(60, answer.right + #answer.wrong)
    local named = 0
    for _, outcome in ipairs(answer.wrong) do
      assert.equal("connection", outcome.kind, outcome.message)
      -- libcurl may be the one that gets none.
      if outcome.message:find "the transfer's thread" then
        assert.matches("; raise worker_rlimit_nofile$", outcome.message)
        named = named + 1
      end
    end
    assert.is_true(named > 0)
    assert.same({ right = 5, wrong = {} }, cjson.decode((nginx:get(path("/many", "slow/50", { n = 5 })))))
    assert.equal("pong", (nginx:get("/ping")))
  end)

  it("is not held up by a resolver that is stuck", function()
    local is_root = host.run("id -u"):match("%d+") == "0"
    local files = host.private_directory("traceroute-resolver")
    local uv = require "luv"
    local silent = uv.new_udp()
    finally(function()
      host.remove(files)
      silent:close()
      uv.run("nowait")
    end)
    local can_mount = is_root and select(2, host.run("unshare -m true 2>/dev/null")) == 0
    if not can_mount or not silent:bind("127.0.0.77", 53) then
      pending("needs root, a mount namespace and port 53 of a loopback address")
      return
    end
    host.write(files .. "/resolv.conf", "nameserver 127.0.0.77\noptions timeout:30 attempts:1\n")
    host.write(files .. "/nsswitch.conf", "hosts: files dns\n")
    host.write(files .. "/run", ([[
      mount --bind %s/resolv.conf /etc/resolv.conf
      mount --bind %s/nsswitch.conf /etc/nsswitch.conf
      exec "$@"]]):format(files, files))
    start { under = "unshare -m sh " .. host.quote(files .. "/run") }
    local pid = tonumber((nginx:get("/pid")))
    local stuck = {}
    for i = 1, 5 do
      stuck[i] = nginx:begin(path("/call", "", { base = ("https://stuck%d.example"):format(i), timeout = 1.5 }))
    end
    for _ = 1, 20 do
      assert.equal("pong", (nginx:get("/ping")))
    end
    assert.equal(2, cjson.decode((nginx:get(path("/call", nil, {
      base = stand_in:url("ok", "https", "127.0.0.1") })))).colos)
    for _, asked in ipairs(stuck) do
      local outcome = cjson.decode((asked:finish()))
      assert.equal("timeout", outcome.kind)
    end
    local held = nginx:begin(path("/call", "", { base = "https://stuck.example", timeout = 60 }))
    assert.equal("pong", (nginx:get("/ping")))
    nginx:signal("TERM")
    assert.is_true(worker.await(function()
      return not worker.is_alive(pid)
    end))
    held:finish()
    assert.is_nil(nginx:error_log():match("[^\n]*exited on signal[^\n]*"))
  end)

  describe("that share a quota", function()
    local function start_two()
      start { workers = 2, http = "lua_shared_dict pace 1m;" }
    end

    local function call(behaviour)
      return path("/call", behaviour, { dict = "pace", quota = 5, retries = 0, timeout = 3 })
    end

    it("send no more than that, from all workers together", function()
      start_two()
      local asked, outcomes, pids = {}, {}, {}
      local function take(outcome)
        outcomes[#outcomes + 1] = outcome
        pids[outcome.pid] = true
      end
      for i = 1, 12 do
        asked[i] = nginx:begin(call("slow/100"))
      end
      for i = 1, 12 do
        take(cjson.decode((asked[i]:finish())))
      end
      worker.await(function()
        take(cjson.decode((nginx:get(call("ok")))))
        local first = next(pids)
        return next(pids, first)
      end)
      take(cjson.decode((nginx:get(call("ok")))))
      take(cjson.decode((nginx:get(call("ok")))))
      local right = 0
      for _, outcome in ipairs(outcomes) do
        if outcome.kind then
          assert.equal("rate_limit", outcome.kind)
          assert.is_true(outcome.retry_after > 240 and outcome.retry_after <= 330)
          assert.matches("^not sent, since the workers' shared limit", outcome.message)
        else
          right = right + 1
        end
      end
      assert.is_true(right > 0 and right <= 5)
      assert.equal(right, #stand_in:requests())
    end)

    it("get back what was taken and not sent", function()
      start { http = "lua_shared_dict pace 1m;" }
      local function retrying()
        return cjson.decode((nginx:get(path("/call", "ok", { dict = "pace", quota = 5, retries = 2, timeout = 3 }))))
      end
      for _ = 1, 3 do
        assert.equal(2, retrying().colos)
      end
      assert.equal("rate_limit", retrying().kind)
      for _ = 1, 2 do
        assert.equal(2, cjson.decode((nginx:get(call("ok")))).colos)
      end
      assert.equal("rate_limit", cjson.decode((nginx:get(call("ok")))).kind)
      assert.equal(5, #stand_in:requests())
    end)

    for location, behaviour in pairs { call = "hang", left = "hang", stepped = "ok" } do
      it("get it back from a call that nobody waits for any more: " .. location, function()
        start { http = "lua_shared_dict pace 1m; lua_check_client_abort on;" }
        local asked = nginx:begin(path("/" .. location, behaviour, { dict = "pace", quota = 3, retries = 2 }))
        assert.is_table(stand_in:await(function(list)
          return #list == 1
        end))
        asked:abort()
        nginx:get("/drop")
        local query = { dict = "pace", quota = 3, retries = 0, timeout = 20 }
        assert.equal(2, cjson.decode((nginx:get(path("/call", "ok", query)))).colos)
        assert.equal(2, cjson.decode((nginx:get(path("/call", "ok", query)))).colos)
        local refused = cjson.decode((nginx:get(path("/call", "ok", query))))
        assert.equal("rate_limit", refused.kind)
        assert.is_true(refused.retry_after > 200)
        assert.equal(3, #stand_in:requests())
      end)
    end

    it("hold back together after a 429", function()
      start { http = "lua_shared_dict pace 1m;" }
      local limited = cjson.decode((nginx:get(call("ratelimited/60"))))
      assert.equal("rate_limit", limited.kind)
      assert.equal(60, limited.retry_after)
      local held = cjson.decode((nginx:get(call("ok"))))
      assert.equal("rate_limit", held.kind)
      assert.is_true(held.retry_after > 50 and held.retry_after <= 60)
      assert.equal(1, #stand_in:requests())
    end)

    it("hold back for no pause that a worker made up by itself", function()
      start { http = "lua_shared_dict pace 1m;" }
      assert.equal(2, cjson.decode((nginx:get(path("/call", "ok", { quota = 1 })))).colos)
      local refused = cjson.decode((nginx:get(path("/call", "ok", { dict = "pace", quota = 1, retries = 0,
        timeout = 3 }))))
      assert.equal("rate_limit", refused.kind)
      assert.is_true(refused.retry_after > 200)
      assert.equal(2, cjson.decode((nginx:get(path("/call", "ok", { dict = "pace", quota = 0, timeout = 3 })))).colos)
    end)

    it("wait for their turn where the call has the time", function()
      start { http = "lua_shared_dict pace 1m;" }
      assert.equal(1, cjson.decode((nginx:get(call("ratelimited/1")))).retry_after)
      local waited = cjson.decode((nginx:get(path("/call", "ok", { dict = "pace", quota = 5, timeout = 60 }))))
      assert.equal(2, waited.colos)
      local requests = stand_in:requests()
      assert.equal(2, #requests)
      assert.is_true(requests[2].time - requests[1].time > 0.9)
    end)

    it("wait for less than what nginx can sleep, too", function()
      start { http = "lua_shared_dict pace 1m;" }
      assert.equal(1, cjson.decode((nginx:get(call("ratelimited/1")))).retry_after)
      assert.equal(2, cjson.decode((nginx:get(path("/nearly", "ok", { dict = "pace", quota = 0 })))).colos)
    end)

    it("say so when a call is more than the quota ever gives", function()
      start { http = "lua_shared_dict pace 1m;" }
      local targets = {}
      for i = 1, 11 do
        targets[i] = ("t%d.example"):format(i)
      end
      local outcome = cjson.decode((nginx:get(path("/call", "ok", {
        dict = "pace", quota = 1, retries = 0, targets = table.concat(targets, ",") }))))
      assert.equal("invalid_request", outcome.kind)
      assert.equal("more requests than the quota allows in five minutes; make several calls", outcome.message)
      assert.same({}, stand_in:requests())
    end)

    it("say so when there is no such dictionary", function()
      start {}
      local outcome = cjson.decode((nginx:get(call("ok"))))
      assert.equal("invalid_request", outcome.kind)
      assert.equal("nginx has no lua_shared_dict pace", outcome.message)
      assert.same({}, stand_in:requests())
    end)
  end)
end)
