-- A colo that asks its neighbours besides: what it asks them, what their failures are called, and that each result goes
-- on as it comes, and a fault on its own side costs no more than it must. The neighbours are the stand-in. nginx runs
-- LuaJIT, so this is for the run on LuaJIT.
if not rawget(_G, "jit") then
  return
end

local cjson = require "cjson"
local client = require "spec.support.colo_client"
local colo = require "spec.support.colo"
local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"
local worker = require "spec.support.worker"

local ACCOUNT, PATH, BODY, OPEN = client.ACCOUNT, client.PATH, client.BODY, client.OPEN
local config, neighbour, create, assert_refused = client.config, client.neighbour, client.create, client.assert_refused

local function names_of(entry)
  local names = {}
  for i, found in ipairs(entry.colos) do
    names[i] = found.colo.name
  end
  table.sort(names)
  return table.concat(names, " ")
end

local function of_colo(entry, name)
  for _, found in ipairs(entry.colos) do
    if found.colo.name == name then
      return found
    end
  end
end

describe("a colo with neighbours", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  local function start(neighbours, more)
    local here = colo.start { config = config(OPEN .. "neighbours = {" .. neighbours .. "}," .. (more or "")) }
    finally(function()
      here:stop()
    end)
    return here
  end

  local function standing(name, behaviour, token)
    return neighbour(name, stand_in:url(behaviour), stand_in.ca_file, token)
  end

  it("asks them for their own colo alone, with their own credentials and the options as they came", function()
    local here = start(standing("den01", "ok") .. standing("sin02", "ok"))
    local result, err = create(here, { "127.0.0.1", "127.0.0.2" }, { max_ttl = 3, packets_per_ttl = 2 })
    assert.is_nil(err)
    assert.equal("ams01 den01 sin02", names_of(result[1]))
    assert.equal("ams01 den01 sin02", names_of(result[2]))
    assert.equal(3, #of_colo(result[2], "den01").hops)
    local asked = {}
    for _, request in ipairs(stand_in:requests()) do
      assert.equal("Bearer secret", request.headers.authorization)
      local body = cjson.decode(request.body)
      assert.same({ "127.0.0.1", "127.0.0.2" }, body.targets)
      assert.same({ max_ttl = 3, packets_per_ttl = 2 }, body.options)
      asked[#asked + 1] = table.concat(body.colos, ",")
    end
    table.sort(asked)
    assert.same({ "den01", "sin02" }, asked)
  end)

  it("asks only those that are named", function()
    local here = start(standing("den01", "ok") .. standing("sin02", "ok"))
    assert.equal("sin02", names_of(create(here, "127.0.0.1", { colos = { "sin02", "sin02" } })[1]))
    assert.equal(1, #stand_in:requests())
    assert.equal("ams01", names_of(create(here, "127.0.0.1", { colos = { "ams01" } })[1]))
    assert.equal(1, #stand_in:requests())
    local _, err = create(here, "127.0.0.1", { colos = { "ams01", "fra01" } })
    assert.equal("invalid_request", err.kind)
    assert.equal(1005, err.code)
    assert.equal("Colo is not a valid colo", err.errors[1].message)
  end)

  it("asks them side by side", function()
    local here = start(standing("den01", "slow/300") .. standing("sin02", "slow/300") .. standing("fra03", "slow/300"))
    local result = create(here, "127.0.0.1")
    assert.equal("ams01 den01 fra03 sin02", names_of(result[1]))
    local list = stand_in:await(function(all)
      return #all == 3 and all[1].ended and all[2].ended and all[3].ended
    end)
    local first_end, last_begin = math.huge, 0
    for _, request in ipairs(list) do
      first_end, last_begin = math.min(first_end, request.ended), math.max(last_begin, request.time)
    end
    assert.is_true(last_begin < first_end)
  end)

  it("tells by a code what went wrong at one, and delivers the others", function()
    local down = ("https://localhost:%d/client/v4"):format(server.free_port())
    local here = start(neighbour("down", down, stand_in.ca_file) .. standing("no", "ok", "forbidden")
      .. standing("late", "hang") .. standing("sick", "status/500") .. standing("odd", "missing_colo/odd")
      .. standing("self", "ok") .. neighbour("alien", stand_in:url("ok", "self_signed"), stand_in.ca_file),
      "max_seconds = 3")
    local result, err, info = create(here, "127.0.0.1")
    assert.is_nil(err)
    local codes = {}
    for _, found in ipairs(result[1].colos) do
      codes[found.colo.name] = found.error:match("Code (%d)$") or found.error
    end
    assert.same({
      ams01 = "", self = "", down = "1", alien = "1", no = "2", late = "3", sick = "4", odd = "4",
    }, codes)
    assert.equal("Elsewhere", of_colo(result[1], "down").colo.city)
    assert.equal(6, #info[1].messages)
    assert.is_nil(here:error_log():find("s3cret", 1, true))
  end)

  it("takes no more from a neighbour than a colo has to say", function()
    local here = start(standing("den01", "big/10/300/15"))
    local result, err = create(here, "127.0.0.1", { colos = { "den01" } })
    assert.is_nil(err)
    assert.equal("Could not gather traceroute data: Code 4", result[1].colos[1].error)
    assert.matches("neighbour den01: invalid_response: [^\n]*max_response_bytes", here:error_log())
  end)

  it("passes on what a neighbour says of a target", function()
    local here = start(standing("den01", "ok"))
    local result = create(here, "error-3.example", { colos = { "den01" } })
    assert.equal("Could not gather traceroute data: Code 3", result[1].colos[1].error)
  end)

  -- The neighbour never answers, so whatever is read was sent before the last result was there.
  it("sends results as they come, and gives the rest up when the client leaves", function()
    local here = start(standing("den01", "hang"))
    local pipe = io.popen(("echo $$; exec curl -s -N --max-time 20 --cacert %s -H 'Authorization: Bearer s3cret-one' "
      .. "-H 'Content-Type: application/json' -d %s %s"):format(host.quote(here.ca_file),
      host.quote('{"targets":["127.0.0.1","127.0.0.2"]}'), host.quote(here.base_url .. PATH:format(ACCOUNT))))
    local pid, text = pipe:read("*l"), ""
    repeat
      local byte = pipe:read(1)
      text = text .. (byte or "")
    until not byte or text:find('"target_summary"', 1, true) and text:find('"hops":[{', 1, true)
    assert.matches('^{"result":%[{"target":"127.0.0.[12]","colos":%[{.*"target_summary"', text)
    assert.is_table(stand_in:await(function(list)
      return #list == 1
    end))
    assert.is_nil(stand_in:requests()[1].ended)
    host.run("kill -KILL " .. pid)
    pipe:close()
    assert.is_table(stand_in:await(function(list)
      return list[1].aborted
    end))
    assert.matches("status=499 outcome=left", worker.await(function()
      return here:lines()[1]
    end))
  end)

  -- Where nginx does not look out for clients that leave, the first result that nobody reads tells.
  it("gives the rest up when a result is not read any more", function()
    local here = colo.start {
      config = config(OPEN .. "neighbours = {" .. standing("den01", "hang") .. "}"),
      locations = [[
        location = /unread {
          content_by_lua_block {
            local asked = { targets = { "127.0.0.1" }, colos = { "ams01", "den01" }, options = {} }
            local messages, failed = require("traceroute.colo.gather").run(here.config, asked, function()
              while not ngx.shared.calls:get("is_left") do
                ngx.sleep(0.01)
              end
              return false
            end)
            ngx.print(tostring(messages), " ", tostring(failed))
          }
        }
        location = /leave {
          content_by_lua_block { ngx.shared.calls:set("is_left", true) }
        }
      ]],
    }
    finally(function()
      here:stop()
    end)
    local root = here.base_url:match("^https://[^/]+")
    local get = ("curl -s --max-time 20 --cacert %s %s"):format(host.quote(here.ca_file), root)
    local pipe = io.popen(get .. "/unread")
    assert.is_table(stand_in:await(function(list)
      return #list == 1
    end))
    host.run(get .. "/leave")
    assert.equal("nil nil", pipe:read("*a"))
    pipe:close()
    assert.is_table(stand_in:await(function(list)
      return list[1].aborted
    end))
  end)

  -- Begins a call that does not end, and returns what ends it.
  local function occupy(here)
    local pid = host.run(("curl -s --max-time 20 --cacert %s -H 'Authorization: Bearer s3cret-one' "
      .. "-H 'Content-Type: application/json' -d %s %s >/dev/null 2>&1 & echo $!"):format(host.quote(here.ca_file),
      host.quote(BODY), host.quote(here.base_url .. PATH:format(ACCOUNT)))):match("%d+")
    assert.is_table(stand_in:await(function(list)
      return #list == 1
    end))
    return function()
      host.run("kill -KILL " .. pid)
    end
  end

  it("refuses calls beyond those that may be made at once, and takes them again later", function()
    local here = start(standing("den01", "hang"), "max_calls = 1")
    local leave = occupy(here)
    local _, headers = assert_refused(429, 10100, here, {}, "too many calls at once")
    assert.equal("5", headers["retry-after"])
    local _, err = create(here, "127.0.0.1", { colos = { "ams01" } })
    assert.equal("rate_limit", err.kind)
    assert.equal(5, err.retry_after)
    leave()
    assert.is_table(worker.await(function()
      return (create(here, "127.0.0.1", { colos = { "ams01" } }))
    end))
    -- Each that ends gives its slot back.
    for _ = 1, 3 do
      assert.is_table((create(here, "127.0.0.1", { colos = { "ams01" } })))
    end
  end)

  it("counts the calls of all workers where a shared dictionary is named", function()
    local here = colo.start {
      workers = 3,
      config = config(OPEN .. 'max_calls = 1, shared_dict = "calls",'
        .. "neighbours = {" .. standing("den01", "hang") .. "}"),
    }
    finally(function()
      here:stop()
    end)
    local leave = occupy(here)
    for _ = 1, 12 do
      assert_refused(429, 10100, here, {})
    end
    leave()
  end)
end)

describe("a colo in which something breaks", function()
  local here, stand_in

  setup(function()
    stand_in = server.get()
    here = colo.start {
      config = config(OPEN
        .. 'log = function(entry) ngx.log(ngx.NOTICE, entry.status, " ", entry.outcome) error "full" end, '
        .. "neighbours = {" .. neighbour("den01", stand_in:url("ok"), stand_in.ca_file) .. "}"),
      -- Faults as only a mistake in the module could make them.
      locations = [[
        location ~ ^/client/v4/accounts/early/ {
          content_by_lua_block {
            local calls = { take = function() error "broken on purpose" end }
            setmetatable({ calls = calls }, { __index = here }):serve()
          }
        }
        location ~ ^/client/v4/accounts/late/ {
          content_by_lua_block {
            local gather = require "traceroute.colo.gather"
            local run = gather.run
            gather.run = function(_, _, deliver)
              gather.run = run
              deliver(1, { colo = { name = "ams01", city = "Amsterdam, NL" }, error = "", hops = {} })
              error "broken on purpose"
            end
            here:serve()
          }
        }
        location ~ ^/client/v4/accounts/neighbour/ {
          content_by_lua_block {
            local config = setmetatable({ neighbours = {
              setmetatable({ name = "den01", city = "Denver" }, { __index = function() error "broken on purpose" end }),
            } }, { __index = here.config })
            setmetatable({ config = config }, { __index = here }):serve()
          }
        }
      ]],
    }
  end)

  teardown(function()
    here:stop()
  end)

  it("answers what others found when one of them breaks", function()
    local result, err, info = traceroute.create("neighbour", "127.0.0.1", {
      base_url = here.base_url, ca_file = here.ca_file, token = "s3cret-one", retries = 0,
      colos = { "ams01", "den01" } })
    assert.is_nil(err)
    assert.equal("", of_colo(result[1], "ams01").error)
    assert.equal("Could not gather traceroute data: Code 4", of_colo(result[1], "den01").error)
    assert.equal("127.0.0.1 from den01: could not be probed", info[1].messages[1].message)
    assert.matches("traceroute: colo den01: [^\n]*broken on purpose", here:error_log())
  end)

  it("says so before the first byte, breaks the answer off behind it, and logs why", function()
    local failure = assert_refused(500, 10500, here, { account = "early" })
    assert.equal("internal error", failure.message)
    local result, err = traceroute.create("late", { "127.0.0.1", "127.0.0.2" }, {
      base_url = here.base_url, ca_file = here.ca_file, token = "s3cret-one", retries = 0 })
    assert.equal("connection", err.kind)
    assert.equal("ams01", result[1].colos[1].colo.name)
    assert.same({ "127.0.0.1", "127.0.0.2" }, err.targets)
    local log = here:error_log()
    assert.equal(2, select(2, log:gsub("traceroute%.colo: [^\n]*broken on purpose", "")))
    assert.equal(2, select(2, log:gsub(" 500 failed[^\n]*\n", "")))
    assert.matches("traceroute%.colo: log: [^\n]*full", log)
  end)
end)
