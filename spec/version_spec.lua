-- One version: csrc/version.h says it, and everything else that names a version agrees.

local core = require "traceroute.core"
local host = require "spec.support.host"
local traceroute = require "traceroute"

describe("the version", function()
  local root = host.root()
  local header = host.read(root .. "/csrc/version.h")
  local version = header:match('\n#define TR_VERSION "([^"]*)"\n')

  -- The rockspec's globals, read without giving it any.
  local function read_rockspec(path)
    local text, env = host.read(path), {}
    local chunk
    if setfenv then -- luacheck: ignore
      chunk = setfenv(assert(loadstring(text, "@" .. path)), env) -- luacheck: ignore
    else
      chunk = assert(load(text, "@" .. path, "t", env))
    end
    chunk()
    return env
  end

  local rockspecs = {}
  for path in host.run("ls " .. host.quote(root) .. "/rockspec/*.rockspec"):gmatch("[^\n]+") do
    rockspecs[#rockspecs + 1] = path
  end

  it("is three numbers, said once in csrc", function()
    assert.matches("^%d+%.%d+%.%d+$", version)
    assert.equal(1, select(2, header:gsub("#define TR_VERSION%s", "")))
    local found = host.run("grep -lF " .. host.quote('"' .. version .. '"') .. " -r " .. host.quote(root .. "/csrc")
      .. " " .. host.quote(root .. "/lua"))
    assert.equal(root .. "/csrc/version.h\n", found)
  end)

  it("is the module's and the core's", function()
    assert.equal(version, traceroute.VERSION)
    assert.equal(version, core.VERSION)
  end)

  it("is the rockspec's, or that of no release; name and file agree", function()
    assert.is_true(#rockspecs > 0)
    for _, path in ipairs(rockspecs) do
      local rock = read_rockspec(path)
      assert.equal("cloudflare-traceroute", rock.package)
      assert.equal(("%s-%s.rockspec"):format(rock.package, rock.version), path:match("[^/]*$"))
      local release = rock.version:match("^(.*)%-%d+$")
      assert.is_true(release == "scm" or release == version, rock.version)
      if release ~= "scm" then
        assert.equal("v" .. version, rock.source.tag)
      end
    end
  end)

  it("heads the change log, below what is not yet released", function()
    local log = assert(host.read(root .. "/CHANGELOG.md"))
    local heading
    for line in log:gmatch("[^\n]+") do
      heading = heading or line:match("^## %[?(%d+%.%d+%.%d+)%]?")
    end
    assert.equal(version, heading)
  end)
end)
