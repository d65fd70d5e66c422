-- The README's metrics from nginx, in a real nginx: what it adds to nginx.conf is taken from there word for word.
-- nginx runs LuaJIT, so this is for the run on LuaJIT.
if not rawget(_G, "jit") then
  return
end

local cjson = require "cjson"
local host = require "spec.support.host"
local readme = require "spec.support.readme"
local server = require "spec.support.server"
local worker = require "spec.support.worker"

local TOKEN = "recipes-nginx-token"

-- The harness gives nginx an init_worker_by_lua_block of its own, which the recipe's text joins.
local function split(block)
  local first, last, body = block:find("init_worker_by_lua_block (%b{})")
  return body:sub(2, -2), block:sub(1, first - 1) .. block:sub(last + 1)
end

describe("the README's metrics from nginx", function()
  local running, port

  setup(function()
    local stand_in = server.get()
    stand_in:reset()
    host.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
    host.setenv("CLOUDFLARE_ACCOUNT_ID", stand_in.account)
    host.setenv("CLOUDFLARE_BASE_URL", stand_in:url("ok", "http", "127.0.0.1"))
    local init_worker, http = split(readme.block("nginx", "report.prometheus"))
    port = server.free_port()
    local count
    http, count = http:gsub("listen 127%.0%.0%.1:9120;", ("listen 127.0.0.1:%d;"):format(port))
    assert.equal(1, count)
    running = worker.start {
      main = readme.block("nginx", "env CLOUDFLARE_API_TOKEN;\n") .. "\nenv CLOUDFLARE_BASE_URL;",
      http = http,
      init_worker = init_worker,
      locations = "",
      workers = 2,
    }
  end)

  teardown(function()
    if running then
      running:stop()
    end
    host.clean_environment()
  end)

  local function metrics()
    local body, status = host.run(("curl -s -m 20 -w '|%%{content_type}' http://127.0.0.1:%d/metrics"):format(port))
    local text, content_type = body:match("^(.*)|([^|]*)$")
    return status == 0 and text ~= "" and text or nil, content_type
  end

  it("are served, once the first trace is done", function()
    local text = worker.await(metrics)
    assert.truthy(text, running:error_log())
    for _, colo in ipairs { "fra01", "sin02" } do
      assert.truthy(text:find(('\ntraceroute_reached{target="example.com",colo="%s"} 1\n'):format(colo), 1, true), text)
    end
    assert.is_nil(text:find("traceroute_node_", 1, true))
    local asked = server.get():requests()
    assert.equal(1, #asked)
    assert.equal("Bearer " .. TOKEN, asked[1].headers.authorization)
    assert.truthy(asked[1].body:find('"packets_per_ttl":10', 1, true))
    assert.is_nil((running:error_log() .. text):find(TOKEN, 1, true))
  end)

  it("are what Prometheus takes", function()
    local text = worker.await(metrics)
    local _, content_type = metrics()
    assert.equal("text/plain; version=0.0.4", content_type)
    if select(2, host.run("command -v promtool >/dev/null")) ~= 0 then
      return pending("promtool is not installed")
    end
    local directory = host.private_directory("metrics")
    host.write(directory .. "/metrics", text)
    local said, status = host.run("promtool check metrics <" .. host.quote(directory .. "/metrics") .. " 2>&1")
    host.remove(directory)
    assert.equal("0", said .. status)
  end)
end)

describe("the README's location in nginx", function()
  local running, port

  -- With that behaviour of the service behind it.
  local function start(behaviour)
    local stand_in = server.get()
    stand_in:reset()
    host.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
    host.setenv("CLOUDFLARE_ACCOUNT_ID", stand_in.account)
    host.setenv("CLOUDFLARE_BASE_URL", stand_in:url(behaviour, "http", "127.0.0.1"))
    local block = readme.block("nginx", "location = /traceroute")
    local environment, http = block:match("(env .-)\nworker_rlimit_nofile.-\nhttp {\n(.*)\n}$")
    port = server.free_port()
    local count
    http, count = http:gsub("listen 8080;", ("listen %d;"):format(port))
    assert.equal(1, count)
    running = worker.start {
      main = environment .. "\nenv CLOUDFLARE_BASE_URL;",
      http = http,
      locations = "",
      workers = 2,
    }
  end

  after_each(function()
    if running then
      running:stop()
    end
    running = nil
    host.clean_environment()
  end)

  local function ask(query, from)
    local url = ("http://127.0.0.1:%d/traceroute%s"):format(port, query)
    local said = host.run(("curl -s -m 20 --interface %s -w ' %%{http_code}' %s"):format(
      from or "127.0.0.1", host.quote(url)))
    local body, status = said:match("^(.*) (%d+)$")
    return body, tonumber(status)
  end

  it("answers with the traces of a target", function()
    start "ok"
    local body, status = ask "?target=www.example.com"
    assert.equal(200, status)
    local result = cjson.decode(body)
    assert.equal("www.example.com", result.target)
    assert.equal("fra01", result.colos[1].colo.name)
    assert.equal(6, #result.colos[2].hops)
    assert.is_nil(result.error)
  end)

  it("says what is wrong with a target", function()
    start "ok"
    local body, status = ask "?target=http://www.example.com/"
    assert.equal(400, status)
    assert.equal("invalid_request", cjson.decode(body).kind)
    assert.equal(400, select(2, ask ""))
  end)

  it("says what is missing in an answer", function()
    start "wrong/result.1.colos.1.hops.1.packets_sent/string"
    local body, status = ask "?target=www.example.com"
    assert.equal(200, status)
    local result = cjson.decode(body)
    assert.equal("fra01", result.colos[1].colo.name)
    assert.equal("invalid_response", result.kind)
    assert.is_string(result.error)
  end)

  it("answers nobody who may not ask", function()
    start "ok"
    assert.equal(403, select(2, ask("?target=www.example.com", "127.0.0.2")))
    assert.same({}, server.get():requests())
  end)
end)
