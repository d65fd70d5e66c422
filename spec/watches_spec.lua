-- Sockets that the system does not watch, as where a user has no watches left: who needs them fails with the system's
-- word, and nobody else. spec/memory/watches.c is the program, spec/memory/refused.lua what it runs.

local built = require "spec.support.built"
local host = require "spec.support.host"
local server = require "spec.support.server"

local ENOMEM, ENOSPC = 12, 28
local NO_SPACE = "connection: the connection cannot be waited for: No space left on device"

describe("without watches", function()
  local stand_in, program

  setup(function()
    stand_in = server.get()
    program = built.program("memory/watches")
  end)

  -- What came of it, and how many sockets were refused. with: errno, first and last of the sockets that are refused,
  -- listener, place, retries
  local function run(with)
    local said = host.run(("cd %s && env -u LD_PRELOAD ASAN_OPTIONS=detect_leaks=0 STAND_IN=%s CA_FILE=%s PLACE=%s "
      .. "RETRIES=%d timeout 60 %s spec/memory/refused.lua %d %d %d 2>&1"):format(host.quote(host.root()),
      host.quote(stand_in:url("ok", with.listener or "http11")), host.quote(stand_in.ca_file), with.place or "here",
      with.retries or 0, host.quote(program), with.errno, with.first, with.last or with.first))
    local outcome, refused = said:match("^(.*); (%d+) refused\n$")
    return outcome or said, tonumber(refused)
  end

  for _, place in ipairs { "here", "thread" } do
    it("a request whose socket is not watched fails, and no other: " .. place, function()
      assert.equal("30 there, 0 not, nil", run { errno = ENOSPC, first = 4, place = place })
      for _, listener in ipairs { "http11", "https" } do
        assert.equal("20 there, 10 not, " .. NO_SPACE, run {
          errno = ENOSPC, first = 1, listener = listener, place = place,
        })
      end
      -- The third request may find the first one's connection free.
      local outcome, refused = run { errno = ENOSPC, first = 2, last = 3, place = place }
      assert.is_true(refused == 1 or refused == 2, refused)
      assert.equal(("%d there, %d not, %s"):format(30 - 10 * refused, 10 * refused, NO_SPACE), outcome)
      assert.equal("0 there, 30 not, " .. NO_SPACE, run { errno = ENOSPC, first = 1, last = 1000, place = place })
    end)

    it("a lack of memory is one: " .. place, function()
      assert.equal("raised not enough memory", run { errno = ENOMEM, first = 1, place = place })
      assert.equal("raised not enough memory", run { errno = ENOMEM, first = 0, place = place })
    end)

    it("nothing can be waited for at all: " .. place, function()
      assert.equal("0 there, 0 not, connection: No space left on device", run {
        errno = ENOSPC, first = 0, place = place,
      })
    end)
  end

  it("a further try may find one", function()
    assert.equal("30 there, 0 not, nil", run { errno = ENOSPC, first = 1, last = 3, retries = 1 })
  end)
end)
