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
--   frames = what is said of HTTP/2, to the byte, once the request came; endless = what is then said over and over;
--     after = what is said once the PING in the former is answered, before the connection is closed; or
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
local TIMEOUT, GRACE = 20 * host.patience(), 10 -- seconds
local LATE = 3 * host.patience() -- after the timeout, where one has to run out
local AT_ONCE = TIMEOUT / 2 -- where none has to

-- A TCP port that does with its clients what `serve` says. Its URL and how to end it, which may be said twice.
function hostile_server.listen(serve, plain, window)
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

local PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
local DATA, PING = 0, 6

-- Whether what a client said, from its preface on, holds a whole frame of that kind with flag 1: the end of a stream,
-- or the answer to a PING.
local function has_frame(bytes, kind)
  local at = #PREFACE
  while #bytes >= at + 9 do
    local high, middle, low, this, flags = bytes:byte(at + 1, at + 5)
    at = at + 9 + high * 65536 + middle * 256 + low
    if this == kind and flags % 2 == 1 and #bytes >= at then
      return true
    end
  end
  return false
end

-- What to say to the bytes of a client, as they come, and whether to close then.
local function speaker(case)
  local came, waits_for = "", DATA
  return function(bytes)
    if bytes:find(PREFACE, 1, true) then
      came, waits_for = "", DATA
    end
    came = came .. bytes
    if not waits_for or not has_frame(came, waits_for) then
      return nil
    elseif waits_for == PING then
      return case.after, true
    end
    waits_for = case.after and PING
    return case.frames
  end
end

-- A TLS port that speaks HTTP/2 by name, and says to its clients what the case is made of. Its URL and how to end it.
local function listen_http2(stand_in, case)
  local port, input, output, speak = host.free_ports(1)[1], uv.new_pipe(false), uv.new_pipe(false), speaker(case)
  local address, certificate = "127.0.0.1:" .. port, stand_in.directory .. "/good"
  local process = assert(uv.spawn("openssl", { stdio = { input, output, nil }, args = { "s_server", "-quiet", "-alpn",
    "h2", "-accept", address, "-cert", certificate .. ".pem", "-key", certificate .. ".key" } }, function() end))
  process:unref()
  while not host.connects(port) do
    host.pause(2)
  end
  local function go_on(err)
    if not err and not input:is_closing() then
      input:write(case.endless, go_on)
    end
  end
  output:read_start(function(_, bytes)
    local words, is_last = speak(bytes or "")
    if words then
      input:write(words, case.endless and go_on or nil)
    end
    if is_last then
      input:shutdown()
    end
  end)
  return "https://" .. address, function()
    process:kill("sigkill")
    for _, handle in ipairs { input, output, process } do
      handle:close()
    end
    uv.run("nowait")
  end
end

-- The case's base URL, and what to call at the end, if anything.
local function place(stand_in, case)
  if case.serve then
    return hostile_server.listen(case.serve, case.plain, case.window)
  elseif case.frames then
    return listen_http2(stand_in, case)
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
  local own_opts = type(case.opts) == "function" and case.opts(stand_in) or case.opts or {}
  local opts = stand_in:options(url, { token = token, timeout = TIMEOUT, retries = 0, quota = 0 }, own_opts)
  local has_to_wait = case.kind == "timeout" or own_opts.connect_timeout
  local limit = has_to_wait and (own_opts.connect_timeout or opts.timeout) + LATE or AT_ONCE * (case.is_long and 2 or 1)
  local begun = uv.hrtime()
  local job = assert(traceroute.start(stand_in.account, TARGET, opts))
  local is_ours = case.serve or case.frames
  while not job:step(is_ours and 0.002 or 1) do
    if is_ours then
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
  for _, name in ipairs { "connections", "messages", "http2", "bodies", "texts", "refusals" } do
    for _, case in ipairs(require("spec.hostile." .. name)) do
      case.room = name
      list[#list + 1] = case
    end
  end
  return list
end

return hostile_server
