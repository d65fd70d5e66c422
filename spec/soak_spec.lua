-- A short soak: `make soak` is the long one. What is mixed in and how growth is judged, spec/soak/soak.lua says.

local host = require "spec.support.host"

local CALLS = 3000

describe("many calls with faults mixed in #heavy", function()
  it("all end as they should, and leave neither memory nor descriptors", function()
    if host.is_sanitized() then
      pending("the address sanitizer keeps what is freed")
      return
    end
    local said, status = host.run(("cd %s && timeout 300 %s spec/soak/soak.lua %d 2>&1"):format(
      host.quote(host.root()), host.quote(host.interpreter()), CALLS))
    assert.equal(0, status, said)
    assert.matches("\n" .. CALLS .. " calls in %d+ s, 0 of them not as they should be\n.*\nfine\n?$", said)
  end)
end)
