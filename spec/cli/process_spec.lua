-- cf-traceroute as a process: what becomes of a result when somebody interrupts, hangs up, or lets one target fail.

local host = require "spec.support.host"
local json = require "traceroute.json"
local server = require "spec.support.server"

local MAIN = host.quote(host.checked_interpreter()) .. " " .. host.root() .. "/lua/traceroute/cli/main.lua "
local PUBLISHED = host.quote(host.root() .. "/spec/support/published.json")
-- Seconds: long before anything that is interrupted would have ended by itself.
local AT_ONCE = 10 * host.patience()

-- h1 to h10 go in the first request, h11 in the second.
local TARGETS = {}
for i = 1, 11 do
  TARGETS[i] = "h" .. i
end
TARGETS = table.concat(TARGETS, " ")

describe("cf-traceroute's process", function()
  local stand_in, directory, last

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
    directory = host.private_directory("cli-process")
    last = directory .. "/last.json"
  end)

  after_each(function()
    host.remove(directory)
  end)

  -- The words of a call that the behaviour answers, without TLS: under valgrind, shaking hands may take longer than a
  -- connection is given.
  local function call(behaviour, words)
    return ("%s --from den01 --retries 0 --timeout 600 --account %s --base-url %s %s"):format(TARGETS,
      stand_in.account, host.quote(stand_in:url(behaviour, "http", "127.0.0.1")), words)
  end

  -- In a group of its own, with the signals of a shell that is not in the background.
  local function start(words)
    local pipe = io.popen(("{ CLOUDFLARE_API_TOKEN=t setsid sh -c 'echo $$; "
      .. "exec env --default-signal=INT,PIPE \"$@\" >\"$0/out\" 2>\"$0/err\"' %s %s %s; echo $?; } 2>/dev/null"):format(
      directory, MAIN, words))
    local pid = pipe:read("*l")
    return pid, function()
      local before = host.now()
      local status = tonumber(pipe:read("*l"))
      pipe:close()
      return { status = status, seconds = host.now() - before, out = host.read(directory .. "/out"),
        err = host.read(directory .. "/err") }
    end
  end

  local function signal(name, pid)
    host.run(("kill -%s %s"):format(name, pid))
  end

  local function run(words)
    local _, finish = start(words)
    return finish()
  end

  -- Whether all that the stand-in has sent gets read, by a connection that is still there.
  local function await_read()
    local port, deadline = (":%04X"):format(stand_in.ports.http), host.now() + host.LONG
    repeat
      host.pause(2)
      local connections, unread = 0, 0
      for remote, bytes in host.read("/proc/net/tcp"):gmatch("%d+: %x+:%x+ %x+(:%x+) 01 %x+:(%x+)") do
        if remote == port then
          connections, unread = connections + 1, unread + tonumber(bytes, 16)
        end
      end
      if connections > 0 and unread == 0 then
        return true
      end
    until host.now() > deadline
    return false
  end

  -- The addresses of the paths that a file holds, by target.
  local function kept(name)
    local set = {}
    for _, target in ipairs(assert(json.result(host.read(name)))) do
      set[target.target] = #target.colos
    end
    return set
  end

  it("shows and saves what had arrived when it is interrupted", function()
    local pid, finish = start(call("slow_target/h11/300000", "--format csv --save " .. last))
    assert.is_table(stand_in:await(function(list)
      return #list == 2 and (list[1].ended or list[2].ended)
    end))
    assert.is_true(await_read())
    signal("INT", pid)
    local said = finish()
    assert.is_true(said.seconds < AT_ONCE)
    assert.equal("cf-traceroute: interrupted: not all arrived of 1 of 11 targets: h11\n", said.err)
    assert.equal(130, said.status)
    assert.matches("\nh10,den01,", said.out)
    assert.is_nil(said.out:find("h11", 1, true))
    assert.equal(1, kept(last).h10)
    assert.is_nil(kept(last).h11)
  end)

  it("keeps a terminal's interrupt from the prober, whose answers are to be kept", function()
    local prober = directory .. "/prober"
    host.write(prober, ([[#!/bin/sh
      trap 'touch %s/hit' INT
      while read token command rest; do
        case $command in
          check-support) echo "$token feature-support support ok" ;;
          *) touch %s/asked ;;
        esac
      done
    ]]):format(directory, directory))
    host.run("chmod 755 " .. prober)
    host.setenv("MTR_PACKET", prober)
    local pid, finish = start("--here 192.0.2.1")
    host.setenv("MTR_PACKET", nil)
    local deadline = host.now() + host.LONG
    while not host.read(directory .. "/asked") and host.now() < deadline do
      host.pause(10)
    end
    signal("INT", "-" .. pid)
    assert.equal(130, finish().status)
    host.pause(200)
    assert.is_string(host.read(directory .. "/asked"))
    assert.is_nil(host.read(directory .. "/hit"))
  end)

  it("compares and keeps what arrives, whatever one target does", function()
    local chain = "--format json --fail-if path-changed --diff " .. last .. " --save " .. directory .. "/./last.json"
    local said = run(call("fail_target/h11/503", chain))
    assert.equal(3, said.status, said.err)
    assert.equal(1, kept(last).h1)
    assert.equal(10, #json.decode(said.out).added)
    said = run(call("ok", chain))
    assert.equal(1, said.status, said.err)
    assert.equal("cf-traceroute: path-changed: h11 from den01: is new\n", said.err)
    said = run(call("fail_target/h11/503", chain))
    assert.equal(3, said.status, said.err)
    assert.equal(10, #json.decode(said.out).paths)
    assert.equal(1, kept(last).h11)
    host.write(last, (host.read(last):gsub('"ip":"[%d.]+"', '"ip":"192.0.2.99"')))
    said = run(call("fail_target/h11/503", chain))
    assert.equal(1, said.status, said.err)
    assert.matches("\ncf%-traceroute: path%-changed: h1 from den01: from hop 1 on\n", said.err)
    assert.is_nil(said.err:find("path-changed: h11", 1, true))
  end)

  it("names the targets that did not arrive", function()
    local said = run(call("fail_target/h3/503", ""))
    assert.equal(3, said.status, said.err)
    assert.matches("\ncf%-traceroute: not all arrived of 10 of 11 targets: h1, h2, [^\n]+, h10\n$", said.err)
  end)

  it("saves and judges before its reader goes away", function()
    local words = "--read " .. PUBLISHED .. " --format json --fail-if 'rtt>0.01' --save " .. last
    local gate = host.quote(directory .. "/gate")
    assert.equal("", (host.run("mkfifo " .. gate .. " 2>&1")))
    local left = { "read -r _ <" .. gate .. "; ", ("| { exec <&-; : >%s; }"):format(gate) }
    for _, way in ipairs { left, { "", ">/dev/full" }, { "", ">&-" } } do
      local gone = way[2]
      os.remove(last)
      local status = host.run(("{ %senv --default-signal=PIPE %s %s 2>%s/err; echo $? >%s/status; } %s; cat %s/status")
        :format(way[1], MAIN, words, directory, directory, gone, directory))
      assert.equal(way == left and "141\n" or "3\n", status, gone)
      assert.equal(1, kept(last)["1.1.1.1"], gone)
      assert.matches("^cf%-traceroute: rtt>0.01: 1.1.1.1 from den01: 0.02 ms\n", host.read(directory .. "/err"))
    end
  end)

  local function in_the_pause()
    local pid, finish = start(call("ok", "--watch 300 --times 2 --quiet"))
    assert.is_table(stand_in:await(function(list)
      return #list == 2 and list[1].ended and list[2].ended
    end))
    local deadline = host.now() + host.LONG
    local sleeps
    repeat
      host.pause(10)
      -- neither ps nor pgrep runs with a sanitizer preloaded
      sleeps = host.run("unset LD_PRELOAD; ps -o args= --ppid " .. pid):find("sleep", 1, true)
    until sleeps or host.now() > deadline
    assert.is_truthy(sleeps)
    return pid, finish
  end

  it("feels an interrupt between two runs, be it sent to it alone", function()
    for _, to in ipairs { "", "-" } do
      local pid, finish = in_the_pause()
      signal("INT", to .. pid)
      local said = finish()
      assert.equal("130 \n", said.status .. " " .. said.err)
      assert.is_true(said.seconds < AT_ONCE)
      stand_in:reset()
    end
  end)

  it("leaves nothing behind when it is told to end between two runs", function()
    local pid, finish = in_the_pause()
    signal("TERM", pid)
    assert.equal(143, finish().status)
    local deadline = host.now() + host.LONG
    local left
    repeat
      host.pause(50)
      left = host.run("unset LD_PRELOAD; pgrep -g " .. pid)
    until left == "" or host.now() > deadline
    assert.equal("", left)
  end)

  it("leaves standard input to whom it is meant for when there is no target", function()
    local loop = ("{ %s 2>%s/err; echo $?; cat; }"):format(MAIN, directory)
    host.write(directory .. "/hosts", "\nh1\nh2\n")
    assert.equal("2\n\nh1\nh2\n", (host.run(loop .. " <" .. directory .. "/hosts")))
    -- Of a pipe, what has been looked at is gone: a line, not half a name.
    assert.equal("2\nh2\n", (host.run("cat " .. directory .. "/hosts | " .. loop)))
    assert.equal("cf-traceroute: no target, and standard input holds no saved result\n"
      .. "Try 'cf-traceroute --help'.\n", host.read(directory .. "/err"))
    local said = run("</dev/null")
    assert.equal(2, said.status)
    assert.matches("^cf%-traceroute: no target, and standard input is empty\n", said.err)
    assert.equal(0, run("--quiet <" .. PUBLISHED).status)
    said = run("--save " .. last .. " --from den01 <" .. PUBLISHED)
    assert.equal(2, said.status)
    assert.matches("^cf%-traceroute: no target\n", said.err)
  end)
end)
