-- What ends in nginx while calls are in flight: clients, configurations, workers, Lua states. Nothing may be left
-- behind, and nothing that can be delivered may be lost.
if not rawget(_G, "jit") then
  return
end

local cjson = require "cjson"
local host = require "spec.support.host"
local server = require "spec.support.server"
local worker = require "spec.support.worker"

local CALL = [[
  location = /call { content_by_lua_block { require("spec.support.caller").answer() } }
  location = /many { content_by_lua_block { require("spec.support.caller").answer_many() } }
]]

local function all(list, count, field)
  local found = 0
  for _, request in ipairs(list) do
    found = found + (request[field] and 1 or 0)
  end
  return #list == count and found == count
end

-- As in the fourth column of /proc/net/unix.
local LISTENING, CONNECTED = "00010000", "00000000"

-- How many sockets bound below the directory have such flags.
local function doorbells(directory, flags)
  local count = 0
  for line in host.read("/proc/net/unix"):gmatch("[^\n]+") do
    local has, path = line:match("^%S+ %S+ %S+ (%S+) %S+ %S+ +%d+ (.+)$")
    if has == flags and path:find(directory .. "/", 1, true) == 1 then
      count = count + 1
    end
  end
  return count
end

describe("what ends in nginx", function()
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
    options.locations = options.locations or CALL
    nginx = worker.start(options)
    return nginx
  end

  local function path(location, behaviour, query)
    query = query or {}
    query.base, query.ca = query.base or stand_in:url(behaviour), query.ca or stand_in.ca_file
    return worker.path(location, query)
  end

  local function begin(behaviour, count)
    local asked = {}
    for i = 1, count do
      asked[i] = nginx:begin(path("/call", behaviour))
    end
    assert.is_table(stand_in:await(function(list)
      return #list == count
    end))
    return asked
  end

  local function assert_delivered(asked)
    for _, one in ipairs(asked) do
      local body, status = one:finish()
      assert.equal(200, status)
      assert.equal(2, cjson.decode(body).colos)
    end
  end

  local function pid()
    return tonumber((nginx:get("/pid")))
  end

  local function await_end_of(number)
    assert.is_true(worker.await(function()
      return not worker.is_alive(number)
    end))
  end

  local function assert_ended_well()
    local log = nginx:error_log()
    assert.is_nil(log:match("[^\n]*exited on signal[^\n]*"))
    for line in log:gmatch("[^\n]*%[alert%][^\n]*") do
      assert.matches("lua_code_cache is off", line)
    end
  end

  for _, listener in ipairs { "https", "http11" } do
    it("drops the transfers of clients that go away, at " .. listener, function()
      start { http = "lua_check_client_abort on;" }
      local asked = {}
      for i = 1, 3 do
        asked[i] = nginx:begin(worker.path("/call", {
          base = stand_in:url("hang", listener), ca = stand_in.ca_file, targets = ("t%d.example"):format(i) }))
      end
      assert.is_table(stand_in:await(function(list)
        return #list == 3
      end))
      asked[2]:abort()
      assert.is_table(stand_in:await(function(list)
        local aborted = {}
        for _, request in ipairs(list) do
          aborted[cjson.decode(request.body).targets[1]] = request.aborted
        end
        return aborted["t2.example"]
      end))
      local list = stand_in:requests()
      local aborted = 0
      for _, request in ipairs(list) do
        aborted = aborted + (request.aborted and 1 or 0)
      end
      assert.equal(1, aborted)
      asked[1]:abort()
      asked[3]:abort()
      assert.is_table(stand_in:await(function(seen)
        return all(seen, 3, "aborted")
      end))
      assert.equal("pong", (nginx:get("/ping")))
    end)
  end

  it("delivers what is in flight at a reload, and goes on in a new worker", function()
    start {}
    local before = pid()
    local asked = begin("slow/1000", 20)
    nginx:signal("HUP")
    local after = worker.await(function()
      local number = pid()
      return number ~= before and number
    end)
    assert.is_number(after)
    local other = nginx:begin(path("/call", "ok"))
    assert_delivered(asked)
    assert_delivered { other }
    await_end_of(before)
    assert_ended_well()
  end)

  it("delivers what is in flight at QUIT", function()
    start {}
    local number = pid()
    local asked = begin("slow/700", 20)
    nginx:signal("QUIT")
    assert_delivered(asked)
    await_end_of(number)
    assert_ended_well()
  end)

  it("ends calls that outlast worker_shutdown_timeout, and says so", function()
    start {
      shutdown = "300ms",
      locations = [[
        location = /call {
          content_by_lua_block {
            local caller = require "spec.support.caller"
            local targets, opts = caller.query()
            assert(ngx.timer.at(0, function()
              ngx.log(ngx.WARN, "outcome: ", require("cjson").encode(caller.call(targets, opts)))
            end))
          }
        }
      ]],
    }
    local before = pid()
    begin("hang", 5)
    nginx:signal("HUP")
    await_end_of(before)
    assert.is_table(stand_in:await(function(list)
      return all(list, 5, "aborted")
    end))
    local outcomes = 0
    for line in nginx:error_log():gmatch("outcome: (%b{})") do
      local outcome = cjson.decode(line)
      assert.equal("cancelled", outcome.kind)
      assert.equal("the worker ends, and with it the wait (closed); raise worker_shutdown_timeout", outcome.message)
      outcomes = outcomes + 1
    end
    assert.equal(5, outcomes)
    assert_ended_well()
  end)

  for _, behaviour in ipairs { "hang", "hang_after/2000", "drip/20/50", "big/10/330/15" } do
    it("ends cleanly at TERM with calls in flight that " .. behaviour, function()
      start {}
      local number = pid()
      local asked = begin(behaviour, 8)
      nginx:signal("TERM")
      await_end_of(number)
      for _, one in ipairs(asked) do
        one:finish()
      end
      assert.is_table(stand_in:await(function(list)
        return all(list, 8, "ended")
      end))
      assert_ended_well()
    end)
  end

  it("ends cleanly while a name is looked up or a handshake hangs", function()
    start {}
    local number = pid()
    local port, handle = server.silent_port()
    local asked = nginx:begin(path("/call", "", { base = ("https://127.0.0.1:%d"):format(port) }))
    assert.equal("pong", (nginx:get("/ping")))
    nginx:signal("TERM")
    await_end_of(number)
    asked:finish()
    handle.close()
    assert_ended_well()
  end)

  it("leaves no descriptor and no thread behind when each request has a Lua state of its own", function()
    start { http = "lua_code_cache off; lua_check_client_abort on;" }
    local number = pid()
    local function threads()
      return tonumber((host.run(("ls /proc/%d/task | wc -l"):format(number))))
    end
    for _ = 1, 3 do
      assert.equal(2, cjson.decode((nginx:get(path("/call", "ok")))).colos)
    end
    local descriptors, count = worker.descriptors(number), threads()
    for _ = 1, 20 do
      assert.equal(2, cjson.decode((nginx:get(path("/call", "ok")))).colos)
    end
    stand_in:reset()
    for i, one in ipairs(begin("hang", 5)) do
      one:abort()
      assert.is_table(stand_in:await(function(list)
        local aborted = 0
        for _, request in ipairs(list) do
          aborted = aborted + (request.aborted and 1 or 0)
        end
        return aborted >= i
      end))
    end
    nginx:get("/ping")
    assert.is_true(worker.await(function()
      return worker.descriptors(number) <= descriptors
    end))
    assert.equal(count, threads())
    assert.equal(number, pid())
    assert_ended_well()
  end)

  it("leaves no descriptor behind after 200 calls, half of them aborted", function()
    start { http = "lua_check_client_abort on;" }
    local number = pid()
    assert.same({ right = 20, wrong = {} }, cjson.decode((nginx:get(path("/many", "ok", { n = 20 })))))
    local before = worker.descriptors(number)
    for _ = 1, 5 do
      stand_in:reset()
      local asked = nginx:begin(path("/many", "hang", { n = 20 }))
      assert.is_table(stand_in:await(function(list)
        return #list == 20
      end))
      asked:abort()
      assert.same({ right = 20, wrong = {} }, cjson.decode((nginx:get(path("/many", "slow/50", { n = 20 })))))
      assert.is_table(stand_in:await(function(list)
        return all(list, 40, "ended")
      end))
    end
    local after
    worker.await(function()
      after = worker.descriptors(number)
      return after <= before
    end)
    assert.is_true(after <= before)
  end)

  it("leaves every signal to nginx's own thread", function()
    start {}
    assert.equal(2, cjson.decode((nginx:get(path("/call", "ok")))).colos)
    local number, threads = pid(), 0
    for task in host.run(("ls /proc/%d/task"):format(number)):gmatch("%d+") do
      local blocked = host.read(("/proc/%d/task/%s/status"):format(number, task)):match("\nSigBlk:%s*(%x+)")
      if tonumber(task) == number then
        assert.equal(("0"):rep(16), blocked)
      else
        -- Of the first 31, all but SIGKILL and SIGSTOP; the next is libc's own.
        assert.matches("[7f]ffbfeff$", blocked)
        threads = threads + 1
      end
    end
    assert.is_true(threads >= 1)
  end)

  it("leaves no file behind", function()
    local directory = host.private_directory("traceroute-tmpdir")
    host.run("chmod 1777 " .. host.quote(directory))
    finally(function()
      host.remove(directory)
    end)
    start { main = ("env TMPDIR=%s;"):format(directory) }
    assert.equal(2, cjson.decode((nginx:get(path("/call", "ok")))).colos)
    local named = host.run(("ls -la --time-style=+ %s | wc -l"):format(host.quote(directory)))
    assert.equal(3, tonumber(named))
    assert.equal(1, doorbells(directory, LISTENING))
  end)

  it("keeps its connection to the doorbell for the next call", function()
    local directory = host.private_directory("traceroute-tmpdir")
    host.run("chmod 1777 " .. host.quote(directory))
    finally(function()
      host.remove(directory)
    end)
    start { main = ("env TMPDIR=%s;"):format(directory) }
    for _ = 1, 10 do
      assert.equal(2, cjson.decode((nginx:get(path("/call", "ok")))).colos)
    end
    assert.equal(1, doorbells(directory, CONNECTED))
    assert.same({ right = 100, wrong = {} }, cjson.decode((nginx:get(path("/many", "slow/500", { n = 100 })))))
    assert.is_true(worker.await(function()
      return doorbells(directory, CONNECTED) == 64
    end))
  end)

  it("finds another place for its socket when TMPDIR is none", function()
    start { main = "env TMPDIR=/nonexistent/directory;" }
    assert.equal(2, cjson.decode((nginx:get(path("/call", "ok")))).colos)
  end)

  it("finds another place for its socket when TMPDIR is longer than a socket's name can be", function()
    start { main = "env TMPDIR=/tmp/" .. ("x"):rep(200) .. ";" }
    assert.equal(2, cjson.decode((nginx:get(path("/call", "ok")))).colos)
  end)

  it("works as www-data", function()
    local readable = "setpriv --reuid www-data --regid www-data --clear-groups test -r "
      .. host.quote(host.root() .. "/lua/traceroute/init.lua")
    if host.run("id -u"):match("%d+") ~= "0" or select(2, host.run(readable .. " 2>/dev/null")) ~= 0 then
      pending("needs root, and a checkout that www-data may read")
      return
    end
    start { user = "www-data" }
    local ca = nginx.directory .. "/ca.pem"
    host.run(("cp %s %s && chmod 644 %s"):format(host.quote(stand_in.ca_file), host.quote(ca), host.quote(ca)))
    host.run("chmod 755 " .. host.quote(nginx.directory))
    assert.equal(2, cjson.decode((nginx:get(path("/call", "ok", { ca = ca })))).colos)
    assert.equal("www-data", (host.run(("stat -c %%U /proc/%d | tr -d '\\n'"):format(pid()))))
  end)
end)
