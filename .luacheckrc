-- Every Lua that the module runs on, and nginx, which it may run in.
std = "max+ngx_lua"
cache = false
files["spec/support/coverage.lua"] = { globals = { "coroutine.create", "coroutine.wrap" } }
files["spec"].std = "+busted"
files["rockspec"].std = "rockspec"

-- Bodies without a use of their arguments are what annotations are made of.
files["lua/traceroute/meta.lua"] = { ignore = { "212" } }
