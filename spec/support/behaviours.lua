-- The behaviours that are whole HTTP answers, run inside nginx: each a function of the URL's further
-- parts and of the request {body=, path=}. Compressed ones are in encodings.lua, what breaks off, stalls or
-- lies about its length in faults.lua; what the results look like is traces.lua's.

local cjson = require "cjson"
local garbage = require "spec.support.garbage"
local json = require "spec.support.json"
local service = require "spec.support.service"
local traces = require "spec.support.traces"

local behaviours = {}

local HTML = [[
<!DOCTYPE html>
<html><head><title>%d | api.cloudflare.com</title></head>
<body><h1>Error %d</h1><p>Please try again in a few minutes.</p></body></html>
]]

local function read(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return text
end

function behaviours.ok(_, request)
  service.answer(request)
end

function behaviours.reversed(_, request)
  service.answer(request, traces.reverse)
end

function behaviours.published()
  service.send(200, service.PUBLISHED)
end

-- status/<code>[/<api code>]: the envelope with one error.
function behaviours.status(args)
  local status = tonumber(args[1])
  service.send(status, service.failure(tonumber(args[2]) or 1000 + status, "the service said " .. status))
end

function behaviours.html(args)
  local status = tonumber(args[1])
  service.send(status, HTML:format(status, status), "text/html; charset=UTF-8")
end

-- api_error[/<code>]: success is false although the status is 200.
function behaviours.api_error(args)
  service.send(200, service.failure(tonumber(args[1]) or 1001, "traceroute is not enabled for the account"))
end

-- api_errors: two errors at once, one with a pointer.
function behaviours.api_errors()
  service.send(400, json.encode {
    success = false,
    errors = json.array {
      { code = 1004, message = "max_ttl is not valid", source = { pointer = "/options/max_ttl" } },
      { code = 1005, message = "Colo is not a valid colo", documentation_url = "https://example.invalid/1005" },
    },
    messages = json.array { { code = 2000, message = "see the reference" } },
    result = json.null,
  })
end

-- Headers for a pause, several joined by commas: seconds:2, date:2 (an HTTP date 2 s from now), ms:150,
-- should:true, raw:text (retry-after with that text). "-" is none.
local function retry_headers(form)
  for name, value in (form or "-"):gmatch("(%a+):([^,]+)") do
    if name == "seconds" or name == "raw" then
      ngx.header["retry-after"] = value
    elseif name == "date" then
      ngx.header["retry-after"] = ngx.http_time(ngx.time() + tonumber(value))
    elseif name == "ms" then
      ngx.header["retry-after-ms"] = value
    elseif name == "should" then
      ngx.header["x-should-retry"] = value
    end
  end
end

-- retry/<n>/<status>/<form>/<key>: fails the first n times that this body comes under this URL, then is
-- ok. Status 0 closes the connection without an answer.
function behaviours.retry(args, request)
  local count = ngx.shared.counters:incr(table.concat(args, "/") .. ngx.md5(request.body), 1, 0)
  local status = tonumber(args[2])
  if count > tonumber(args[1]) then
    return service.answer(request)
  elseif status == 0 then
    return ngx.exit(444)
  end
  retry_headers(args[3])
  service.send(status, service.failure(1000 + status, "failed " .. count .. " times"))
end

-- ratelimited/<seconds>[/<api code>]: always 429.
function behaviours.ratelimited(args)
  service.rate_headers(0, tonumber(args[1]))
  ngx.header["retry-after"] = args[1]
  service.send(429, service.failure(tonumber(args[2]) or 10100, "more requests than the limit allows"))
end

-- ratelimit/<remaining>/<seconds>: ok, and says that so many requests are left for so long.
function behaviours.ratelimit(args, request)
  local asked = service.accept(request)
  if asked then
    service.rate_headers(tonumber(args[1]), tonumber(args[2]))
    service.send(200, service.envelope(traces.result(asked)))
  end
end

-- fail_target/<target>/<status>[/<form>]: fails the request that has the target, whose others are ok.
function behaviours.fail_target(args, request)
  local asked = cjson.decode(request.body)
  for _, target in ipairs(asked.targets) do
    if target == args[1] then
      local status = tonumber(args[2])
      retry_headers(args[3])
      return service.send(status, service.failure(1000 + status, target .. " failed"))
    end
  end
  service.answer(request)
end

-- missing_target/<target>, missing_colo/<colo>: ok, but for this one, which is left out.
function behaviours.missing_target(args, request)
  service.answer(request, function(result)
    local kept = json.array {}
    for _, item in ipairs(result) do
      if item.target ~= args[1] then
        kept[#kept + 1] = item
      end
    end
    return kept
  end)
end

function behaviours.missing_colo(args, request)
  service.answer(request, function(result)
    for _, item in ipairs(result) do
      local kept = json.array {}
      for _, colo in ipairs(item.colos) do
        if colo.colo.name ~= args[1] then
          kept[#kept + 1] = colo
        end
      end
      item.colos = kept
    end
  end)
end

-- other_target: ok, with a result more for a target that nobody asked for.
function behaviours.other_target(_, request)
  service.answer(request, function(result)
    result[#result + 1] = { target = "uninvited.example", colos = json.array {} }
  end)
end

-- messages: ok, and the envelope carries two messages.
function behaviours.messages(_, request)
  local asked = service.accept(request)
  if asked then
    service.send(200, service.envelope(traces.result(asked), {
      { code = 10000, message = "the first message" },
      { code = 10001, message = "the second message" },
    }))
  end
end

-- newer: ok, with fields at each level that no client knows yet, and nulls where the service has them.
function behaviours.newer(_, request)
  service.answer(request, function(result)
    local target = result[1]
    local colo = target.colos[1]
    target.probed_at = "2030-01-01T00:00:00Z"
    colo.protocol = { version = 2, flags = json.array { "a", "b" } }
    colo.colo.region = "WNAM"
    colo.hops[1].mpls = json.array { { label = 24001 } }
    colo.hops[1].nodes[1].country = "US"
    colo.target_summary.reverse = json.null
    colo.hops[1].nodes[1].labels = json.null
  end)
end

-- echo_headers: ok, with a message for each header of the request.
function behaviours.echo_headers(_, request)
  local messages = {}
  for name, value in pairs(ngx.req.get_headers(0)) do
    value = type(value) == "table" and table.concat(value, ", ") or value
    messages[#messages + 1] = { code = 1000, message = name .. ": " .. value }
  end
  table.sort(messages, function(a, b) return a.message < b.message end)
  local asked = service.accept(request)
  if asked then
    service.send(200, service.envelope(traces.result(asked), messages))
  end
end

local TYPES = {
  string = "text",
  number = 7,
  fraction = 1.5,
  boolean = true,
  null = json.null,
  object = { a = 1 },
  array = json.array { 1 },
  empty = json.array {},
  negative = -1,
  huge = 1e300,
  absent = false,
}

-- wrong/<field>/<type>: ok, but the field is of that type; the field is a path from the envelope, such as
-- result.1.colos.1.hops.1.nodes.1.ip.
function behaviours.wrong(args, request)
  local asked = service.accept(request)
  if not asked then
    return
  end
  local envelope = {
    success = true,
    errors = json.array {},
    messages = json.array { { code = 1000, message = "a message" } },
    result = traces.result(asked),
  }
  local value = TYPES[args[2]]
  assert(value ~= nil, "no such type")
  local place, steps = envelope, {}
  for step in args[1]:gmatch("[^.]+") do
    steps[#steps + 1] = tonumber(step) or step
  end
  for i = 1, #steps - 1 do
    place = assert(place[steps[i]], "no such field")
  end
  place[steps[#steps]] = value or nil
  service.send(200, json.encode(envelope))
end

-- garbage/<n or name>: a body of garbage.lua.
function behaviours.garbage(args)
  local entry = garbage[tonumber(args[1]) or args[1]]
  service.send(200, assert(entry, "no such garbage").body)
end

-- raw/<name>: what a spec wrote with server:raw(name, …).
function behaviours.raw(args)
  local path = ngx.config.prefix() .. "raw/" .. args[1]
  local body = assert(read(path), "nothing was written under that name")
  local status, content_type = assert(read(path .. ".head")):match("^(%d+) (.*)$")
  service.send(tonumber(status), body, content_type)
end

-- redirect/<status>[/http]: to the same behaviour `ok` at another host, or at the plain http listener.
function behaviours.redirect(args, request)
  local scheme, port = ngx.var.scheme, ngx.var.server_port
  if args[2] == "http" then
    scheme, port = "http", ngx.var.http_port
  end
  ngx.header.location = ("%s://127.0.0.1:%s/ok/client/v4%s"):format(scheme, port, request.path)
  service.send(tonumber(args[1]), "", "text/plain")
end

-- long_header/<bytes>: ok, with one header that long. many_headers/<n>: with that many more.
function behaviours.long_header(args, request)
  ngx.header["x-long"] = ("x"):rep(tonumber(args[1]))
  service.answer(request)
end

function behaviours.many_headers(args, request)
  for i = 1, tonumber(args[1]) do
    ngx.header["x-many-" .. i] = "value " .. i
  end
  service.answer(request)
end

-- ray/<text>: ok, with that cf-ray; "-" is none.
function behaviours.ray(args, request)
  ngx.header["cf-ray"] = args[1] ~= "-" and args[1] or nil
  service.answer(request)
end

function behaviours.no_content()
  ngx.status = 204
end

-- empty/<status>: no byte of body.
function behaviours.empty(args)
  service.send(tonumber(args[1]), "")
end

-- big/<targets>/<colos>/<hops>: a result of that size for targets t1…tn and colos c1…cn, streamed. Nobody
-- needs to have asked for them.
function behaviours.big(args)
  local targets, colos, hops = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  local list = {}
  for ttl = 1, hops do
    local hop = traces.colo("192.0.2.1", "big", { max_ttl = 1 }).hops[1]
    hop.packets_ttl = ttl
    list[ttl] = json.encode(hop)
  end
  local tail = '"error":"","hops":[' .. table.concat(list, ",") .. '],"target_summary":{},"traceroute_time_ms":1}'
  ngx.header.content_type = "application/json"
  ngx.print('{"success":true,"errors":[],"messages":[],"result":[')
  for t = 1, targets do
    ngx.print(t > 1 and "," or "", '{"target":"t', t, '","colos":[')
    for c = 1, colos do
      ngx.print(c > 1 and "," or "", '{"colo":{"name":"c', c, '","city":"C"},', tail)
      if c % 16 == 0 then
        ngx.flush(true)
      end
    end
    ngx.print("]}")
  end
  ngx.print("]}")
end

return behaviours
