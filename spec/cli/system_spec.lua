-- What the command line needs of the machine, on this machine.

local host = require "spec.support.host"
local system = require "traceroute.cli.system"

local PROGRAM = ([[
package.path = %q
local system = require "traceroute.cli.system"
print(system.is_terminal(1), system.columns())
]]):format(package.path)

describe("cli.system", function()
  local directory

  setup(function()
    directory = host.private_directory("system")
    host.write(directory .. "/program.lua", PROGRAM)
  end)

  teardown(function()
    host.remove(directory)
  end)

  local function shell(words)
    local said, status = host.run("cd " .. host.quote(directory) .. " && " .. words)
    assert.equal(0, status, words)
    return said
  end

  it("puts a file in place as a whole, or says why not and leaves what was there", function()
    local name = directory .. "/it's a file"
    assert.is_true(system.write(name, "one"))
    assert.equal("one", system.read(name))
    host.write(directory .. "/full.lua", ([[
      package.path = %q
      io.stderr:write(tostring(select(2, require "traceroute.cli.system".write(%q, ("two"):rep(10000)))))
    ]]):format(package.path, name))
    local said = host.run(("(trap '' XFSZ; ulimit -f 1; %s %s/full.lua) 2>&1 >/dev/null"):format(
      host.quote(host.interpreter()), host.quote(directory)))
    assert.equal(name .. ": File too large", said)
    assert.equal("one", system.read(name))
    assert.equal("full.lua\nit's a file\nprogram.lua\n", shell "ls -A")
    local ok, err = system.write(directory .. "/none/file", "two")
    assert.is_nil(ok)
    assert.matches("/none/file: No such file or directory$", err)
  end)

  it("keeps the mode of what it replaces, and gives a new file the usual one", function()
    shell "umask 022; echo secret >secret; chmod 600 secret"
    assert.is_true(system.write(directory .. "/secret", "new"))
    assert.is_true(system.write(directory .. "/fresh", "new"))
    shell "touch usual"
    assert.equal("600\n", shell "stat -c %a secret")
    assert.equal(shell "stat -c %a usual", shell "stat -c %a fresh")
    assert.equal("new", system.read(directory .. "/secret"))
  end)

  it("follows symlinks, also to what is not there yet", function()
    shell "mkdir there; echo old >there/file; ln -s there/file link; ln -s link twice; ln -s there/none dangling"
    assert.is_true(system.write(directory .. "/twice", "new"))
    assert.is_true(system.write(directory .. "/dangling", "more"))
    assert.equal("new", system.read(directory .. "/there/file"))
    assert.equal("more", system.read(directory .. "/there/none"))
    assert.equal("there/file\nlink\nthere/none\n", shell "readlink link; readlink twice; readlink dangling")
  end)

  it("writes into what is no file, and leaves it what it is", function()
    shell "mkfifo fifo; ln -s /dev/null null"
    local reader = io.popen("exec timeout 10 cat " .. host.quote(directory .. "/fifo"))
    assert.is_true(system.write(directory .. "/fifo", "through"))
    assert.equal("through", reader:read("*a"))
    reader:close()
    assert.equal("fifo\n", shell "stat -c %F fifo")
    assert.is_true(system.write(directory .. "/null", "gone"))
    assert.equal("/dev/null character special file\n", shell "readlink null | tr '\n' ' '; stat -L -c %F null")
    local ok, err = system.write("/dev/full", "x")
    assert.equal("nil /dev/full: No space left on device", tostring(ok) .. " " .. err)
    ok, err = system.write(directory, "x")
    assert.equal("nil " .. directory .. ": Is a directory", tostring(ok) .. " " .. err)
  end)

  it("knows two names of one file, be it there or not", function()
    shell "touch here; ln -s here alias"
    assert.is_true(system.is_same(directory .. "/here", directory .. "/./here"))
    assert.is_true(system.is_same(directory .. "/here", directory .. "/alias"))
    assert.is_true(system.is_same(directory .. "/missing", directory .. "//missing"))
    assert.is_false(system.is_same(directory .. "/here", directory .. "/missing"))
    assert.is_false(system.is_same("/none/a", "/none/b"))
  end)

  it("tells a file that is not there from one that cannot be read", function()
    local content, err, code = system.read(directory .. "/none")
    assert.is_nil(content)
    assert.matches("/none: No such file or directory$", err)
    assert.equal(2, code)
    content, err = system.read(directory)
    assert.is_nil(content)
    assert.matches("Is a directory$", err)
  end)

  it("knows a terminal and its columns, and when there is none", function()
    local program = host.quote(host.interpreter()) .. " " .. host.quote(directory .. "/program.lua")
    assert.equal("true\t77\r\n", (host.run(("script -qec %s /dev/null </dev/null"):format(
      host.quote("stty cols 77; " .. program)))))
    assert.equal("true\tnil\r\n", (host.run(("script -qec %s /dev/null </dev/null"):format(
      host.quote("stty cols 0; " .. program)))))
    assert.equal("false\tnil\n", (host.run("setsid -w " .. program)))
  end)

  it("tells the time as UTC", function()
    local before = os.date("!%Y-%m-%d %H:%M:%SZ")
    local now = system.now()
    assert.matches("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%dZ$", now)
    assert.is_true(before <= now and now <= os.date("!%Y-%m-%d %H:%M:%SZ"))
  end)

  it("pauses, until something ends the pause", function()
    local before = host.now()
    assert.is_true(system.pause(0.05))
    assert.is_true(host.now() - before >= 0.05)
  end)
end)
