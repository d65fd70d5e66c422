-- What a hostile server can do to a call, case by case: each has the exact kind of error, delivers what arrived
-- whole, ends in time and shows no token. The cases are in spec/hostile/, how one is run in
-- spec/support/hostile_server.lua. Each field of the response in each wrong type, arrays as objects and objects as
-- arrays among them, is schema_spec.lua's.

local hostile = require "spec.support.hostile_server"
local host = require "spec.support.host"
local server = require "spec.support.server"

describe("a hostile server", function()
  local stand_in

  -- A request that meets a connection which earlier specs left, and that ends, is sent again by libcurl.
  setup(function()
    stand_in = server.get()
    hostile.let_go()
  end)

  for _, case in ipairs(hostile.cases()) do
    it(("with %s: %s"):format(case.room, case[1]), function()
      assert.same(hostile.run(stand_in, case))
    end)
  end

  -- All cases in one process of its own, the quick ones over and over until two rounds in a row added nothing, which a
  -- leak of 400 bytes a call never lets happen. Then it lets its connections go. What a flood takes at its peak is read
  -- from the process cleaned before it: what garbage lies there is the collector's affair, and each Lua's differs.
  it("leaves no descriptor, and no memory that grows #heavy", function()
    local directory = host.private_directory("traceroute-hostile")
    host.write(directory .. "/all.lua", ("package.path, package.cpath = %q, %q\n"):format(package.path, package.cpath)
      .. [[
        local host = require "spec.support.host"
        host.clean_environment()
        local hostile, server = require "spec.support.hostile_server", require "spec.support.server"
        local cjson, util, uv = require "cjson", require "luassert.util", require "luv"
        local cases, stand_in = hostile.cases(), server.start()

        local function descriptors()
          local list, scan = {}, assert(uv.fs_scandir("/proc/self/fd"))
          for name in function() return uv.fs_scandir_next(scan) end do
            list[#list + 1] = uv.fs_readlink("/proc/self/fd/" .. name)
          end
          table.sort(list)
          return table.concat(list, "\n")
        end
        local function memory()
          collectgarbage()
          collectgarbage()
          local text = io.open("/proc/self/status"):read("*a")
          return tonumber(text:match "VmRSS:%s*(%d+)"), collectgarbage "count", tonumber(text:match "VmHWM:%s*(%d+)")
        end
        local function forget_peak() -- see proc(5); where it is refused, a peak that is not new says nothing
          local file = io.open("/proc/self/clear_refs", "w")
          if file then
            file:write "5"
            file:close()
          end
        end

        local quick, most = {}, 0
        local function run(case)
          if not case.is_long then return hostile.run(stand_in, case) end
          collectgarbage()
          forget_peak()
          local resident, _, peak = memory()
          local expected, got = hostile.run(stand_in, case)
          local _, _, peak_now = memory()
          if peak_now > peak then most = math.max(most, peak_now - resident) end
          return expected, got
        end
        local function round(list)
          for _, case in ipairs(list) do
            local begun = uv.hrtime()
            local expected, got = run(case)
            assert(util.deepcompare(expected, got), case[1] .. " gave " .. cjson.encode(got))
            quick[#quick + 1] = list == cases and uv.hrtime() - begun < 1e8 and case or nil
          end
        end

        hostile.run(stand_in, { at = "ok" }) -- whatever libraries open once
        hostile.let_go()
        local before = descriptors()
        round(cases)
        local resident, held = memory()
        local rounds, still, more = 0, 0, nil
        repeat
          round(quick)
          rounds = rounds + 1
          local resident_now, held_now = memory()
          still = resident_now - resident < 256 and still + 1 or 0
          resident, held, more = resident_now, held_now, held_now - held
        until still == 2 or rounds == (host.is_sanitized() and 3 or 15) -- the sanitizer keeps what was freed
        hostile.let_go()
        local after = descriptors()
        assert(before == after, "before:\n" .. before .. "\nafter:\n" .. after)
        stand_in:stop()
        print(still, more, most)
      ]])
    local output = host.run(("timeout 300 %s %s 2>&1"):format(host.quote(host.interpreter()),
      host.quote(directory .. "/all.lua")))
    host.remove(directory)
    local still, more, most = output:match("^(%d)%s+(%-?[%d.e-]+)%s+(%d+)\n$")
    assert.is_truthy(still, output)
    assert.is_true(tonumber(more) < 128, output)
    if not host.is_sanitized() then
      assert.equal("2", still, output)
      most = tonumber(most) -- kB
      assert.is_true(most > 0 and most < 65536 + 49152, output) -- the former is what libcurl keeps at most
    end
  end)
end)
