-- What spec/memory/driver.c runs while memory fails. Given what to do, returns `run` and `check`. Where the stand-in
-- and the name server are, the environment says.

local what = ...

require "cjson"
local core = what ~= "opening" and require "traceroute.core"
local traceroute = core and require "traceroute"

local stand_in = assert(os.getenv("STAND_IN"), "STAND_IN") -- its base URL for the behaviour BEHAVIOUR
local ca_file, servers, key = os.getenv("CA_FILE"), os.getenv("DNS_SERVERS"), os.getenv("KEY")

local targets = {}
for i = 1, 12 do
  targets[i] = "192.0.2." .. i
end

local function options(behaviour)
  local url = stand_in:gsub("BEHAVIOUR", behaviour)
  return {
    base_url = url, ca_file = ca_file, token = "secret", timeout = 20, retries = 1,
    colos = { "den01" }, max_ttl = 2,
  }
end

-- For a behaviour that counts what it was asked: no other process has the same.
local function counted(behaviour)
  local stat = assert(io.open("/proc/self/stat"))
  local pid = stat:read("*n")
  stat:close()
  return ("%s/%s-%d"):format(behaviour, key, pid)
end

-- "whole", or the kind of the error, and what is wrong with either.
local function sum_up(result, err, count)
  if not err then
    assert(#result == count, "a result for each")
    for i = 1, count do
      assert(result[i].colos[1].hops[1].nodes[1].ip, "a node")
    end
    return "whole"
  end
  assert(err.kind ~= "timeout", tostring(err))
  assert(#tostring(err) > 10)
  assert(#err.targets == count - (result and #result or 0) or err.kind == "invalid_response", "targets")
  return err.kind
end

local function invalid(call)
  local result, err = call({}, {})
  assert(result == nil and tostring(err):find("^invalid_request: targets: "), tostring(err))
end

local function wait(job, err)
  if not job then
    return nil, err
  end
  job:send()
  return traceroute.wait(job)
end

-- A mistake, two requests of which each is tried again, and an answer of the wrong shape.
local function create(call)
  invalid(function(...)
    return call("account", ...)
  end)
  local result, err = call("account", targets, options(counted("retry/1/503/ms:1")))
  local first = err and not err.targets and err.kind or sum_up(result, err, 12)
  result, err = call("account", "192.0.2.1", options("wrong/result.1.colos.1.hops.1.packets_sent/string"))
  assert(err, "a number is no string")
  assert(result == nil or #result == 1)
  return first .. " " .. err.kind
end

-- Whoever is asked is at hand and answers, if late where all cores are busy. As long as there is no memory for a
-- probe, it waits for it until the timeout.
local function probe(call)
  invalid(call)
  local result, err = call({ "127.0.0.1", "here.test" }, {
    max_ttl = 3, packets_per_ttl = 1, wait_time = 3, dns_servers = servers, dns_timeout = 2, timeout = 6, rate = 1000,
  })
  return err and not err.targets and err.kind or sum_up(result, err, 2)
end

local WHAT = {
  create = function()
    return create(traceroute.create)
  end,
  thread = function()
    return create(function(...)
      return wait(core.start_in_thread(...))
    end)
  end,
  probe = function()
    return probe(traceroute.probe)
  end,
  survey = function()
    return probe(function(...)
      return wait(core.survey_in_thread(...))
    end)
  end,
}

-- What the core does when it is loaded, and again after that failed.
function WHAT.opening()
  package.preload["traceroute.core"]("traceroute.core")
  return "opened"
end

-- Without the rest that `create` does.
local function check()
  traceroute = traceroute or require "traceroute"
  invalid(traceroute.probe)
  local result, err
  if what == "probe" or what == "survey" then
    local call = what == "probe" and traceroute.probe or function(...)
      return wait(core.survey_in_thread(...))
    end
    result, err = call("127.0.0.1", {
      max_ttl = 3, packets_per_ttl = 1, wait_time = 3, resolve = false, asn = false,
    })
  elseif what == "thread" then
    result, err = wait(core.start_in_thread("account", "192.0.2.1", options("ok")))
  else
    result, err = traceroute.create("account", "192.0.2.1", options("ok"))
  end
  return err and tostring(err) or sum_up(result, err, 1) == "whole" and "fine"
end

return WHAT[what], check
