-- Lua states in a program of several threads. spec/memory/threads.c is that program.

local built = require "spec.support.built"
local host = require "spec.support.host"
local server = require "spec.support.server"

describe("a program of several threads", function()
  local program, environment, silent

  setup(function()
    program = built.program("memory/threads")
    local port
    port, silent = server.silent_port()
    environment = ("env -u LD_PRELOAD ASAN_OPTIONS=detect_leaks=0 REFUSING=https://127.0.0.1:%d "
      .. "SILENT=https://127.0.0.1:%d"):format(server.free_port(), port)
  end)

  teardown(function()
    silent.close()
  end)

  local function run(before, ...)
    local said, status = host.run(("cd %s && %s timeout 300 %s %s spec/memory/use.lua %s 2>&1"):format(
      host.quote(host.root()), environment, before, host.quote(program), table.concat({ ... }, " ")))
    assert.equal("fine\n", said)
    assert.equal(0, status)
  end

  it("may close a state in another thread than used it", function()
    run("", "close", 50)
  end)

  it("may fork while another thread makes calls: the child's do not hang", function()
    if os.getenv("SANITIZE") == "1" then
      pending("the address sanitizer's own allocator may stay locked in a child")
      return
    end
    run("", "fork", 1000)
  end)

  if not rawget(_G, "jit") and os.getenv("SANITIZE") ~= "1" then
    it("leaves nothing behind where a state is closed in another thread", function()
      run("valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect "
        .. "--show-leak-kinds=definite,indirect", "close", 3)
    end)
  end
end)
