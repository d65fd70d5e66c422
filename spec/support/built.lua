-- Programs that a spec runs beside itself: those that the Makefile makes, next to the core that this Lua loads.

local host = require "spec.support.host"

local built = {}

-- Of the core: build/lua5.4, with what else it was made with behind it.
local function directory()
  return assert(package.cpath:match("(build/[^/;]+)/%?%.so"), "no build directory in package.cpath")
end

-- The absolute path of a program, by its path below the build directory.
function built.program(path)
  local out = directory()
  local lua = out:match("build/([^-]*)")
  local target = out .. "/" .. path
  -- Without what the make that runs the specs hands on, but for the compiler.
  local said, status = host.run(("cd %s && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u LD_PRELOAD make -s OUT=%s "
    .. "LUA=%s SANITIZE=%s %s 2>&1"):format(host.quote(host.root()), host.quote(out), host.quote(lua),
    out:find("-sanitize", 1, true) and "1" or "", host.quote(target)))
  assert(status == 0, said)
  return host.root() .. "/" .. target
end

return built
