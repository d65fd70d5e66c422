-- The README's shell lines do what it says of them, against the stand-in; cron's own part aside.

local host = require "spec.support.host"
local readme = require "spec.support.readme"
local server = require "spec.support.server"
local service = require "spec.support.service"
local traces = require "spec.support.traces"

local TOKEN = "recipes-token"

-- Those lines of the blocks of that language that hold the command.
local function lines_of(language, text)
  local found = {}
  for _, block in ipairs(readme.blocks(language)) do
    for line in block:gmatch("[^\n]+") do
      if line:find("cf-traceroute ", 1, true) and line:find(text or "", 1, true) then
        found[#found + 1] = line
      end
    end
  end
  return found
end

local function only(list)
  assert.equal(1, #list)
  return list[1]
end

describe("the README's recipe", function()
  local stand_in, home, bin

  local function script(name, text)
    host.write(bin .. "/" .. name, "#!/bin/sh\n" .. text .. "\n")
    host.run("chmod 755 " .. host.quote(bin .. "/" .. name))
  end

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    host.clean_environment()
    home, bin = host.private_directory("recipes"), host.private_directory("recipes-bin")
    script("cf-traceroute", ('exec %s %s "$@"'):format(host.quote(host.checked_interpreter()),
      host.quote(host.root() .. "/lua/traceroute/cli/main.lua")))
    host.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
    host.setenv("CLOUDFLARE_ACCOUNT_ID", stand_in.account)
    host.setenv("CLOUDFLARE_BASE_URL", stand_in:url("ok", "http", "127.0.0.1"))
    host.write(home .. "/hosts.txt", "one.example # a comment\ntwo.example\n")
  end)

  after_each(function()
    host.clean_environment()
    host.remove(home)
    host.remove(bin)
  end)

  -- What the line says on both streams, and its status.
  local function run(line, shell)
    local command = ("cd %s && HOME=%s PATH=%s:\"$PATH\" timeout %d %s -c %s 2>&1"):format(host.quote(home),
      host.quote(home), host.quote(bin), 3 * host.LONG, shell or "bash -o pipefail", host.quote(line))
    return host.run(command)
  end

  local function succeeds(line)
    local output, status = run(line)
    assert.equal(0, status, line .. "\n" .. output)
    assert.is_nil(output:find(TOKEN, 1, true))
    return output
  end

  it("is tested here, whichever it is", function()
    assert.equal(6, #lines_of "sh")
    assert.equal(1, #lines_of "crontab")
  end)

  it("traces and saves, reads and draws", function()
    local drawn = succeeds(only(lines_of("sh", "--type tcp")))
    for _, colo in ipairs { "den01 (Denver, CO, US)", "sin02 (Singapore, SG)" } do
      assert.truthy(drawn:find("example.com (203.0.113.", 1, true), drawn)
      assert.truthy(drawn:find(" from " .. colo, 1, true), drawn)
    end
    if select(2, host.run("command -v dot >/dev/null")) ~= 0 then
      return pending("dot is not installed")
    end
    succeeds(only(lines_of("sh", "dot -Tsvg")))
    assert.truthy(host.read(home .. "/path.svg"):find("<svg", 1, true))
  end)

  it("makes a table for a spreadsheet", function()
    assert.equal("", succeeds(only(lines_of("sh", "--format csv"))))
    local csv = host.read(home .. "/paths.csv")
    assert.truthy(csv:find("^target,colo,city,ttl,"))
    assert.equal(1 + 2 * 7, select(2, csv:gsub("\n", ""))) -- two targets; six hops, one of them with two nodes
    assert.truthy(csv:find("\ntwo.example,fra01,", 1, true))
  end)

  it("prints the request without sending it", function()
    stand_in:reset()
    local said = succeeds(only(lines_of("sh", "--dry-run")))
    assert.truthy(said:find("^POST http://127%.0%.0%.1:%d+/ok/client/v4/accounts/"))
    assert.truthy(said:find('\n{"targets":["example.com"],"colos":["den01"],"options":{}}\n', 1, true))
    assert.same({}, stand_in:requests())
  end)

  it("alerts from cron, and only then", function()
    local block = readme.block("crontab", "cf-traceroute")
    assert.truthy(block:find("^CLOUDFLARE_API_TOKEN=…\nCLOUDFLARE_ACCOUNT_ID=…\n"))
    local command = only(lines_of "crontab"):match("^%*/10 %* %* %* %* (cf%-traceroute .+)$")
    assert.is_nil(command:find("%", 1, true)) -- cron would make a line end of it
    local output, status = run(command, "sh")
    assert.equal("0", output .. status)
    local asked = stand_in:requests()
    assert.truthy(asked[#asked].body:find('"one.example","two.example"', 1, true))
    host.setenv("CLOUDFLARE_BASE_URL", stand_in:url("status/403", "http", "127.0.0.1"))
    output, status = run(command, "sh")
    assert.equal(3, status)
    assert.truthy(output:find("^cf%-traceroute: permission: "), output)
    host.setenv("CLOUDFLARE_BASE_URL", stand_in:url("ok", "http", "127.0.0.1"))
    host.write(home .. "/hosts.txt", "error-1.example\n")
    output, status = run(command, "sh")
    assert.equal(1, status)
    assert.truthy(output:find("^cf%-traceroute: unreached: error%-1%.example: no path was measured\n"), output)
  end)

  it("tells a changed path from one that is the same", function()
    local line = only(lines_of("sh", "--save last.json --diff last.json"))
    succeeds(line)
    assert.equal("example.com from fra01: equal\n", succeeds(line):match("^[^\n]*\n"))
    local last, count = host.read(home .. "/last.json"):gsub('"ip":"198%.51%.%d+%.1"', '"ip":"192.0.2.1"')
    assert.equal(1, count)
    host.write(home .. "/last.json", last)
    local output, status = run(line)
    assert.equal(1, status)
    assert.truthy(output:find("example.com from fra01: changed at hop 1\n", 1, true), output)
    assert.truthy(output:find("cf-traceroute: path-changed: example.com from fra01: from hop 1 on\n", 1, true))
    assert.equal("example.com from fra01: equal\n", succeeds(line):match("^[^\n]*\n"))
  end)

  -- A pause is a program of our own, once a second; during the second pause the path changes.
  it("watches for the change", function()
    local line = only(lines_of("sh", "--watch"))
    local body = service.envelope(traces.result { targets = { "example.com" }, colos = { "fra01" } })
    local changed, count = body:gsub('"198%.51%.%d+%.1"', '"192.0.2.1"')
    assert.equal(1, count)
    stand_in:raw("watch", body)
    host.setenv("CLOUDFLARE_BASE_URL", stand_in:url("raw/watch", "http", "127.0.0.1"))
    host.write(home .. "/changed", changed)
    script("sleep", ('echo "$1" >>%s/pauses\n[ "$(wc -l <%s/pauses)" -le 300 ] || cp %s/changed %s'):format(
      host.quote(home), host.quote(home), host.quote(home), host.quote(stand_in.directory .. "/raw/watch")))
    assert.equal("cf-traceroute: path-changed: example.com from fra01: from hop 1 on\nchanged, or failed: see above\n",
      succeeds(line))
    assert.equal(("1.000\n"):rep(600), host.read(home .. "/pauses"))
  end)
end)
