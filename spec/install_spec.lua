-- What `make install` and luarocks put in place runs from there, with nothing of the checkout in sight.

local host = require "spec.support.host"
local report = require "traceroute.report"
local sample = require "spec.support.sample"
local traceroute = require "traceroute"

local quote = host.quote
local ROOT = host.root()
local ROCKSPEC = "rockspec/cloudflare-traceroute-scm-1.rockspec"
local VERSION = _VERSION:match("%d%.%d")

-- Where nothing says where modules are; `assignments` may.
local function bare(command, assignments)
  local suffix = VERSION:gsub("%.", "_")
  return host.run(("cd / && env -u LUA_PATH -u LUA_CPATH -u LUA_PATH_%s -u LUA_CPATH_%s %s %s 2>&1"):format(
    suffix, suffix, assignments or "", command))
end

describe("installed #heavy", function()
  local directory

  before_each(function()
    directory = host.private_directory("install")
  end)

  after_each(function()
    host.remove(directory)
  end)

  local function runs(command, assignments)
    local output, status = bare(command .. " --version", assignments)
    assert.equal("cf-traceroute " .. traceroute.VERSION .. "\n0", output .. status)
    local published = quote(ROOT .. "/spec/support/published.json")
    output, status = bare(command .. " --format csv --read " .. published, assignments)
    assert.equal(report.csv(sample.published()) .. 0, output .. status)
  end

  local function make(target, prefix, more)
    local output, status = host.run(("cd %s && make -s %s LUA=%s PREFIX=%s %s 2>&1"):format(
      quote(ROOT), target, quote(host.interpreter()), quote(prefix), more or ""))
    assert.equal(0, status, output)
  end

  it("by make, module and command run, and uninstall leaves no file", function()
    local prefix = directory .. "/it's here"
    make("install", prefix)
    runs(quote(prefix .. "/bin/cf-traceroute"))
    local share = prefix .. "/share/"
    assert.truthy(host.read(share .. "man/man1/cf-traceroute.1"):find("^%.TH CF%-TRACEROUTE 1 "))
    assert.truthy(host.read(share .. "bash-completion/completions/cf-traceroute"):find("complete -F", 1, true))
    assert.truthy(host.read(share .. "zsh/site-functions/_cf-traceroute"):find("^#compdef cf%-traceroute\n"))
    local listed = host.run("cd " .. quote(ROOT .. "/lua") ..
      " && find . -name '*.lua' ! -path '*/cli/main.lua' | sort")
    local modules = host.run("cd " .. quote(share .. "lua/" .. VERSION) .. " && find . -type f | sort")
    assert.equal(listed, modules)
    make("uninstall", prefix)
    assert.equal("", (host.run("find " .. quote(prefix) .. " -type f")))
    assert.equal("", (host.run("find " .. quote(prefix) .. " -name traceroute")))
  end)

  it("by make below DESTDIR, nothing names DESTDIR", function()
    make("install", "/opt/traceroute", "DESTDIR=" .. quote(directory))
    assert.equal("opt\n", (host.run("ls " .. quote(directory))))
    local found = host.run("grep -rlF " .. quote(directory) .. " " .. quote(directory))
    assert.equal("", found)
  end)

  -- Debian's luarocks builds for PUC's Luas.
  if not rawget(_G, "jit") then
    it("by luarocks, module and command run", function()
      host.run(("cp -r %s/csrc %s/lua %s/rockspec %s"):format(quote(ROOT), quote(ROOT), quote(ROOT), quote(directory)))
      local tree = directory .. "/tree"
      local make_rock = "cd %s && luarocks --lua-version %s make --deps-mode=none --tree %s %s 2>&1"
      local output, status = host.run(make_rock:format(quote(directory), VERSION, quote(tree), ROCKSPEC))
      assert.equal(0, status, output)
      runs(quote(tree .. "/bin/cf-traceroute"), ("LUA_PATH=%s LUA_CPATH=%s"):format(
        quote(("%s/share/lua/%s/?.lua;%s/share/lua/%s/?/init.lua;;"):format(tree, VERSION, tree, VERSION)),
        quote(("%s/lib/lua/%s/?.so;;"):format(tree, VERSION))))
    end)
  end
end)
