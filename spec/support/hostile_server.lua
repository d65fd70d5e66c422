-- How a case of a hostile server is run: what the case is made of becomes a URL, one call is made, and what came of
-- it is brought into the form in which the case says what to expect. Knows no test framework: the cases are run by
-- specs, and by a process that counts what they leave behind.
--
-- A case: { name,
--   at = behaviour of the stand-in, on = its listener ("https"); or
--   text = body [, type, status]; or cut = body that breaks off; or
--   wire = whole HTTP answer to the byte, or a function that gives it, on = "http11" or "http", how = the stand-in's
--     way to say it ("bytes/NAME"); or
--   serve = function(client, text), called for what arrives at a TCP port of its own ("" when it connects), plain =
--     without TLS, window = about how many bytes it takes before it is asked; or
--   url = function(stand_in) -> URL [, function to call at the end]
--   opts = more options of the call, or a function(stand_in) that gives them
--   kind, status, path, code, retry_after of the error (at_most: a retry_after by the clock), attempts (1); says = a
--     pattern of its message
--   colos = names of the colos that arrived of the first result, or their number
--   requests = how many the stand-in saw, where it matters
--   is_long = whether there is much to take in before it can end }

local cjson = require "cjson"
local host = require "spec.support.host"
local traceroute = require "traceroute"
local uv = require "luv"

local hostile_server = {}

local TARGET = "1.1.1.1"
local TIMEOUT, GRACE = 20, 10 -- seconds
local LATE = 3 -- after the timeout, where one has to run out
local AT_ONCE = 5 * ((host.is_sanitized() or os.getenv("CHECKED_LUA")) and 6 or 1) -- where none has to

-- A TCP port that does with its clients what `serve` says. Its URL and how to end it.
local function listen(serve, plain, window)
  local socket, clients = uv.new_tcp(), {}
  assert(socket:bind("127.0.0.1", 0))
  if window then
    assert(socket:recv_buffer_size(window))
  end
  assert(socket:listen(8, function()
    local client = uv.new_tcp()
    socket:accept(client)
    clients[#clients + 1] = client
    client:read_start(function(_, text)
      if text and not client:is_closing() then
        serve(client, text)
      end
    end)
    serve(client, "")
  end))
  local function stop()
    clients[#clients + 1] = socket
    for _, handle in ipairs(clients) do
      if not handle:is_closing() then
        handle:close()
      end
    end
    uv.run("nowait")
  end
  return ("%s://127.0.0.1:%d"):format(plain and "http" or "https", socket:getsockname().port), stop
end

-- The case's base URL, and what to call at the end, if anything.
local function place(stand_in, case)
  if case.serve then
    return listen(case.serve, case.plain, case.window)
  elseif case.url then
    return case.url(stand_in)
  elseif case.text then
    return stand_in:raw("hostile", case.text, case.type, case.status)
  elseif case.cut then
    stand_in:raw("hostile", case.cut)
    return stand_in:url("cut_raw/hostile", case.on)
  elseif case.wire then
    stand_in:raw("hostile", type(case.wire) == "function" and case.wire() or case.wire)
    return stand_in:url((case.how or "bytes/NAME"):gsub("NAME", "hostile"), case.on or "http11")
  end
  return stand_in:url(case.at, case.on)
end

local function colos_of(result, expected)
  local colos = result and result[1].colos
  if not colos or type(expected) == "number" then
    return colos and #colos
  end
  local names = {}
  for i, entry in ipairs(colos) do
    names[i] = entry.colo and entry.colo.name or "(no name)"
  end
  return names
end

-- "in time" for a wait until `at_most` seconds after the call began, which is by the clock; or the wait as it is.
local function in_time(wait, at_most)
  if at_most and wait and wait <= at_most and wait >= at_most - TIMEOUT - GRACE then
    return "in time"
  end
  return wait
end

-- Ends the connections that calls before this one left open.
function hostile_server.let_go()
  debug.getregistry()["traceroute.reactor"] = nil
  collectgarbage()
  collectgarbage()
end

local calls = 0

-- Runs a case. Returns two tables, which are the same if all went as it says.
function hostile_server.run(stand_in, case)
  stand_in:reset()
  calls = calls + 1
  local url, stop = place(stand_in, case)
  -- a token of its own: what a 429 says holds for whoever shares it
  local token = ("hostile-token-%d-%d"):format(uv.os_getpid(), calls)
  local opts = {
    base_url = url, ca_file = stand_in.ca_file, token = token, timeout = TIMEOUT, retries = 0, quota = 0,
  }
  local own_opts = type(case.opts) == "function" and case.opts(stand_in) or case.opts or {}
  for name, value in pairs(own_opts) do
    opts[name] = value
  end
  local has_to_wait = case.kind == "timeout" or own_opts.connect_timeout
  local limit = has_to_wait and (own_opts.connect_timeout or opts.timeout) + LATE or AT_ONCE * (case.is_long and 4 or 1)
  local begun = uv.hrtime()
  local job = assert(traceroute.start(stand_in.account, TARGET, opts))
  while not job:step(case.serve and 0.002 or 1) do
    if case.serve then
      uv.run("nowait")
    end
  end
  local result, err, info = job:result()
  local seconds = (uv.hrtime() - begun) / 1e9
  if stop then
    stop()
  end
  local got = {
    kind = err and err.kind, status = err and err.status, path = err and err.path, colos = colos_of(result, case.colos),
    attempts = err and err.attempts, targets = err and err.targets,
    says = case.says and err and (err.message:find(case.says) and case.says or err.message),
    late = seconds > limit and seconds or nil,
    early = case.kind == "timeout" and seconds < opts.timeout and seconds or nil,
    leak = (tostring(err) .. cjson.encode(info)):find(token, 1, true),
    unfit = not pcall(cjson.encode, result) and "cannot be encoded" or nil,
    code = case.code and err and err.code,
    retry_after = err and in_time(err.retry_after, case.at_most),
    requests = case.requests and #stand_in:requests(),
  }
  local expected = {
    kind = case.kind, status = case.status, path = case.path, colos = case.colos,
    attempts = case.kind and (case.attempts or 1), targets = case.kind and { TARGET },
    says = case.says, code = case.code, retry_after = case.at_most and "in time" or case.retry_after,
    requests = case.requests,
  }
  return expected, got
end

-- All cases, in the order of their files.
function hostile_server.cases()
  local list = {}
  for _, name in ipairs { "connections", "messages", "bodies", "texts", "refusals" } do
    for _, case in ipairs(require("spec.hostile." .. name)) do
      case.room = name
      list[#list + 1] = case
    end
  end
  return list
end

return hostile_server
