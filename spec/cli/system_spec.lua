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

  it("puts a file in place as a whole, or says why not and leaves what was there", function()
    local name = directory .. "/file"
    assert.is_true(system.write(name, "one"))
    assert.equal("one", system.read(name))
    host.run(("ln -s /dev/full %s"):format(host.quote(name .. ".new")))
    local ok, err = system.write(name, ("two"):rep(10000))
    assert.is_nil(ok)
    assert.equal(name .. ".new: No space left on device", err)
    assert.equal("one", system.read(name))
    assert.equal("file\nprogram.lua\n", (host.run("ls " .. host.quote(directory))))
    ok, err = system.write(directory .. "/none/file", "two")
    assert.is_nil(ok)
    assert.matches("/none/file%.new: No such file or directory$", err)
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
