-- Every function that reads results with every kind of value in each place of its arguments, its options and the
-- result: an `invalid_request` that says where, or an answer where the documentation promises one; never something
-- raised. Every function that the modules of readers hold is here, or this fails. They are Lua alone, in which valgrind
-- has nothing to find in its many minutes.
if os.getenv("CHECKED_LUA") then
  return
end

local core = require "traceroute.core"
local hostile = require "spec.support.hostile"
local host = require "spec.support.host"
local sample = require "spec.support.sample"
local traceroute = require "traceroute"

local unpack = table.unpack or unpack -- luacheck: ignore
local call, is_error = hostile.call, hostile.is_error

-- A run that the readers read in full: two ways of load balancing, loss, a silent hop, an error.
local function run()
  local path = sample.path({ ip = "192.0.2.9", mean = 20 }, {
    { 3, 1, sample.node("10.0.0.1", { mean = 1, asn = "AS1", labels = { "a" } }) },
    { 3, 3 },
    { 3, 0, sample.node("10.0.0.3", { mean = 15, asn = "AS2", count = 2 }), sample.node("10.0.0.4", { count = 1 }) },
    { 3, 1, sample.node("192.0.2.9", { mean = 20, asn = "AS3", count = 2 }) },
  })
  return sample.result("192.0.2.9", path, sample.path({ colo = "sin02", error = "Code 1" }, {}))
end

local function path_of_run()
  return run()[1].colos[1]
end

local READER_OPTS = {
  columns = { "ttl" }, wide = true, width = 80, color = true, notes = false, criteria = { ttl = 1 }, prefix = "p",
  hops = true, rankdir = "LR", min_packets = 1, min_ms = 1,
}
local CRITERIA = {
  target = "192.0.2.9", colo = "den01", ttl = 1, ip = "10.0.0.1", asn = 1, name = "x", label = "a", responded = true,
  loss = { min = 0 }, rtt = { max = 9 }, where = function() return true end,
}

-- Good arguments of each reader, made anew for each call; `opts` and `criteria`: which place they have.
local function of_result()
  return { run(), {} }
end

local function of_path()
  return { path_of_run(), "192.0.2.9", {} }
end

-- What errors call the arguments, by their places: `names`, or else as here.
local NAMES = { [of_result] = { "result", "opts" }, [of_path] = { "colo", "target", "opts" } }

local READERS = {
  ["hops.paths"] = { of_result, count = 1 },
  ["hops.each"] = { of_result, count = 1 },
  ["hops.filter"] = { of_result, criteria = 2, names = { "result", "criteria" } },
  ["analysis.path"] = { of_path, count = 2 },
  ["analysis.destination_responded"] = { of_path, count = 2, nil_is_fine = true },
  ["analysis.last_responding_hop"] = { of_path, count = 1, nil_is_fine = true },
  ["analysis.hop_status"] = { of_path, count = 2 },
  ["analysis.ip_path"] = { of_path, count = 1 },
  ["analysis.as_path"] = { of_path, count = 1 },
  ["analysis.path_id"] = { of_path, count = 1, nil_is_fine = true },
  ["analysis.multipath"] = { of_path, count = 1 },
  ["analysis.loss"] = { of_path, opts = 3 },
  ["analysis.loss_begins"] = { of_path, opts = 3, nil_is_fine = true },
  ["analysis.rtt_jumps"] = { of_path, opts = 3 },
  ["analysis.diff"] = { function() return { path_of_run(), path_of_run(), "192.0.2.9" } end,
    names = { "a", "b", "target" } },
  ["analysis.summary"] = { function() return { run()[1] } end, names = { "target" } },
  ["analysis.target_summary"] = { of_path, count = 1 },
  ["report.table"] = { of_result, opts = 2 },
  ["report.markdown"] = { of_result, opts = 2 },
  ["report.csv"] = { of_result, opts = 2 },
  ["report.json"] = { of_result, opts = 2 },
  ["report.jsonl"] = { of_result, opts = 2 },
  ["report.prometheus"] = { of_result, opts = 2 },
  ["report.dot"] = { of_result, opts = 2 },
  ["report.diff"] = { function() return { traceroute.analysis.diff(run(), run()), {} } end, opts = 2,
    names = { "diff", "opts" } },
  ["report.both_ways"] = { function() return { run(), run(), {} } end, opts = 3, names = { "there", "back", "opts" } },
  ["json.encode"] = { of_result, count = 1 },
  ["json.decode"] = { function() return { '[{"target":"a","colos":[]}]' } end, names = { "json" } },
  ["json.result"] = { function() return { '[{"target":"a","colos":[]}]' } end, names = { "json" } },
}

