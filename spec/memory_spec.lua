-- Memory that runs out: every allocation of the Lua state, and every one of the core, libcurl and c-ares, fails in
-- turn, alone or with all that follow, each time in a process of its own. spec/memory/driver.c says what it looks at;
-- spec/memory/script.lua is what is done meanwhile.
--
-- Of long runs every seventh allocation is failed; MEMORY=all fails each, as .ci/matrix does.

local built = require "spec.support.built"
local dns = require "spec.support.dns"
local host = require "spec.support.host"
local server = require "spec.support.server"

local WHOLE = 100000
local STRIDE = os.getenv("MEMORY") == "all" and 1 or 7
local JOBS = 16 -- most of the time they wait

-- What may come of it where not all is lost, and in what share of the runs at the most. Where Lua's fails alone it is
-- collected and asked again. Where the core's does, an answer is whole, or says what is missing: a try that failed for
-- want of memory is tried again, and may then meet the refusal that was meant for the first; what libcurl says while
-- headers come may mean a header that is too long, too; and c-ares, which asks for addresses of both families, forgets
-- that it had no memory for one when the other has none.
local CREATED = {
  lua = { ["whole invalid_response"] = 1 },
  core = { ["whole invalid_response"] = 0.25, ["server invalid_response"] = 0.05,
    ["connection invalid_response"] = 0.05, ["invalid_response invalid_response"] = 0.2 },
}
local PROBED = { lua = { whole = 1 }, core = { whole = 0.5, not_found = 0.2, connection = 0.15 } }
local OUTCOMES = {
  opening = { lua = { opened = 1 } }, create = CREATED, thread = CREATED, probe = PROBED, survey = PROBED,
}

-- Allocations that are asked for at the least: fewer mean that the allocator is not in its place.
local LEAST = {
  lua = { opening = 50, create = 500, thread = 500, probe = 60, survey = 60 },
  core = { opening = 0, create = 300, thread = 300, probe = 60, survey = 60 },
}

describe("without memory #heavy", function()
  local stand_in, names, program, environment

  setup(function()
    program = built.program("memory/driver")
    stand_in = server.get()
    names = dns.start { "address=/here.test/127.0.0.1", "ptr-record=1.0.0.127.in-addr.arpa,router.test", "local=/test/",
      "local=/in-addr.arpa/" }
    environment = ("env -u LD_PRELOAD ASAN_OPTIONS=detect_leaks=0 STAND_IN=%s CA_FILE=%s DNS_SERVERS=%s"):format(
      host.quote((stand_in:url("ok"):gsub("/ok/", "/BEHAVIOUR/"))), host.quote(stand_in.ca_file), names.address)
  end)

  teardown(function()
    names:stop()
  end)

  local function drive(before, ...)
    return host.run(("cd %s && KEY=%s %s timeout 600 %s %s spec/memory/script.lua %s 2>&1"):format(
      host.quote(host.root()), stand_in:key(), environment, before, host.quote(program), table.concat({ ... }, " ")))
  end

  local function check(what, heap, way, first, stride)
    local said, status = drive("", what, heap, way, first, stride, JOBS)
    assert.equal(0, status, said)
    assert.is_nil(said:find("fault"), said)
    local asked = tonumber(said:match("^usual: [%l_ ]+, (%d+) asked"))
    assert.is_true(asked >= LEAST[heap][what], said)
    local seen, failed = {}, 0
    for count, text in said:gmatch("outcome (%d+): ([%l_ ]+) %(") do
      seen[text] = tonumber(count)
      failed = failed + (text == "nothing failed" and 0 or seen[text])
    end
    assert.is_number(seen["nothing failed"], said) -- it got past the last one
    if asked > 0 and way == "rest" then
      assert.is_number(seen.raised, said)
    end
    for text, count in pairs(seen) do
      if text ~= "nothing failed" and text ~= "raised" then
        assert.is_true(count <= (OUTCOMES[what][heap][text] or 0) * failed, said)
      end
    end
  end

  for _, way in ipairs { "one", "rest" } do
    local from = way == "one" and "one allocation of " or "all allocations from one on of "

    it(from .. "the Lua state fails while the core is opened", function()
      check("opening", "lua", way, WHOLE, 1)
    end)

    it(from .. "the Lua state fails while a call is made", function()
      check("create", "lua", way, 50, STRIDE)
    end)

    it(from .. "the core or libcurl fails while a call is made", function()
      check("create", "core", way, WHOLE, 1)
    end)

    it(from .. "the Lua state fails while a call is made in the thread", function()
      check("thread", "lua", way, 1, STRIDE)
    end)

    it(from .. "the core or libcurl fails while a call is made in the thread", function()
      check("thread", "core", way, 50, STRIDE)
    end)

    it(from .. "the Lua state fails while a probe runs", function()
      check("probe", "lua", way, WHOLE, 1)
    end)

    it(from .. "the core or c-ares fails while a probe runs", function()
      check("probe", "core", way, WHOLE, 1)
    end)

    it(from .. "the Lua state fails while a survey runs in the thread", function()
      check("survey", "lua", way, WHOLE, 1)
    end)

    it(from .. "the core or c-ares fails while a survey runs in the thread", function()
      check("survey", "core", way, WHOLE, 1)
    end)
  end

  -- LuaJIT's own code is more than valgrind follows, and of the other Luas one will do; the sanitizers looked at all of
  -- the above.
  if _VERSION ~= "Lua 5.4" or os.getenv("SANITIZE") == "1" then
    return
  end

  it("nothing is touched that is not there any more", function()
    -- from that share on of the allocations that are usual
    for _, run in ipairs { { "create", "core", "one", 0.24 }, { "create", "core", "rest", 0.24 },
                           { "create", "lua", "rest", 0.64 }, { "probe", "core", "rest", 0.64 } } do
      local usual = drive("", run[1], run[2], run[3], 1, WHOLE, 1)
      local asked = tonumber(usual:match("^usual: [%l_ ]+, (%d+) asked"))
      assert.is_number(asked, usual)
      local n = math.floor(asked * run[4])
      local said, status = drive("valgrind -q --error-exitcode=9", run[1], run[2], run[3], n, 1, 0)
      assert.equal(0, status, said)
      assert.matches(run[3] == "one" and "^[%l_ ]+, \n$" or "^raised, \n$", said) -- an outcome and no fault
    end
  end)
end)
