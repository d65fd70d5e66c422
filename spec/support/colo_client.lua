-- What specs ask a colo of, and what its operator told it: the credentials are the same on both sides. Knows nothing of
-- how a colo is run.

local assert = require "luassert"
local cjson = require "cjson"
local host = require "spec.support.host"
local traceroute = require "traceroute"

local client = {}

client.ACCOUNT = "023e105f4ecef8ad9ca31a8372d0c353"
client.PATH = "/accounts/%s/diagnostics/traceroute"
client.BODY = '{"targets":["127.0.0.1"]}'
client.SECRETS = { "s3cret-one", "s3cret-two", "s3cret-key" }

local CREDENTIALS = ([[credentials = {
  { token = "s3cret-one" },
  { token = "s3cret-two", account = "second" },
  { email = "ops@example.com", key = "s3cret-key" },
},]])

-- The Lua text of a configuration with these credentials, and more.
function client.config(more)
  return '{ name = "ams01", city = "Amsterdam, NL", ' .. CREDENTIALS .. more .. " }"
end

-- One that may trace this machine, and asks nobody for names.
client.OPEN = 'allow = { "127.0.0.0/8" }, probe = { resolve = false, asn = false },'

function client.neighbour(name, base, ca_file, token)
  return ('{ name = "%s", city = "Elsewhere", account = "%s", token = "%s", base_url = "%s", ca_file = "%s" },'):format(
    name, client.ACCOUNT, token or "secret", base, ca_file)
end

-- What create() returned, with the token of all accounts.
function client.create(here, targets, opts)
  opts = opts or {}
  opts.base_url, opts.ca_file, opts.token = here.base_url, here.ca_file, opts.token or "s3cret-one"
  opts.retries = opts.retries or 0
  return traceroute.create(client.ACCOUNT, targets, opts)
end

-- asked: method, path, headers (array of lines), body, from (a file that holds it). Status, envelope, headers.
function client.curl(here, asked)
  local words = { "curl -s -i --http1.1 --max-time 20 -H Expect: --cacert", host.quote(here.ca_file) }
  for _, line in ipairs(asked.headers or { "Authorization: Bearer s3cret-one", "Content-Type: application/json" }) do
    words[#words + 1] = "-H " .. host.quote(line)
  end
  words[#words + 1] = "-X " .. (asked.method or "POST")
  if asked.method ~= "GET" then
    words[#words + 1] = "--data-binary " .. host.quote(asked.from and "@" .. asked.from or asked.body or client.BODY)
  end
  words[#words + 1] = host.quote(here.base_url .. (asked.path or client.PATH:format(asked.account or client.ACCOUNT)))
  local head, body = host.run(table.concat(words, " ")):match("^(.-\r\n)\r\n(.*)$")
  local headers = {}
  for name, value in head:gmatch("([%w-]+): ([^\r]*)") do
    headers[name:lower()] = value
  end
  return tonumber(head:match("^HTTP/1.1 (%d+)")), cjson.decode(body), headers
end

function client.assert_refused(status, code, here, asked, message)
  local got, envelope, headers = client.curl(here, asked)
  assert.equal(status, got, message)
  assert.equal("application/json", headers["content-type"])
  assert.is_false(envelope.success)
  assert.equal(cjson.null, envelope.result)
  assert.same({}, envelope.messages)
  assert.equal(1, #envelope.errors)
  assert.equal(code, envelope.errors[1].code, message)
  if message then
    assert.matches(message, envelope.errors[1].message)
  end
  return envelope.errors[1], headers
end

return client
