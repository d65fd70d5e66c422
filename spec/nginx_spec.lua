-- The module inside a real nginx: the phases in which a call yields, those in which it says that it cannot, light
-- threads and timers. nginx runs LuaJIT, so this is for the run on LuaJIT.
if not rawget(_G, "jit") then
  return
end

local cjson = require "cjson"
local server = require "spec.support.server"
local worker = require "spec.support.worker"

local LOCATIONS = [[
  location = /content { content_by_lua_block { require("spec.support.caller").answer() } }
  location = /access {
    access_by_lua_block { ngx.ctx.outcome = require("spec.support.caller").outcome() }
    content_by_lua_block { ngx.print(ngx.ctx.outcome) }
  }
  location = /rewrite {
    rewrite_by_lua_block { ngx.ctx.outcome = require("spec.support.caller").outcome() }
    content_by_lua_block { ngx.print(ngx.ctx.outcome) }
  }
  location = /timer {
    content_by_lua_block {
      local caller = require "spec.support.caller"
      local targets, opts = caller.query()
      assert(ngx.timer.at(0, function()
        ngx.shared.outcomes:set("timer", require("cjson").encode(caller.call(targets, opts)))
      end))
    }
  }
  location = /many { content_by_lua_block { require("spec.support.caller").answer_many() } }
  location = /killed {
    content_by_lua_block {
      local caller = require "spec.support.caller"
      local thread = ngx.thread.spawn(caller.call, caller.query())
      while not ngx.shared.outcomes:get("kill") do
        ngx.sleep(0.005)
      end
      ngx.ctx.thread = thread -- and with it the job: it is not for the collector to end it
      ngx.print(tostring(ngx.thread.kill(thread)))
      while not ngx.shared.outcomes:get("end") do
        ngx.sleep(0.005)
      end
    }
  }
  location = /progress {
    content_by_lua_block {
      local targets, opts = require("spec.support.caller").query()
      local seen = {}
      opts.on_progress = function(progress)
        seen[#seen + 1] = progress.requests_done
        return progress.requests_done < 1
      end
      local _, err = require("traceroute").create("account", targets, opts)
      ngx.print(err.kind, " ", table.concat(seen, " "), " ", err.message)
    }
  }
  location = /started {
    content_by_lua_block {
      local traceroute = require "traceroute"
      local targets, opts = require("spec.support.caller").query()
      local jobs = {}
      for i = 1, 5 do
        jobs[i] = traceroute.start("account", targets, opts)
      end
      for i = 1, 5 do
        ngx.print(#traceroute.wait(jobs[i])[1].colos, " ")
      end
      ngx.print(#traceroute.wait(jobs[1])[1].colos)
    }
  }
  location = /twice {
    content_by_lua_block {
      local traceroute = require "traceroute"
      local job = traceroute.start("account", require("spec.support.caller").query())
      local thread = ngx.thread.spawn(traceroute.wait, job)
      local result, err = traceroute.wait(job)
      ngx.print(tostring(result), " ", tostring(err))
      local _, first, failure = ngx.thread.wait(thread)
      ngx.print(" / ", first and #first[1].colos, " ", tostring(failure))
    }
  }

  location = /globals {
    content_by_lua_block {
      local outcome = require("spec.support.caller").outcome()
      local traceroute = require "traceroute"
      local _ = traceroute.hops, traceroute.analysis, traceroute.report, traceroute.json, traceroute.VERSION
      local before, added = package.loaded["globals before"], {}
      -- A request's own, and the worker's.
      for _, environment in ipairs { _G, getmetatable(_G).__index } do
        for name in pairs(environment) do
          added[#added + 1] = not before[name] and name or nil
        end
      end
      ngx.print(table.concat(added, " "), "|", outcome)
    }
  }
  location = /set {
    set_by_lua_block $set { return require("spec.support.caller").outcome() }
    content_by_lua_block { ngx.print(ngx.var.set) }
  }
  location = /header_filter {
    content_by_lua_block { ngx.print("-") }
    body_filter_by_lua_block { if not ngx.arg[2] then ngx.arg[1] = ngx.ctx.outcome end }
    header_filter_by_lua_block { ngx.ctx.outcome = require("spec.support.caller").outcome() }
  }
  location = /body_filter {
    content_by_lua_block { ngx.print("-") }
    body_filter_by_lua_block { if not ngx.arg[2] then ngx.arg[1] = require("spec.support.caller").outcome() end }
  }
  location = /log {
    content_by_lua_block { ngx.print("-") }
    log_by_lua_block { ngx.shared.outcomes:set("log", require("spec.support.caller").outcome()) }
  }
  location = /log_waits {
    content_by_lua_block {
      ngx.ctx.job = require("traceroute").start("account", require("spec.support.caller").query())
    }
    log_by_lua_block {
      local _, err = require("traceroute").wait(ngx.ctx.job)
      ngx.ctx.job:cancel()
      ngx.shared.outcomes:set("log_waits", require("cjson").encode { kind = err.kind, message = err.message })
    }
  }
  location = /outcome {
    content_by_lua_block { ngx.print(ngx.shared.outcomes:get(ngx.var.arg_of) or "") }
  }
  location = /say {
    content_by_lua_block { ngx.shared.outcomes:set(ngx.var.arg_key, ngx.var.arg_value) }
  }
]]

local HTTP = [[
  lua_shared_dict outcomes 1m;
  init_by_lua_block {
    local globals = {}
    for name in pairs(_G) do
      globals[name] = true
    end
    package.loaded["globals before"] = globals
    local result, err = require("traceroute").create("account", "one.example", { token = "secret" })
    ngx.shared.outcomes:set("init", require("cjson").encode { result = result, kind = err.kind, message = err.message })
  }
]]

local INIT_WORKER = [[
  local result, err = require("traceroute").create("account", "one.example", { token = "secret" })
  ngx.shared.outcomes:set("init_worker", require("cjson").encode {
    result = result, kind = err.kind, message = err.message })
]]

local function numbered(count)
  local targets = {}
  for i = 1, count do
    targets[i] = ("t%d.example"):format(i)
  end
  return table.concat(targets, ",")
end

describe("inside nginx", function()
  local stand_in, nginx

  setup(function()
    stand_in = server.get()
    nginx = worker.start { locations = LOCATIONS, http = HTTP, init_worker = INIT_WORKER }
  end)

  teardown(function()
    nginx:stop()
  end)

  before_each(function()
    stand_in:reset()
  end)

  local function path(location, behaviour, query)
    query = query or {}
    query.base, query.ca = stand_in:url(behaviour), stand_in.ca_file
    return worker.path(location, query)
  end

  local function ask(location, behaviour, query)
    local body = nginx:get(path(location, behaviour, query))
    return cjson.decode(body)
  end

  local function outcome_of(name)
    return worker.await(function()
      local body = nginx:get("/outcome?of=" .. name)
      return body ~= "" and cjson.decode(body)
    end)
  end

  for _, phase in ipairs { "content", "access", "rewrite" } do
    it("yields in " .. phase .. "_by_lua and returns what create returns", function()
      local slow = nginx:begin(path("/" .. phase, "slow/1000", { targets = "a.example,b.example" }))
      assert.is_table(stand_in:await(function(list)
        return #list == 1
      end))
      assert.equal("pong", (nginx:get("/ping")))
      assert.is_nil(stand_in:requests()[1].ended)
      local body, status = slow:finish()
      assert.equal(200, status)
      local outcome = cjson.decode(body)
      assert.equal(phase, outcome.phase)
      assert.equal("a.example,b.example", outcome.targets)
      assert.equal(4, outcome.colos)
      assert.equal(1, outcome.requests)
      assert.is_nil(outcome.kind)
    end)
  end

  it("splits more than ten targets and keeps their order", function()
    local targets = numbered(25)
    local outcome = ask("/content", "ok", { targets = targets })
    assert.equal(targets, outcome.targets)
    assert.equal(50, outcome.colos)
    assert.equal(3, outcome.requests)
  end)

  it("returns failures as nil and an error", function()
    assert.equal("server", ask("/content", "status/500", { retries = 0 }).kind)
    assert.equal("authentication", ask("/content", "status/401").kind)
    assert.equal("invalid_response", ask("/content", "html/200").kind)
    assert.equal("timeout", ask("/content", "hang", { timeout = 0.2 }).kind)
    assert.equal("invalid_request", ask("/content", "ok", { timeout = -1 }).kind)
    assert.equal("connection", cjson.decode((nginx:get(worker.path("/content", {
      base = ("https://127.0.0.1:%d"):format(server.free_port()), ca = stand_in.ca_file, retries = 0,
    })))).kind)
  end)

  it("retries as it does elsewhere", function()
    local outcome = ask("/content", ("retry/2/503/ms:10/%s"):format(stand_in:key()))
    assert.equal(2, outcome.colos)
    assert.equal(3, #stand_in:requests())
  end)

  it("runs in a timer", function()
    local _, status = nginx:get(path("/timer", "slow/50", { targets = "a.example" }))
    assert.equal(200, status)
    local outcome = outcome_of("timer")
    assert.equal("timer", outcome.phase)
    assert.equal("a.example", outcome.targets)
    assert.equal(2, outcome.colos)
  end)

  it("runs in several light threads of one request, side by side", function()
    local answer = ask("/many", "slow/300", { n = 20 })
    assert.same({ right = 20, wrong = {} }, answer)
    local list = stand_in:await(function(seen)
      local ended = 0
      for _, request in ipairs(seen) do
        ended = ended + (request.ended and 1 or 0)
      end
      return ended == 20
    end)
    local first_end, last_begin = math.huge, 0
    for _, request in ipairs(list) do
      first_end, last_begin = math.min(first_end, request.ended), math.max(last_begin, request.time)
    end
    assert.is_true(last_begin < first_end)
  end)

  it("drops the transfer of a light thread that was killed at once, while its request goes on", function()
    local asked = nginx:begin(path("/killed", "hang"))
    assert.is_table(stand_in:await(function(list)
      return #list == 1
    end))
    nginx:get("/say?key=kill&value=1")
    assert.is_table(stand_in:await(function(list)
      return list[1].aborted
    end))
    nginx:get("/say?key=end&value=1")
    local body, status = asked:finish()
    assert.equal("1", body)
    assert.equal(200, status)
  end)

  it("makes no global", function()
    local added, outcome = nginx:get(path("/globals", "ok")):match("^(.-)|(.*)$")
    assert.equal("", added)
    assert.equal(2, cjson.decode(outcome).colos)
  end)

  it("runs jobs that were started before", function()
    assert.equal("2 2 2 2 2 2", (nginx:get(path("/started", "slow/50"))))
    assert.equal(5, #stand_in:requests())
  end)

  it("lets one wait for a job, and tells the second so, which ends nothing", function()
    local body = nginx:get(path("/twice", "slow/100", { timeout = 5 }))
    assert.matches("^nil invalid_request: .*already waited for / 2 nil$", body)
  end)

  it("tells on_progress how far it is, which may end the call", function()
    local targets = numbered(11)
    local body = nginx:get(path("/progress", "slow_target/t11.example/5000", { targets = targets }))
    assert.matches("^cancelled [0 ]*1 2 cancelled by on_progress", body)
  end)

  it("refuses phases that cannot wait, and sends nothing", function()
    for _, phase in ipairs { "set", "header_filter", "body_filter" } do
      local outcome = ask("/" .. phase, "echo_headers")
      assert.equal(phase, outcome.phase)
      assert.equal("invalid_request", outcome.kind)
      assert.equal(("the phase %s of nginx cannot wait; use ngx.timer.at(0, …)"):format(phase), outcome.message)
    end
    nginx:get(path("/log", "echo_headers"))
    local outcome = outcome_of("log")
    assert.equal("invalid_request", outcome.kind)
    assert.equal("the phase log of nginx cannot wait; use ngx.timer.at(0, …)", outcome.message)
    for _, request in ipairs(stand_in:requests()) do
      assert.is_nil(request.uri:find("/echo_headers/", 1, true))
    end
  end)

  it("refuses to wait there for a job that was started elsewhere", function()
    nginx:get(path("/log_waits", "hang"))
    local outcome = outcome_of("log_waits")
    assert.equal("invalid_request", outcome.kind)
    assert.equal("the phase log of nginx cannot wait; use ngx.timer.at(0, …)", outcome.message)
  end)

  it("refuses init_by_lua and init_worker_by_lua", function()
    local outcome = outcome_of("init")
    assert.equal("invalid_request", outcome.kind)
    assert.matches("^nothing can be sent from init_by_lua", outcome.message)
    outcome = outcome_of("init_worker")
    assert.equal("invalid_request", outcome.kind)
    assert.matches("^the phase init_worker of nginx cannot wait", outcome.message)
  end)
end)

describe("inside an nginx of two workers", function()
  it("serves from both what init_by_lua loaded", function()
    local stand_in = server.get()
    local nginx = worker.start {
      workers = 2,
      locations = LOCATIONS,
      http = [[lua_shared_dict outcomes 1m; init_by_lua_block { require "spec.support.caller" }]],
    }
    finally(function()
      nginx:stop()
    end)
    local pids, count = {}, 0
    local both = worker.await(function()
      local asked = {}
      for i = 1, 4 do
        asked[i] = nginx:begin(worker.path("/content", { base = stand_in:url("slow/20"), ca = stand_in.ca_file }))
      end
      for i = 1, 4 do
        local outcome = cjson.decode((asked[i]:finish()))
        assert.equal(2, outcome.colos)
        if not pids[outcome.pid] then
          pids[outcome.pid], count = true, count + 1
        end
      end
      return count == 2
    end)
    assert.is_true(both)
  end)
end)