local function names_of(reader)
  return READERS[reader].names or NAMES[READERS[reader][1]]
end

local function lookup(name)
  local found = traceroute
  for part in name:gmatch("%w[%w_]*") do
    found = found[part]
  end
  return found
end

-- Whether the path is the place, or leads to what is in it.
local function is_in(path, place)
  return path == place or path:sub(1, #place) == place and path:find("^[.[]", #place + 1) ~= nil
end

-- What a reader answers is something, or nil and an error that says where it is wrong: in one of the places, or for the
-- only one, which is not looked into, exactly there.
local function read(name, reader, arguments, f, place, other)
  local value, err = call(name, f, unpack(arguments, 1, 3))
  if value == nil and (err ~= nil or not READERS[reader].nil_is_fine) then
    is_error(err, name)
    local is_there = place == err.path or other and (is_in(err.path, place) or is_in(err.path, other))
    assert.is_true(is_there or false, name .. ": " .. err.path)
  elseif type(value) == "function" then
    for _ = 1, 100 do
      if call(name, value) == nil then
        break
      end
    end
  end
  return value
end

describe("every function that reads results is among those below:", function()
  it("of the modules that traceroute loads by name", function()
    for name in host.read(host.root() .. "/lua/traceroute/report.lua"):match("local ROOMS = (%b{})")
      :gmatch("\n  ([%w_]+) = ") do
      assert.equal("function", type(traceroute.report[name]))
    end
    for _, module in ipairs { "hops", "analysis", "report", "json" } do
      for name, value in pairs(traceroute[module]) do
        assert.equal("function", type(value))
        assert.is_truthy(READERS[module .. "." .. name], module .. "." .. name)
      end
    end
  end)
end)

describe("what reads results #heavy answers any", function()
  for reader, about in pairs(READERS) do
    it("argument: " .. reader, function()
      local f, names = lookup(reader), names_of(reader)
      for place = 1, about.count or #about[1]() do
        for _, case in ipairs(hostile.values) do
          local arguments, other = about[1](), nil
          arguments[place] = case.value
          if type(case.value) == "table" and place == (about.opts or about.criteria) then
            other = names[place]
          elseif type(case.value) == "table" and reader == "analysis.diff" then
            other = "b" -- of two things that are not the same sort
          end
          read(reader .. " " .. place .. " " .. case.name, reader, arguments, f, names[place], other)
        end
      end
      for place = 1, about.count or #about[1]() do
        local arguments = about[1]()
        arguments[place] = hostile.megabyte
        read(reader .. " a megabyte", reader, arguments, f, names[place])
      end
      read(reader, reader, {}, f, names[1])
    end)

    if about.opts or about.criteria then
      it("option: " .. reader, function()
        local f, place = lookup(reader), about.opts or about.criteria
        local container = names_of(reader)[place]
        for option, good in pairs(about.opts and READER_OPTS or CRITERIA) do
          for _, case in ipairs(hostile.values) do
            local arguments, odd = about[1](), case.value
            local key = odd ~= nil and odd == odd and odd or 1
            for _, value in ipairs { { odd }, { { odd } }, { { good, odd } }, { { min = odd } }, { { [key] = 1 } } } do
              arguments[place] = { [option] = value[1] }
              -- criteria are looked at as a whole, wherever they are
              read(reader .. "." .. option .. " " .. case.name, reader, arguments, f, container .. "." .. option,
                (option == "criteria" or about.criteria and case.name:find "trap") and "criteria" or container .. "."
                .. option)
            end
          end
        end
        for _, case in ipairs(hostile.values) do
          local key = case.value
          if key ~= nil and key == key then
            local arguments = about[1]()
            arguments[place] = { [key] = 1 }
            local value, err = call(case.name, f, unpack(arguments, 1, 3))
            assert.is_nil(value)
            is_error(err, case.name)
            hostile.is_path_of(err.path, container, key, case.name)
          end
        end
      end)
    end
  end

  -- Puts `value` in each place of a tree in turn.
  local function each_place(make, visit)
    local function walk(tree, trail)
      local names = {}
      for name in pairs(tree) do
        names[#names + 1] = name
      end
      for _, name in ipairs(names) do
        local here = {}
        for i, step in ipairs(trail) do
          here[i] = step
        end
        here[#here + 1] = name
        visit(function(value)
          local copy = make()
          local at = copy
          for i = 1, #here - 1 do
            at = at[here[i]]
          end
          at[name] = value
          return copy
        end)
        if type(tree[name]) == "table" then
          walk(tree[name], here)
        end
      end
    end
    walk(make(), {})
  end

  -- One hop of each sort is enough to have every place there is.
  local function small()
    return { { target = "192.0.2.9", colos = { {
      colo = { name = "den01", city = "Denver" }, error = "x", traceroute_time_ms = 1,
      target_summary = { ip = "192.0.2.9", packet_count = 1, mean_rtt_ms = 1 },
      hops = {
        { packets_ttl = 1, packets_sent = 2, packets_lost = 1, nodes = {
          sample.node("10.0.0.1", { labels = { "a" } }),
        } },
        { packets_ttl = 2, packets_sent = 1, packets_lost = 0, nodes = { { ip = "192.0.2.9", mean_rtt_ms = 1 } } },
      },
    } } } }
  end

  it("value at any place of a result", function()
    local named = {}
    for reader, about in pairs(READERS) do
      if about[1] == of_result or about[1] == of_path then
        named[#named + 1] = { reader, lookup(reader), about[1] == of_path }
      end
    end
    local both = {
      ["analysis.diff"] = traceroute.analysis.diff, ["report.both_ways"] = traceroute.report.both_ways,
    }
    local places = 0
    each_place(small, function(put)
      places = places + 1
      for _, case in ipairs(hostile.values) do
        local result = put(case.value)
        for _, one in ipairs(named) do
          local argument = result
          if one[3] then
            local target = type(result[1]) == "table" and rawget(result[1], "colos")
            argument = type(target) == "table" and rawget(target, 1)
          end
          read(one[1] .. " " .. case.name, one[1], { argument }, one[2], names_of(one[1])[1])
        end
        for side, sides in ipairs { { result, small() }, { small(), result } } do
          for reader, f in pairs(both) do
            local read_both = read(reader .. " " .. case.name, reader, sides, f, names_of(reader)[side])
            if reader == "analysis.diff" and read_both then
              assert.equal("string", type(call("report.diff", traceroute.report.diff, read_both)), case.name)
            end
          end
        end
        read("summary " .. case.name, "analysis.summary", { result[1] }, traceroute.analysis.summary, "target")
        -- as print does at the prompt
        assert.equal("string", type(call("tostring", tostring, setmetatable(result, core.result_metatable))))
      end
    end)
    assert.equal(38, places)
  end)

  it("value at any place of what was compared", function()
    local function compared()
      return traceroute.analysis.diff(small(), run())
    end
    local places = 0
    each_place(function()
      local both = compared()
      both.paths[2], both.removed[1] = both.paths[1], { target = "a", colo = "b" }
      return both
    end, function(put)
      places = places + 1
      for _, case in ipairs(hostile.values) do
        read("report.diff " .. case.name, "report.diff", { put(case.value) }, traceroute.report.diff,
          "diff")
      end
    end)
    assert.is_true(places > 50, places)
  end)

  it("value as an error's field", function()
    traceroute.plan() -- the face gives results their looks when it first needs the core
    for _, case in ipairs(hostile.values) do
      local err = setmetatable({ kind = case.value, path = case.value, message = case.value }, core.error_metatable)
      assert.equal("string", type(call(case.name, tostring, err)))
      assert.equal("string", type(call(case.name, core.error_metatable.__tostring, case.value)))
      assert.equal("string", type(call(case.name, core.result_metatable.__tostring, case.value)))
    end
  end)
end)
