-- gather: a call's results, from this machine and from the neighbours, side by side in light threads, handed on as
-- they come. It knows how each is asked and what its failure is called; neither HTTP nor who asked.
--
-- Every target is a trace of its own here, a neighbour is asked for all of them at once, for its own colo alone: so
-- two colos that are each other's neighbours do not ask in circles.

local traceroute = require "traceroute"

local ngx = ngx -- luacheck: ignore (nginx's own global)

local gather = {}

---@class traceroute.colo.Failure
---@field target integer its place among those asked for
---@field colo string
---@field code integer

local UNREACHABLE, REFUSED, LATE, OTHER = 1, 2, 3, 4

local MEANING = {
  [UNREACHABLE] = "the colo cannot be reached",
  [REFUSED] = "refused by the colo",
  [LATE] = "not probed in time",
  [OTHER] = "could not be probed",
}

-- What a neighbour's failure is; any other kind is OTHER.
local OF_NEIGHBOUR = {
  connection = UNREACHABLE,
  timeout = LATE,
  authentication = REFUSED,
  permission = REFUSED,
  not_found = REFUSED,
  rate_limit = REFUSED,
  invalid_request = REFUSED,
  api = REFUSED,
}

-- Of our own: a permission is the rules' refusal where it names the argument, else one that mtr-packet lacks.
local function of_ours(err)
  if err.kind == "permission" and err.path then
    return REFUSED
  end
  return err.kind == "timeout" and LATE or OTHER
end

-- Messages start here: 1101 says what Code 1 is.
local MESSAGE_BASE = 1100
local MAX_MESSAGES = 100

-- So that what a neighbour found in its own time still arrives.
local NEIGHBOUR_SHARE = 1.1
local CONNECT_SECONDS = 5
local RETRIES = 1
-- More than ten targets come to with every packet answered by another node.
local NEIGHBOUR_BYTES = 8 * 1024 * 1024

--- Seconds that a call may take at most.
function gather.longest(config)
  return config.max_seconds * NEIGHBOUR_SHARE
end

local function error_text(code)
  return code and ("Could not gather traceroute data: Code %d"):format(code) or ""
end

local function note(self, task, out)
  for _, one in ipairs(out) do
    if one.code then
      self.failures[#self.failures + 1] = { target = one.target, colo = task.name, code = one.code }
      self.messages[#self.messages + 1] = {
        code = MESSAGE_BASE + one.code,
        message = ("%s from %s: %s"):format(self.asked.targets[one.target], task.name, MEANING[one.code]),
      }
    end
  end
  for _, message in ipairs(out.messages or {}) do
    self.messages[#self.messages + 1] = message
  end
  for i = MAX_MESSAGES + 1, #self.messages do
    self.messages[i] = nil
  end
end

local function empty_result(name, city, code)
  return { colo = { name = name, city = city }, error = error_text(code), hops = {}, traceroute_time_ms = 0 }
end

-- Why something failed is for the operator to read; the client is told what it means.
local function warn(what, err)
  ngx.log(ngx.WARN, "traceroute: ", what, ": ", tostring(err))
end

-- The results of one task: array of { target (number), result, code }.
local function probe_here(self, target)
  local config, asked = self.config, self.asked
  local options = {}
  for _, given in ipairs { config.probe, asked.options } do
    for name, value in next, given do
      options[name] = value
    end
  end
  options.colo, options.city = config.name, config.city
  options.allow, options.deny = config.allow, config.deny
  options.rate = config.rate / #asked.targets
  options.timeout = config.max_seconds
  local result, err = traceroute.probe(asked.targets[target], options)
  local code = err and of_ours(err)
  if err then
    warn(asked.targets[target] .. " from here", err)
  end
  local found = result and result[1] and result[1].colos[1]
  if found then
    found.error = error_text(code)
  end
  return { { target = target, result = found or empty_result(config.name, config.city, code), code = code } }
end

local function of_colo(entry, name)
  for _, found in ipairs(entry and entry.colos or {}) do
    if found.colo and found.colo.name == name then
      return found
    end
  end
end

local function ask_neighbour(self, neighbour)
  local asked, options = self.asked, {}
  for name, value in next, asked.options do
    options[name] = value
  end
  options.colos = { neighbour.name }
  options.base_url, options.token, options.ca_file = neighbour.base_url, neighbour.token, neighbour.ca_file
  options.timeout, options.connect_timeout = gather.longest(self.config), CONNECT_SECONDS
  options.retries, options.quota, options.max_response_bytes = RETRIES, 0, NEIGHBOUR_BYTES
  local result, err, info = traceroute.create(neighbour.account, asked.targets, options)
  local code = err and (OF_NEIGHBOUR[err.kind] or OTHER)
  if err then
    warn("neighbour " .. neighbour.name, err)
  end
  local by_target, out = {}, {}
  for _, entry in ipairs(result or {}) do
    by_target[entry.target or ""] = entry
  end
  for i, target in ipairs(asked.targets) do
    local found = of_colo(by_target[target], neighbour.name)
    local why = not found and (code or OTHER) or nil
    out[i] = { target = i, result = found or empty_result(neighbour.name, neighbour.city, why), code = why }
  end
  out.messages = info and info[1] and info[1].messages
  return out
end

-- What a task would have come to, had it not broken down.
local function broken(self, task)
  local out = {}
  for target = task.target or 1, task.target or #self.asked.targets do
    out[#out + 1] = { target = target, result = empty_result(task.name, task.city, OTHER), code = OTHER }
  end
  return out
end

local function tasks_of(self)
  local config, asked, tasks = self.config, self.asked, {}
  local neighbours = {}
  for _, neighbour in ipairs(config.neighbours) do
    neighbours[neighbour.name] = neighbour
  end
  for _, name in ipairs(asked.colos) do
    local neighbour = neighbours[name]
    if neighbour then
      tasks[#tasks + 1] = { name = name, city = neighbour.city, run = ask_neighbour, argument = neighbour }
    else
      for target in ipairs(asked.targets) do
        tasks[#tasks + 1] = { name = name, city = config.city, run = probe_here, argument = target, target = target }
      end
    end
  end
  return tasks
end

local function begin(self, task)
  return ngx.thread.spawn(function()
    local ok, out = xpcall(function()
      return task.run(self, task.argument)
    end, debug.traceback)
    if not ok then
      ngx.log(ngx.ERR, "traceroute: colo ", task.name, ": ", out)
    end
    return task, ok and out or broken(self, task)
  end)
end

local function settle(self, task, out, deliver)
  local is_read = true
  note(self, task, out)
  for _, one in ipairs(out) do
    is_read = deliver(one.target, one.result) and is_read
  end
  return is_read
end

--- Asks all colos for all targets. `deliver(target, result)` is called with each result as it comes, one at a time;
--- when it returns false the rest is given up.
---@return traceroute.Message[]? messages nil when it was given up
---@return traceroute.colo.Failure[]? failures the results that hold an error of ours
function gather.run(config, asked, deliver)
  local self = { config = config, asked = asked, messages = {}, failures = {} }
  local threads = {}
  for i, task in ipairs(tasks_of(self)) do
    threads[i] = begin(self, task)
    task.thread = threads[i]
  end
  while #threads > 0 do
    local ok, task, out = ngx.thread.wait(unpack(threads))
    assert(ok, task)
    for i = #threads, 1, -1 do
      if threads[i] == task.thread then
        table.remove(threads, i)
      end
    end
    if not settle(self, task, out, deliver) then
      for _, thread in ipairs(threads) do
        ngx.thread.kill(thread)
      end
      return nil
    end
  end
  return self.messages, self.failures
end

return gather
