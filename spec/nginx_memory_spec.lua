-- The memory of a worker under valgrind: calls that end well, calls whose clients go away, and the worker's own end.
-- nginx and LuaJIT have reports of their own: what counts is any in which the core takes part.
if not rawget(_G, "jit") then
  return
end

local cjson = require "cjson"
local host = require "spec.support.host"
local server = require "spec.support.server"
local worker = require "spec.support.worker"

-- LuaJIT writes the code that it runs; the descriptors of a program that ends are the kernel's to close.
local VALGRIND = "valgrind -q --trace-children=yes --smc-check=all-non-file --leak-check=full "
  .. "--show-leak-kinds=definite,possible --num-callers=40 --log-file=%s/%%p.valgrind"

-- Whether a frame of the report is in one of the core's own files.
local function has_core(report)
  for file in report:gmatch("%(([%w_]+%.c):%d+%)") do
    if host.read(("%s/csrc/%s"):format(host.root(), file)) then
      return true
    end
  end
  return report:find("traceroute/core.so", 1, true) ~= nil
end

describe("the memory of a worker", function()
  it("is all given back after 200 calls, half of them dropped, and a reload", function()
    if host.is_sanitized() then
      pending("valgrind and the address sanitizer exclude each other")
      return
    end
    local stand_in = server.start()
    local logs = host.private_directory("traceroute-valgrind")
    local nginx = worker.start {
      under = VALGRIND:format(logs),
      http = "lua_check_client_abort on; lua_shared_dict pace 1m;",
      locations = [[
        location = /many { content_by_lua_block { require("spec.support.caller").answer_many() } }
      ]],
    }
    finally(function()
      nginx:stop()
      stand_in:stop()
      host.remove(logs)
    end)
    local pid = tonumber((nginx:get("/pid")))
    local function many(behaviour)
      return worker.path("/many", { base = stand_in:url(behaviour), ca = stand_in.ca_file, n = 20, dict = "pace" })
    end
    for _ = 1, 5 do
      stand_in:reset()
      local asked = nginx:begin(many("hang"), 60)
      assert.is_table(stand_in:await(function(list)
        return #list == 20
      end))
      asked:abort()
      assert.same({ right = 20, wrong = {} }, cjson.decode((nginx:get(many("ok"), 60))))
      assert.is_table(stand_in:await(function(list)
        local aborted = 0
        for _, request in ipairs(list) do
          aborted = aborted + (request.aborted and 1 or 0)
        end
        return #list == 40 and aborted == 20
      end))
    end
    nginx:signal("HUP")
    assert.is_true(worker.await(function()
      return not worker.is_alive(pid)
    end))
    local log = host.read(("%s/%d.valgrind"):format(logs, pid))
    -- Each report ends with a line that says nothing.
    local ours = {}
    for report in (log .. "\n"):gsub("\n==%d+== *\n", "\0"):gmatch("%Z+") do
      if has_core(report) then
        ours[#ours + 1] = report
      end
    end
    assert.equal("", table.concat(ours, "\n"))
    -- It did look: nginx's own table of the environment is never given back.
    assert.matches("definitely lost", log)
  end)
end)
