-- The module within one process, which prints one figure (or two):
--   inside.lua require           ms that it takes to load, and what the first call takes to load the core
--   inside.lua one COUNT         calls a second, one after the other on a kept-alive connection
--   inside.lua many COUNT        the same, all at once
--   inside.lua validation COUNT  ms of a call that checks and of one that does not, medians of so many pairs
--   inside.lua concurrency N     seconds of a call for 160 targets, with so many requests side by side
--   inside.lua once              nothing but "returned", right after the call
--   inside.lua cjson COUNT       ms in which lua-cjson decodes the file ANSWER, the mean of so many times
-- BASE_URL and TARGETS say what.

local uv = require "luv"

local WARM_UP = 20
local CONCURRENCY_TARGETS = 160

local mode, count = arg[1], tonumber(arg[2])

local function seconds()
  return uv.hrtime() / 1e9
end

if mode == "require" then
  local began = seconds()
  require "traceroute"
  local then_core = seconds()
  require "traceroute.core"
  print((then_core - began) * 1e3, (seconds() - then_core) * 1e3)
  return
end

if mode == "cjson" then
  local decode = require("cjson").decode
  local file = assert(io.open(os.getenv("ANSWER")))
  local text = file:read("*a")
  file:close()
  local began = seconds()
  for _ = 1, count do
    decode(text)
  end
  print((seconds() - began) * 1e3 / count)
  return
end

local traceroute = require "traceroute"

local function targets_up_to(last)
  local targets = {}
  for i = 1, last do
    targets[i] = "target" .. i .. ".example"
  end
  return targets
end

local targets = targets_up_to(mode == "concurrency" and CONCURRENCY_TARGETS or tonumber(os.getenv("TARGETS")))

local function options(more)
  local opts = {
    base_url = os.getenv("BASE_URL"),
    token = "0123456789abcdefghijklmnopqrstuvwxyzABCD",
    quota = 0,
  }
  for name, value in pairs(more or {}) do
    opts[name] = value
  end
  return opts
end

local function call(more)
  local result, err = traceroute.create("account", targets, options(more))
  assert(not err, tostring(err))
  return result
end

local function median(values)
  table.sort(values)
  local middle = (#values + 1) / 2
  return (values[math.floor(middle)] + values[math.ceil(middle)]) / 2
end

local modes = {}

function modes.one()
  for _ = 1, WARM_UP do
    call()
  end
  local began = seconds()
  for _ = 1, count do
    call()
  end
  print(count / (seconds() - began))
end

function modes.many()
  call()
  local began, jobs = seconds(), {}
  for i = 1, count do
    jobs[i] = assert(traceroute.start("account", targets, options()))
  end
  for i = 1, count do
    local _, err = traceroute.wait(jobs[i])
    assert(not err, tostring(err))
  end
  print(count / (seconds() - began))
end

function modes.validation()
  local times = { strict = {}, none = {} }
  for i = 0, count do
    for name, list in pairs(times) do
      collectgarbage()
      collectgarbage()
      local began = seconds()
      local result = call { validate = name == "strict" and "strict" }
      list[i] = (seconds() - began) * 1e3
      assert(#result == #targets)
    end
  end
  times.strict[0], times.none[0] = nil, nil
  print(median(times.strict), median(times.none))
end

function modes.concurrency()
  call { concurrency = count }
  local began = seconds()
  call { concurrency = count }
  print(seconds() - began)
end

function modes.once()
  call()
  io.stderr:write("returned\n")
end

modes[mode]()
