-- A colo outside nginx, on every Lua.

local colo = require "traceroute.colo"

describe("a colo outside nginx", function()
  it("is refused with the reason", function()
    local made, why = pcall(colo.new, { name = "ams01" })
    assert.is_false(made)
    assert.matches("traceroute.colo works inside nginx %(ngx_lua%) alone$", why)
  end)
end)
