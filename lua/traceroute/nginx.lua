-- nginx: how to wait inside nginx and OpenResty. The transfers live in the core's thread; a request waits for its
-- job at a unix socket, the doorbell, in a cosocket of its own, so that nginx knows of the wait: a client that goes
-- away, a killed light thread and a reload end it as they end any other. It knows nothing of HTTP or results.
local shared_pace = require "traceroute.shared_pace"

local nginx = {}

local ngx = ngx -- luacheck: ignore (nginx's own global)

-- Phases in which ngx_lua lets code wait on a socket.
local WAITING_PHASES = {
  rewrite = true,
  server_rewrite = true,
  access = true,
  content = true,
  timer = true,
  preread = true,
  ssl_cert = true,
  ssl_client_hello = true,
  ssl_session_fetch = true,
}

-- Seconds beyond the job's own end, by which its thread has surely said so.
local GRACE = 10
local CONNECT_SECONDS = 5
-- Connections to the doorbell that are kept for the next jobs, and for how long.
local KEPT, KEPT_SECONDS = 64, 10
-- Between two looks at calls that hold a shared quota: who waited for one may have gone away.
local LOOK_SECONDS = 1
-- Between two runs of decoding, and the least of any sleep: with less nginx looks neither at its sockets nor at its
-- clock.
local PAUSE_SECONDS = 0.001

--- Why a job cannot be started or waited for in the running phase; nil if it can.
---@param waits boolean whether it is to be waited for
function nginx.refusal(waits)
  local phase = ngx.get_phase()
  if phase == "init" then
    return "nothing can be sent from init_by_lua, which runs before the workers are there; use ngx.timer.at(0, …) "
      .. "in init_worker_by_lua"
  elseif waits and not WAITING_PHASES[phase] then
    return "the phase " .. phase .. " of nginx cannot wait; use ngx.timer.at(0, …)"
  end
end

-- Why nginx let nobody to the doorbell; of its own lack of connections ngx_lua says no more than "error".
local function locked_out(err)
  local advice = err:find "open files" and "; raise worker_rlimit_nofile"
    or err == "error" and "; raise worker_connections" or ""
  return "no connection to the transfer's thread (" .. err .. ")" .. advice, "connection"
end

-- Why nginx, or the thread, ended a wait.
local function sent_away(err)
  if ngx.worker.exiting() then
    return "the worker ends, and with it the wait (" .. err .. "); raise worker_shutdown_timeout"
  elseif err == "timeout" then
    return "the transfer's thread did not say in time that the call is over"
  end
  return "the transfer's thread ended the wait (" .. err .. "), having no descriptors left; raise "
    .. "worker_rlimit_nofile", "connection"
end

local function ring_until_done(job, socket)
  local receive = socket.receiveany or socket.receive
  while true do
    local done, more = job:step(0)
    if done then
      return true
    elseif done == nil then
      return nil, more.message
    elseif more then
      ngx.sleep(PAUSE_SECONDS)
    else
      local byte, err = receive(socket, 1)
      if not byte then
        return nil, sent_away(err)
      end
    end
  end
end

--- Waits for a job; other requests go on meanwhile.
---@return boolean? done nil if it cannot be waited for
---@return string? reason why not
---@return string? kind of error that this is, if not `cancelled`
function nginx.wait(job)
  if job:step(0) then
    return true
  end
  local refusal = nginx.refusal(true)
  if refusal then
    return nil, refusal, "invalid_request"
  end
  local path, number, seconds = job:doorbell()
  if not path then
    return nil, number.message, number.kind == "cancelled" and "invalid_request" or number.kind
  end
  local socket = ngx.socket.tcp()
  socket:settimeouts(CONNECT_SECONDS * 1000, CONNECT_SECONDS * 1000, (seconds + GRACE) * 1000)
  local connected, err = socket:connect("unix:" .. path)
  if not connected then
    return nil, locked_out(err)
  end
  local sent, failure = socket:send(number .. "\n")
  local done, reason, kind
  if sent then
    done, reason, kind = ring_until_done(job, socket)
  else
    reason, kind = sent_away(failure)
  end
  if not (done and socket:setkeepalive(KEPT_SECONDS * 1000, KEPT)) then
    socket:close()
  end
  return done, reason, kind
end

-- The tickets that are to be settled.
local open = {}
local is_looking = false

local settle_ended

-- If nginx gives no timer now, the next call asks again.
local function look_later()
  is_looking = is_looking or next(open) ~= nil and ngx.timer.at(LOOK_SECONDS, settle_ended)
end

-- Gives back what a call did not send, once it has ended.
local function settle(ticket)
  local sent = ticket.receipt()
  if sent and open[ticket] then
    open[ticket] = nil
    shared_pace.settle(ticket.dict, ticket.taken, sent, ngx.now())
  end
end

settle_ended = function()
  is_looking = false
  for ticket in pairs(open) do
    settle(ticket)
  end
  look_later()
end

local function send_paced(job, dict)
  local requests, tries, quota, name, seconds, receipt = job:demand()
  local wanted = quota == 0 and requests or math.min(requests * tries, math.max(quota, requests))
  local finish, cannot_wait = ngx.now() + seconds, nginx.refusal(true)
  while true do
    local left = finish - ngx.now()
    local wait, taken, err = shared_pace.take(dict, name, wanted, quota, ngx.now(), left)
    if err then
      return nil, { kind = "invalid_request", path = "shared_dict", message = err }
    elseif wait == 0 then
      job:send()
      local ticket = { dict = dict, name = name, taken = taken, receipt = receipt }
      open[ticket] = true
      look_later()
      return ticket
    elseif wait == math.huge then
      return nil, {
        kind = "invalid_request",
        path = "targets",
        message = "more requests than the quota allows in five minutes; make several calls",
      }
    elseif cannot_wait or wait > left then
      return nil, {
        kind = "rate_limit",
        retry_after = wait,
        message = ("not sent, since the workers' shared limit on requests in five minutes would have been exceeded; "
          .. "raise timeout, or wait %d s (retry_after)"):format(math.ceil(wait)),
      }
    end
    ngx.sleep(math.max(wait, PAUSE_SECONDS))
  end
end

--- Sends a job's requests, in step with the other workers when a shared dictionary is named.
---@param job table as core.start_in_thread returned it
---@param shared_dict? string name of a lua_shared_dict
---@return table? ticket to be settled; nil and an error (a plain table) when nothing was sent
function nginx.send(job, shared_dict)
  if not shared_dict then
    job:send()
    return {}
  end
  local dict = ngx.shared[shared_dict]
  if not dict then
    return nil, {
      kind = "invalid_request",
      path = "shared_dict",
      message = "nginx has no lua_shared_dict " .. shared_dict,
    }
  end
  return send_paced(job, dict)
end

--- After the call: what was taken from the shared quota and not sent is given back at once. That of calls which nobody
--- waits for, or whose client went away, is given back within some seconds of their end.
---@param ticket table from nginx.send
---@param err? traceroute.Error
function nginx.settle(ticket, err)
  if not ticket.dict then
    return
  end
  settle(ticket)
  -- What the process's own pace refused is no word of the service.
  if err and err.status == 429 and err.retry_after then
    shared_pace.hold(ticket.dict, ticket.name, err.retry_after, ngx.now())
  end
end

return nginx
