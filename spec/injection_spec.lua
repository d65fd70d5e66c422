-- What a caller appends to an account, a target, a credential or a URL adds no header, path, request or member to what
-- goes over the wire: it is refused before, or stands there as a part of its value. Of a probe from here the same is
-- true of what mtr-packet and name servers are told, and of what names this place.

local cjson = require "cjson"
local host = require "spec.support.host"
local prober = require "spec.support.prober"
local server = require "spec.support.server"
local traceroute = require "traceroute"

local ACCOUNT = "a1"

local TAILS = {
  "\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\0X-Evil: 1", "\r\n\r\nPOST /evil HTTP/1.1\r\n\r\n",
  "%0d%0aX-Evil:%201", "/../../evil", "/..%2fevil", "?evil=1", "#evil", ";evil", " HTTP/1.1\r\nX-Evil: 1",
  ' evil', '"],"evil":["', '\\"', "\127", "\133", "\226\128\168X-Evil: 1", "\255", "@evil.example", ":evil", "\\evil",
  ",evil", "\tevil", "[evil]", "\195\164",
}

describe("what goes over the wire holds no injected line, header, path or member:", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    host.clean_environment()
    stand_in:reset()
  end)

  teardown(host.clean_environment)

  local HEADERS = {
    ["content-type"] = true, accept = true, ["user-agent"] = true, host = true, ["content-length"] = true,
    ["accept-encoding"] = true, authorization = true, ["x-auth-email"] = true, ["x-auth-key"] = true,
  }

  -- { what is asked } -> each tail is appended by it: arguments of create
  local PLACES = {
    account = function(tail) return ACCOUNT .. tail, "a.example", {} end,
    target = function(tail) return ACCOUNT, { "a.example" .. tail }, {} end,
    ["first target"] = function(tail) return ACCOUNT, tail, {} end,
    colo = function(tail) return ACCOUNT, "a.example", { colos = { "den01" .. tail } } end,
    token = function(tail) return ACCOUNT, "a.example", { token = "t" .. tail } end,
    email = function(tail) return ACCOUNT, "a.example", { token = server.NONE, email = "a@b" .. tail, key = "k" } end,
    key = function(tail) return ACCOUNT, "a.example", { token = server.NONE, email = "a@b", key = "k" .. tail } end,
    user_agent = function(tail) return ACCOUNT, "a.example", { user_agent = "u" .. tail } end,
    base_url = function(tail, base) return ACCOUNT, "a.example", { base_url = base .. tail } end,
    proxy = function(tail, _, dead) return ACCOUNT, "a.example", { proxy = dead .. tail } end,
  }
  local VARIABLES = {
    account = "ACCOUNT_ID", token = "API_TOKEN", email = "EMAIL", key = "API_KEY", base_url = "BASE_URL",
  }

  local function check(request, account, targets, opts)
    assert.equal("POST", request.method)
    assert.is_nil(request.headers["x-evil"])
    for name, value in pairs(request.headers) do
      assert.is_true(HEADERS[name] or false, name)
      assert.equal("string", type(value), name) -- no header comes twice
    end
    if not opts.base_url then
      assert.equal(("/ok/client/v4/accounts/%s/diagnostics/traceroute"):format(account), request.uri)
      assert.same({
        targets = type(targets) == "table" and targets or { targets }, colos = opts.colos or { "den01" }, options = {},
      }, cjson.decode(request.body))
    else
      assert.is_nil(request.uri:find("[%z%c ]"))
      assert.equal(1, (select(2, request.uri:gsub("/diagnostics/traceroute", ""))))
      assert.matches("^/ok/", request.uri)
    end
    assert.equal(opts.user_agent or "cloudflare-traceroute/" .. traceroute.VERSION, request.headers["user-agent"])
    if opts.token ~= server.NONE then
      assert.equal("Bearer " .. (opts.token or "t"), request.headers.authorization)
    else
      assert.same({ opts.email, opts.key }, { request.headers["x-auth-email"], request.headers["x-auth-key"] })
    end
  end

  for place, make in pairs(PLACES) do
    for _, by in ipairs(VARIABLES[place] and { "argument", "environment" } or { "argument" }) do
      it(place .. " as " .. by, function()
        local dead = "http://127.0.0.1:" .. server.free_port()
        for _, listener in ipairs { "http11", "https" } do
          local base = stand_in:url("ok", listener)
          for _, tail in ipairs(TAILS) do
            stand_in:reset()
            local account, targets, more = make(tail, base, dead)
            local opts = stand_in:options(base,
              { token = "t", retries = 0, quota = 0, colos = { "den01" }, timeout = 20 }, more)
            local asked = account
            if by == "environment" and not tail:find("%z") then
              host.clean_environment()
              host.setenv("CLOUDFLARE_" .. VARIABLES[place], place == "account" and account or opts[place])
              if place == "account" then
                asked = nil
              else
                opts[place] = nil
              end
            end
            if place ~= "proxy" or tail:sub(1, 1) ~= "/" then
              local _, err = traceroute.create(asked, targets, opts)
              local list = stand_in:requests()
              assert.is_true(#list <= 1)
              if err and err.kind == "invalid_request" and not err.status then
                assert.same({}, list)
              elseif place == "proxy" then
                assert.equal("connection", err.kind)
                assert.same({}, list)
              else
                assert.equal(1, #list, place .. tail)
                check(list[1], account, targets, more)
              end
            end
          end
        end
      end)
    end
  end
end)

-- Probes in turn by a mtr-packet that sends nothing: it writes down what it is told, and shows a public hop of either
-- family before the target, so that both zones are asked in. So is what comes to the name server, which knows nothing.
local MTR_PACKET = [[#!/bin/sh
while read -r token command rest; do
  printf '%%s\n' "$token $command $rest" >>%s
  case "$command $rest " in
    check-support*) echo "$token feature-support support ok" ;;
    *" ttl 1 "*) echo "$token ttl-expired ip-4 8.8.8.8 round-trip-time 1500" ;;
    *" ttl 2 "*) echo "$token ttl-expired ip-6 2001:4860:4860::8888 round-trip-time 1500" ;;
    *) echo "$token reply ip-4 127.0.0.1 round-trip-time 1500" ;;
  esac
