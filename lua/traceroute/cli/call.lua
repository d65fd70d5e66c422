-- call: one call for the command line, from options to what came of it, with its progress where somebody watches. An
-- interrupt ends the call and keeps what had arrived. It must not know what becomes of a result.

local arguments = require "traceroute.cli.arguments"
local lazy = require "traceroute.lazy"

local call = {}

---@class traceroute.cli.Outcome
---@field result? traceroute.Result
---@field err? traceroute.Error
---@field info table
---@field interrupted? boolean

---The module, or nil and why it does not load.
---@param system table
---@return table? traceroute
---@return string? reason
function call.module(system)
  if system.traceroute then
    return system.traceroute
  end
  local core, why = lazy.load()
  if not core then
    return nil, "the module does not load: " .. why
  end
  return require "traceroute"
end

---The options of a call, as the API names them.
---@param args table
---@return table
function call.options(args)
  local opts = {}
  for api_name, option in next, arguments.by_api_name() do
    if api_name ~= "account" then
      opts[api_name] = args[option:sub(3):gsub("-", "_")]
    end
  end
  return opts
end

-- Shows how far the call is, in a line of its own.
local function watch(system, opts, is_here)
  if is_here then
    opts.on_progress = function(progress)
      system.err(("\r%d of %d targets\27[K"):format(progress.targets_done, progress.targets))
    end
  else
    opts.on_progress = function(progress)
      system.err(("\r%d of %d requests, %d paths\27[K"):format(progress.requests_done, progress.requests,
        progress.colos))
    end
  end
end

local function await(traceroute, job)
  local ran, result, err, info = pcall(traceroute.wait, job)
  if ran then
    return { result = result, err = err, info = info or {} }
  elseif not tostring(result):find("interrupted!", 1, true) then
    error(result, 0)
  end
  result, err, info = job:result()
  return { result = result, err = err, info = info or {}, interrupted = true }
end

---Runs the traceroutes.
---@param system table
---@param traceroute table the module
---@param args table
---@param targets string[]
---@return traceroute.cli.Outcome
function call.run(system, traceroute, args, targets)
  local opts = call.options(args)
  local is_watched = not args.quiet and system.is_terminal(2)
  if is_watched then
    watch(system, opts, args.here)
  end
  local job, err
  if args.here then
    job, err = traceroute.survey(targets, opts)
  else
    job, err = traceroute.start(args.account, targets, opts)
  end
  local outcome = job and await(traceroute, job) or { err = err, info = {} }
  if is_watched then
    system.err("\r\27[K")
  end
  return outcome
end

return call
