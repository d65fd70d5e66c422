-- colo: a colo of one's own. Inside nginx it answers POST /…/accounts/:id/diagnostics/traceroute as the service
-- does, probing from this machine and asking its neighbours. Here the rooms of a call are joined: what is refused,
-- what is measured, how the answer goes out and what the log says is theirs to know.
--
--   init_by_lua_block { here = require("traceroute.colo").new { name = "ams01", credentials = { … } } }
--   location /client/v4/accounts/ { content_by_lua_block { here:serve() } }

local access = require "traceroute.colo.access"
local answer = require "traceroute.colo.answer"
local calls = require "traceroute.colo.calls"
local configuration = require "traceroute.colo.configuration"
local gather = require "traceroute.colo.gather"
local request = require "traceroute.colo.request"

local ngx = ngx -- luacheck: ignore (nginx's own global)

local colo = {}
local Colo = {}
Colo.__index = Colo

local CLIENT_LEFT = 499
-- For a client that is told that too many calls are going on; a trace takes about as long.
local RETRY_AFTER = 5

--- A colo as configured. A wrong configuration is raised, naming the field: nginx does not start with it.
---@param config traceroute.colo.Configuration
---@return traceroute.colo.Colo
function colo.new(config)
  if type(ngx) ~= "table" then
    error("traceroute.colo works inside nginx (ngx_lua) alone", 2)
  end
  local checked, err = configuration.read(config)
  if not checked then
    error("traceroute.colo: " .. (err.path and err.path .. ": " or "") .. err.message, 2)
  end
  return setmetatable({
    config = checked,
    access = access.new(checked.credentials),
    calls = calls.new(checked.max_calls, gather.longest(checked), checked.shared_dict),
  }, Colo)
end

-- The names keep their order, and whoever reads the log is never shown a credential.
-- nginx cuts a line of its log at 2 kB, which nobody may use to hide a target.
local TARGETS_IN_A_LINE = 4
local FAILED_BYTES = 400
local LINE = "traceroute: account=%s client=%s status=%d outcome=%s seconds=%.3f targets=%s%s colos=%s"

-- " failed=example.com@sin02:3,+7": what failed of these targets, and how many more there is no room for.
local function failed_of(entry, first, last)
  local parts, bytes, more = {}, 0, 0
  for _, failure in ipairs(entry.failures) do
    if failure.target >= first and failure.target <= last then
      local text = ("%s@%s:%d"):format(entry.targets[failure.target], failure.colo, failure.code)
      bytes = bytes + #text + 1
      if bytes <= FAILED_BYTES then
        parts[#parts + 1] = text
      else
        more = more + 1
      end
    end
  end
  if more > 0 then
    parts[#parts + 1] = "+" .. more
  end
  return #parts > 0 and " failed=" .. table.concat(parts, ",") or ""
end

local function log_line(entry)
  local targets = entry.targets or { "-" }
  for first = 1, #targets, TARGETS_IN_A_LINE do
    local last = math.min(first + TARGETS_IN_A_LINE - 1, #targets)
    ngx.log(ngx.NOTICE, LINE:format(entry.account or "-", entry.client or "-", entry.status, entry.outcome,
      entry.seconds, table.concat(targets, ",", first, last), failed_of(entry, first, last),
      table.concat(entry.colos or { "-" }, ",")))
  end
end

-- Notes how the call ended, once, and gives back what it held.
local function finish(self, call, status, outcome, failures)
  if call.ended then
    return
  end
  call.ended = true
  if call.slot then
    self.calls:give(call.slot)
  end
  ngx.update_time()
  local entry = {
    account = call.account,
    client = ngx.var.remote_addr,
    targets = call.asked and call.asked.targets,
    colos = call.asked and call.asked.colos,
    seconds = ngx.now() - call.began,
    status = status,
    outcome = outcome,
    failures = failures or {},
  }
  local ok, why = pcall(self.config.log or log_line, entry)
  if not ok then
    ngx.log(ngx.ERR, "traceroute.colo: log: ", why)
  end
end

local function refuse(self, call, refusal)
  call.refused = true
  answer.refuse(refusal)
  finish(self, call, refusal.status, "refused")
end

-- Whatever is wrong with a request is found before the first byte of a good answer goes out.
local function check(self, call)
  local refusal
  call.account, refusal = request.account()
  refusal = refusal or request.method() or self.access:check(ngx.req.get_headers(0), call.account)
  if not refusal then
    call.asked, refusal = request.body(self.config)
  end
  if refusal then
    return refusal
  end
  call.slot = self.calls:take()
  if not call.slot then
    return {
      status = 429, code = 10100, retry_after = RETRY_AFTER,
      message = "too many calls at once; retry later",
    }
  end
end

local function run(self, call)
  local refusal = check(self, call)
  if refusal then
    return refuse(self, call, refusal)
  end
  -- nginx tells of a client that goes away where lua_check_client_abort is on; else the next write does.
  ngx.on_abort(function()
    finish(self, call, CLIENT_LEFT, "left")
    ngx.exit(CLIENT_LEFT)
  end)
  local stream = answer.stream(call.asked)
  call.stream = stream
  local messages, failures = gather.run(self.config, call.asked, function(target, result)
    return stream:put(target, result)
  end)
  if not messages or not stream:finish(messages) then
    return finish(self, call, CLIENT_LEFT, "left")
  end
  finish(self, call, 200, #failures == 0 and "ok" or ("partial(%d)"):format(#failures), failures)
end

--- Answers the request at hand; for content_by_lua.
function Colo:serve()
  local call = { began = ngx.req.start_time() }
  local ok, why = xpcall(function()
    return run(self, call)
  end, debug.traceback)
  if ok then
    return
  end
  ngx.log(ngx.ERR, "traceroute.colo: ", why)
  finish(self, call, 500, "failed")
  if ngx.headers_sent then
    -- Broken off, so that nobody takes it for the whole answer.
    return ngx.exit(ngx.ERROR)
  end
  answer.refuse { status = 500, code = 10500, message = "internal error" }
end

return colo
