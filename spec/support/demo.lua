-- The demonstration: create() asks a colo, over TLS, for a real trace, and prints what came back. The colo is one of
-- ours, an nginx on this machine. As root it stands in the lab, so that there is a path of several hops without any
-- network; otherwise, or with TARGET set, it traces TARGET (127.0.0.1) from here. With CLOUDFLARE_API_TOKEN and
-- CLOUDFLARE_ACCOUNT_ID set, Cloudflare's colos are asked instead.
--
-- As "demo.lua ask BASE_URL CA_FILE TARGETS" it is the client alone: that is how it asks from inside the lab.

local ACCOUNT = "demo"
local TOKEN = "token-of-the-demo"
local PORT = 443
local LAB_TARGETS = { "plain", "diamond" }

local CONFIG = [[{
  name = "demo01", city = "this machine",
  credentials = { { token = "]] .. TOKEN .. [[", account = "]] .. ACCOUNT .. [[" } },
  allow = { "0.0.0.0/0", "::/0" },
  probe = { resolve = %s, asn = %s, dns_timeout = 1 },
}]]

local function words(text)
  local list = {}
  for word in text:gmatch("[^%s,]+") do
    list[#list + 1] = word
  end
  return list
end

-- Prints what a call returned; whether all of it is good.
local function show(result, err, info)
  if result then
    print(result)
  end
  for _, message in ipairs(info[1] and info[1].messages or {}) do
    io.stderr:write(message.message, "\n")
    err = err or ""
  end
  if err and err ~= "" then
    io.stderr:write(tostring(err), "\n")
  end
  return not err
end

local function ask(base_url, ca_file, targets)
  return show(require("traceroute").create(ACCOUNT, targets, {
    base_url = base_url, ca_file = ca_file, token = TOKEN, retries = 0,
  }))
end

local function ask_cloudflare()
  local targets = words(os.getenv("TARGET") or "1.1.1.1")
  print("Asking Cloudflare for traceroutes to " .. table.concat(targets, ", ") .. ".\n")
  return show(require("traceroute").create(os.getenv("CLOUDFLARE_ACCOUNT_ID"), targets))
end

-- Calls `use` with a running colo, which is ended in any case.
local function with_colo(options, use)
  local running = require("spec.support.colo").start(options)
  local called, good = pcall(use, running)
  running:stop()
  assert(called, good)
  return good
end

local function ask_here()
  local targets = words(os.getenv("TARGET") or "127.0.0.1")
  return with_colo({ config = CONFIG:format("true", "true") }, function(running)
    print(("Asking a colo of one's own, nginx at %s, for traceroutes to %s.\n"):format(
      running.base_url, table.concat(targets, ", ")))
    return ask(running.base_url, running.ca_file, targets)
  end)
end

local function ask_in(net)
  local host = require "spec.support.host"
  local targets = {}
  for i, name in ipairs(LAB_TARGETS) do
    targets[i] = net:address(name, 4)
  end
  local options = {
    config = CONFIG:format("false", "false"),
    under = net:prefix("source"),
    address = net:address("source", 4),
    port = PORT,
  }
  return with_colo(options, function(running)
    print(("Asking a colo of one's own, nginx at %s in a lab of network namespaces, for traceroutes to %s.\n"):format(
      running.base_url, table.concat(targets, ", ")))
    local said, status = host.run(net:prefix("source") .. ("%s %s ask %s %s %s 2>&1"):format(host.quote(arg[-1]),
      host.quote(arg[0]), host.quote(running.base_url), host.quote(running.ca_file),
      host.quote(table.concat(targets, ","))))
    io.write(said)
    return status == 0
  end)
end

local function main()
  if arg[1] == "ask" then
    return ask(arg[2], arg[3], words(arg[4]))
  elseif os.getenv("CLOUDFLARE_API_TOKEN") and os.getenv("CLOUDFLARE_ACCOUNT_ID") then
    return ask_cloudflare()
  end
  package.path = (arg[0]:match("^(.*/)") or "./") .. "../../?.lua;" .. package.path
  require("spec.support.host").clean_environment()
  local lab = require "spec.support.lab"
  if os.getenv("TARGET") or not lab.available() then
    return ask_here()
  end
  local net = lab.start()
  local called, good = pcall(ask_in, net)
  net:stop()
  assert(called, good)
  return good
end

os.exit(main() and 0 or 1)
