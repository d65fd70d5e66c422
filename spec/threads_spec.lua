-- Lua states in a program of several threads. spec/memory/threads.c is that program.

local built = require "spec.support.built"
local host = require "spec.support.host"
local server = require "spec.support.server"

describe("a program of several threads #heavy", function()
  local silent, refusals

  setup(function()
    local port
    port, silent = server.silent_port()
    refusals = ("ASAN_OPTIONS=detect_leaks=0 REFUSING=https://127.0.0.1:%d SILENT=https://127.0.0.1:%d"):format(
      server.free_port(), port)
  end)

  teardown(function()
    silent.close()
  end)

  local function says(expected, environment, ...)
    local said, status = host.run(("cd %s && env -u LD_PRELOAD %s timeout 300 %s 2>&1"):format(
      host.quote(host.root()), environment, table.concat({ ... }, " ")))
    assert.equal(expected .. "fine\n", said)
    assert.equal(0, status)
  end

  local function run(...)
    says("", ...)
  end

  local function program(script)
    return host.quote(built.program("memory/threads")) .. " spec/memory/" .. (script or "use.lua")
  end

  it("may close a state when the core's thread has ended with the process", function()
    says(("true\tnil\tcancelled\tcancelled\n"):rep(2), refusals, program("late.lua"), "exit", 2)
  end)

  it("may close a state in another thread than used it", function()
    run(refusals, program(), "close", 50)
  end)

  it("may fork while another thread makes calls: the child's do not hang", function()
    if os.getenv("SANITIZE") == "1" then
      pending("the address sanitizer's own allocator may stay locked in a child")
      return
    end
    run(refusals, program(), "fork", 1000)
  end)

  -- Races are the same by any Lua and compiler. The sanitizer of gcc 12 wants the addresses that Linux gives by chance.
  if package.cpath:find("build/lua5.4/", 1, true) then
    it("guards whatever two threads touch", function()
      local stand_in = server.get()
      local _, refused = host.run("setarch -R true 2>&1")
      local checked = "TSAN_OPTIONS=ignore_noninstrumented_modules=1"
      local environment = ("BASE_URL=%s LARGE=%s CA_FILE=%s %s"):format(
        stand_in:url("ok"), stand_in:url("big/1/400/15"), host.quote(stand_in.ca_file), checked)
      local races = (refused == 0 and "setarch -R " or "") .. host.quote(built.program("memory/races"))
      run(environment, races, "spec/memory/together.lua", "together", 4)
      run(refusals .. " " .. checked, races, "spec/memory/use.lua", "handover", 10)
    end)
  end

  if not rawget(_G, "jit") and os.getenv("SANITIZE") ~= "1" then
    it("leaves nothing behind where a state is closed in another thread", function()
      run(refusals, "valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect "
        .. "--show-leak-kinds=definite,indirect", program(), "close", 3)
    end)
  end
end)