done
]]
local PROBES = [[
local uv = require "luv"
local log = %q
local socket, names = uv.new_udp(), {}
assert(socket:bind("127.0.0.1", 0))
socket:recv_start(function(_, question, from)
  if question then
    assert(question:byte(6) == 1, "not one question")
    local labels, at = {}, 13
    while question:byte(at) > 0 do
      labels[#labels + 1] = question:sub(at + 1, at + question:byte(at))
      at = at + question:byte(at) + 1
    end
    names[#names + 1] = table.concat(labels, ".")
    socket:send(question:sub(1, 2) .. string.char(129, 131) .. question:sub(5), from.ip, from.port)
  end
end)
local server, out = "127.0.0.1:" .. socket:getsockname().port, {}

local function probe(target, opts)
  local job, err = traceroute.survey(target, opts)
  if not job then
    return nil, err
  end
  local poll = uv.new_poll(job:fd())
  poll:start("r", function()
    if job:step(0) then
      poll:close()
    end
  end)
  while not poll:is_closing() do
    uv.run "once"
  end
  return job:result()
end

for i, case in ipairs(cjson.decode(read(%q))) do
  local target = "127.0.0.1"
  local opts = { resolve = false, dns_servers = server, asn_zone = "origin.test", asn6_zone = "origin6.test",
    rate = 1000, packets_per_ttl = 1, max_ttl = 3, colo = "here", city = "Here" }
  if case.place == "target" then
    target = target .. case.tail
  elseif case.place == "allow" or case.place == "deny" then
    opts[case.place] = { "127.0.0.0/8" .. case.tail }
  else
    opts[case.place] = (opts[case.place] or "ipv4") .. case.tail
  end
  names = {}
  local before = #read(log)
  local result, err = probe(target, opts)
  uv.run "nowait"
  out[i] = { path = err and err.path, kind = err and err.kind, colo = result and result[1].colos[1].colo,
    target = result and result[1].target, names = names, told = read(log):sub(before + 1) }
end
io.write(cjson.encode(out))
]]

describe("what a probe from here tells others holds nothing injected:", function()
  local PLACES = {
    "colo", "city", "asn_zone", "asn6_zone", "dns_servers", "target", "allow", "deny", "family", "packet_type",
  }
  local V4 = "8.8.8.8."
  local V6 = ("8."):rep(4) .. ("0."):rep(16) .. "0.6.8.4.0.6.8.4.1.0.0.2."
  local PATHS = { target = "targets", allow = "allow[1]", deny = "deny[1]" }
  -- Those that stand for nothing but themselves; of all else no tail makes another good value.
  local FREE = { colo = "here", city = "Here", asn_zone = "origin.test", asn6_zone = "origin6.test" }
  local cases, child, outcomes = {}, nil, nil

  setup(function()
    for _, place in ipairs(PLACES) do
      for _, tail in ipairs(TAILS) do
        cases[#cases + 1] = { place = place, tail = tail }
      end
    end
    child = prober.start()
    local log = child:file("")
    local said, status = child:run(PROBES:format(log, child:file(cjson.encode(cases))),
      "env MTR_PACKET=" .. child:file(MTR_PACKET:format(log), "755"))
    assert.equal(0, status, said)
    outcomes = cjson.decode(said)
  end)

  teardown(function()
    child:stop()
  end)

  local function check_taken(case, found, label)
    local value = FREE[case.place] .. case.tail
    assert.is_nil(found.path, label)
    assert.equal("127.0.0.1", found.target, label)
    assert.equal(case.place == "colo" and value or "here", found.colo.name, label)
    assert.equal(case.place == "city" and value or "Here", found.colo.city, label)
    for line in found.told:gmatch("[^\n]*\n") do
      assert.is_truthy(line:find("^%d+ send%-probe ip%-4 127%.0%.0%.1 protocol icmp ttl [123] timeout %d+\n$")
        or line:find("^%d+ check%-support feature version\n$"), label .. line)
    end
    -- A backslash quotes what follows, as in zone files.
    local zone = case.place == "asn_zone" and value:gsub("\\(.)", "%1") or FREE.asn_zone
    local zone6 = case.place == "asn6_zone" and value:gsub("\\(.)", "%1") or FREE.asn6_zone
    local asked = {}
    for _, name in ipairs(found.names) do
      assert.is_true(name == V4 .. zone or name == V6 .. zone6, label .. ": " .. name)
      asked[name] = true
    end
    if not case.tail:find("..", 1, true) then
      assert.is_true(case.place ~= "asn_zone" or asked[V4 .. zone], label)
      assert.is_true(case.place ~= "asn6_zone" or asked[V6 .. zone6], label)
    end
  end

  for _, place in ipairs(PLACES) do
    it(place, function()
      for i, case in ipairs(cases) do
        if case.place == place then
          local found, label = outcomes[i], ("%s %q"):format(place, case.tail)
          if FREE[place] and not case.tail:find("%c") then
            check_taken(case, found, label)
          else
            assert.same({ kind = "invalid_request", path = PATHS[place] or place, names = {}, told = "" }, found, label)
          end
        end
      end
    end)
  end
end)
