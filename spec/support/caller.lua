-- Runs in the nginx of worker.lua: makes the calls that a spec asks for in a query, and answers what came of them as
-- JSON. Knows nothing of nginx's configuration.

local cjson = require "cjson"
local traceroute = require "traceroute"

local caller = {}

--- What the query asks for: base, ca, targets (with commas between), timeout, quota, retries, dict.
function caller.query()
  local query = ngx.req.get_uri_args()
  local targets = {}
  for target in (query.targets or "one.example"):gmatch("[^,]+") do
    targets[#targets + 1] = target
  end
  return targets, {
    base_url = query.base,
    ca_file = query.ca,
    token = "secret",
    timeout = tonumber(query.timeout),
    quota = tonumber(query.quota) or 0,
    retries = tonumber(query.retries),
    shared_dict = query.dict,
  }
end

--- The outcome of a call as a plain table: what a spec compares.
function caller.call(targets, opts)
  local result, err, info = traceroute.create("023e105f4ecef8ad9ca31a8372d0c353", targets, opts)
  local names, colos = {}, 0
  for i, entry in ipairs(result or {}) do
    names[i] = entry.target
    colos = colos + #entry.colos
  end
  return {
    phase = ngx.get_phase(),
    pid = ngx.worker.pid(),
    targets = table.concat(names, ","),
    colos = colos,
    kind = err and err.kind,
    message = err and err.message,
    retry_after = err and err.retry_after,
    requests = #info,
  }
end

--- One call, now.
function caller.outcome()
  return cjson.encode(caller.call(caller.query()))
end

function caller.answer()
  ngx.print(caller.outcome())
end

--- As many calls at once as the query's `n`, in light threads, each for a target of its own: how many came out
--- right, and the outcomes of the others.
function caller.answer_many()
  local _, opts = caller.query()
  local threads, right, wrong = {}, 0, {}
  for i = 1, tonumber(ngx.var.arg_n) do
    threads[i] = ngx.thread.spawn(caller.call, { ("t%d.example"):format(i) }, opts)
  end
  for i, thread in ipairs(threads) do
    local ran, outcome = ngx.thread.wait(thread)
    if ran and not outcome.kind and outcome.targets == ("t%d.example"):format(i) and outcome.colos == 2 then
      right = right + 1
    else
      wrong[#wrong + 1] = ran and outcome or { message = tostring(outcome) }
    end
  end
  ngx.print(cjson.encode { right = right, wrong = wrong })
end

return caller
