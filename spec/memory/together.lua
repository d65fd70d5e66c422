-- What spec/memory/threads.c runs in each state of several at once: every way in which a job may live in the core's
-- own thread and end there, beside calls that the state's thread makes itself, all with one credential.

local core = require "traceroute.core"
local traceroute = require "traceroute"
local uv = require "luv"

local ROUNDS = 3
local ACCOUNT = "023e105f4ecef8ad9ca31a8372d0c353"

local opts = { base_url = os.getenv("BASE_URL"), ca_file = os.getenv("CA_FILE"), token = "secret" }
local large_opts = { base_url = os.getenv("LARGE"), ca_file = opts.ca_file, token = "secret" }
local local_opts = { max_ttl = 2, packets_per_ttl = 1, wait_time = 1 }

local function start(targets, options)
  local job, err = core.start_in_thread(ACCOUNT, targets or "a.example", options or opts)
  assert(job, tostring(err))
  job:send()
  return job
end

local function finish(job)
  local done, err
  repeat
    done, err = job:step(0.2)
    assert(done ~= nil, tostring(err))
  until done
  local result, failed = job:result()
  assert(result and not failed, tostring(failed))
end

-- Waits at the doorbell until it has rung, as nginx does; hangs up before the end.
local function ring(job)
  local path, number = job:doorbell()
  local pipe, has_rung = uv.new_pipe(false), false
  pipe:connect(path, function(failed)
    assert(not failed, failed)
    pipe:read_start(function()
      has_rung = true
    end)
    pipe:write(number .. "\n")
  end)
  while not has_rung do
    uv.run("once")
  end
  pipe:close()
  uv.run()
end

return function()
  for _ = 1, ROUNDS do
    local jobs = { start(), start(), start() }
    start()
    collectgarbage() -- the one that nobody holds
    jobs[2]:cancel()
    ring(jobs[3])
    local result, err = traceroute.create(ACCOUNT, "a.example", opts)
    assert(result and not err, tostring(err))
    finish(jobs[1])
    finish(start("t1", large_opts)) -- the thread has to pause for it
    local survey = core.survey_in_thread("127.0.0.1", local_opts)
    survey:send()
    finish(survey)
    local _, kind = jobs[2]:result()
    assert(not kind or kind.kind == "cancelled", tostring(kind))
  end
end
