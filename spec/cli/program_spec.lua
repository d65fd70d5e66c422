-- cf-traceroute as it is run: arguments, files and streams in, a status out.

local host = require "spec.support.host"
local json = require "traceroute.json"
local report = require "traceroute.report"
local sample = require "spec.support.sample"
local server = require "spec.support.server"

describe("cf-traceroute as a program", function()
  local interpreter = host.quote(host.checked_interpreter())

  local function program(rest)
    return host.run(interpreter .. " " .. host.root() .. "/lua/traceroute/cli/main.lua " .. rest)
  end

  it("reads a file and standard input, writes, and exits with its status", function()
    local published = host.root() .. "/spec/support/published.json"
    local output, status = program("--read " .. host.quote(published) .. " --format csv")
    assert.equal(0, status)
    assert.equal(report.csv(sample.published()), output)
    output, status = program("--format csv <" .. host.quote(published))
    assert.equal("0 " .. report.csv(sample.published()), status .. " " .. output)
    output, status = program("--fail-if 'rtt>0.01' --quiet --read " .. host.quote(published) .. " 2>&1")
    assert.equal("1 cf-traceroute: rtt>0.01: 1.1.1.1 from den01: 0.02 ms\n", status .. " " .. output)
    output, status = program("--nonsense 2>&1")
    assert.equal(2, status)
    assert.truthy(output:find("unknown option", 1, true))
  end)

  it("saves a file as a whole", function()
    local directory = host.private_directory("save")
    local _, status = program("--quiet --read " .. host.root() .. "/spec/support/published.json --save " ..
      host.quote(directory .. "/it's saved"))
    assert.equal(0, status)
    assert.equal("1.1.1.1", json.result(host.read(directory .. "/it's saved"))[1].target)
    assert.equal("it's saved\n", (host.run("ls -A " .. host.quote(directory))))
    host.remove(directory)
  end)

  it("traces over TLS, and saves what it can compare with", function()
    local stand_in = server.get()
    stand_in:reset()
    local directory = host.private_directory("trace")
    local saved = host.quote(directory .. "/last.json")
    local call = ("CLOUDFLARE_API_TOKEN=secret-token %s --account %s --base-url %s --ca-file %s"):format(
      "%s one.example two.example --from den01,sin02", stand_in.account, host.quote(stand_in:url "ok"),
      host.quote(stand_in.ca_file))
    local main = interpreter .. " " .. host.root() .. "/lua/traceroute/cli/main.lua"
    local output, status = host.run(call:format(main) .. " --format jsonl --save " .. saved .. " 2>&1")
    assert.equal(0, status, output)
    local first = json.decode(output:match("^[^\n]+"))
    assert.equal("one.example den01 1", first.target .. " " .. first.colo .. " " .. first.ttl)
    assert.equal("POST", stand_in:requests()[1].method)
    output, status = host.run(call:format(main) .. " --fail-if path-changed --diff " .. saved .. " 2>&1")
    assert.equal(0, status, output)
    assert.equal(4, select(2, output:gsub("%.example from %w+: equal\n", "")))
    host.remove(directory)
  end)

  it("ends quietly when it is interrupted, with the status that shells give", function()
    local stand_in = server.get()
    stand_in:reset()
    -- A shell's child in the background ignores interrupts: env gives it back the default.
    local pipe = io.popen(("echo $$; CLOUDFLARE_API_TOKEN=secret-token timeout -s KILL %d env --default-signal=INT %s "
      .. "%s one.example --account %s --base-url %s --save %s 2>&1; echo status $?"):format(
      2 * host.LONG, interpreter, host.root() .. "/lua/traceroute/cli/main.lua", stand_in.account,
      host.quote(stand_in:url("hang", "http")), host.quote("/nonexistent/never written")))
    local shell = pipe:read("*l")
    assert.is_table(stand_in:await(function(list)
      return #list == 1
    end))
    -- timeout's child; pgrep does not run with a sanitizer preloaded
    host.run(("unset LD_PRELOAD; kill -INT $(pgrep -P $(pgrep -P %s))"):format(shell))
    local said = pipe:read("*a")
    pipe:close()
    assert.equal("\nstatus 130\n", said)
  end)

  it("says so when the module does not load", function()
    for _, words in ipairs { "one.example", "--version", "--dry-run one.example" } do
      local output, status = host.run(("%s -e %s %s %s 2>&1"):format(interpreter,
        host.quote("package.preload['traceroute.core'] = function() error('the core is missing', 0) end"),
        host.root() .. "/lua/traceroute/cli/main.lua", words))
      assert.equal(3, status, output)
      assert.matches("^cf%-traceroute: the module does not load: the core is missing\n", output)
    end
  end)

  it("says what the service said, without the token", function()
    local stand_in = server.get()
    local output, status = host.run(("CLOUDFLARE_API_TOKEN=secret-token %s %s one.example --account %s --retries 0 " ..
      "--base-url %s --ca-file %s 2>&1"):format(interpreter, host.root() .. "/lua/traceroute/cli/main.lua",
      stand_in.account, host.quote(stand_in:url "status/503"), host.quote(stand_in.ca_file)))
    assert.equal(3, status, output)
    assert.truthy(output:find("^cf%-traceroute: server: [^\n]*503[^\n]*\n$"), output)
    assert.is_nil(output:find("secret-token", 1, true))
  end)
end)
