-- Every public function with every kind of value in every place: an `invalid_request` that says where, or an answer
-- where the documentation promises one; never something raised, never something sent. Every function that the
-- modules' tables hold is here, or this fails.

local core = require "traceroute.core"
local hostile = require "spec.support.hostile"
local host = require "spec.support.host"
local sample = require "spec.support.sample"
local server = require "spec.support.server"
local traceroute = require "traceroute"

local unpack = table.unpack or unpack -- luacheck: ignore
local ACCOUNT = "a1"

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

local READERS = {
  ["hops.paths"] = { of_result, count = 1 },
  ["hops.each"] = { of_result, count = 1 },
  ["hops.filter"] = { of_result, criteria = 2 },
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
  ["analysis.diff"] = { function() return { path_of_run(), path_of_run(), "192.0.2.9" } end },
  ["analysis.summary"] = { function() return { run()[1] } end },
  ["analysis.target_summary"] = { of_path, count = 1 },
  ["report.table"] = { of_result, opts = 2 },
  ["report.markdown"] = { of_result, opts = 2 },
  ["report.csv"] = { of_result, opts = 2 },
  ["report.json"] = { of_result, opts = 2 },
  ["report.jsonl"] = { of_result, opts = 2 },
  ["report.prometheus"] = { of_result, opts = 2 },
  ["report.dot"] = { of_result, opts = 2 },
  ["report.diff"] = { function() return { traceroute.analysis.diff(run(), run()), {} } end, opts = 2 },
  ["report.both_ways"] = { function() return { run(), run(), {} } end, opts = 3 },
  ["json.encode"] = { of_result, count = 1 },
  ["json.decode"] = { function() return { '[{"target":"a","colos":[]}]' } end },
  ["json.result"] = { function() return { '[{"target":"a","colos":[]}]' } end },
}

-- Those that would send, each in a describe of its own below.
local SENDERS = {
  create = true, start = true, plan = true, probe = true, survey = true, wait = true,
}

-- What of lua/traceroute/ nobody but its neighbours calls: they are given what was checked before, or values of the
-- kinds that their own specs name.
local ROOMS = {
  address = true, cli = true, fields = true, invalid = true, lazy = true, meta = true, nginx = true,
  shared_pace = true, text = true,
}

local function lookup(name)
  local found = traceroute
  for part in name:gmatch("%w[%w_]*") do
    found = found[part]
  end
  return found
end

local function is_error(err, name)
  assert.equal("table", type(err), name)
  assert.equal("invalid_request", err.kind, name)
  assert.equal("string", type(err.message), name)
  assert.equal("string", type(err.path), name)
  assert.is_true(#err.message < 512 and #err.path < 160, name)
  assert.is_nil((tostring(err)):find("%c"), name)
end

-- Calls, and fails the spec with the name of the case when something is raised.
local function call(name, f, ...)
  local returned = { n = select("#", ...), pcall(f, ...) }
  if not returned[1] then
    error(name .. " raised " .. (type(returned[2]) == "string" and returned[2] or type(returned[2])))
  end
  return unpack(returned, 2, 5)
end

-- What a reader answers is something, or nil and an error.
local function read(name, reader, arguments, f)
  local value, err = call(name, f or lookup(reader), unpack(arguments, 1, 3))
  if value == nil and (err ~= nil or not READERS[reader].nil_is_fine) then
    is_error(err, name)
  elseif type(value) == "function" then
    for _ = 1, 100 do
      if call(name, value) == nil then
        break
      end
    end
  end
end

describe("every public function is among those below:", function()
  it("of traceroute and of what it loads", function()
    for name in host.read(host.root() .. "/lua/traceroute/report.lua"):match("local ROOMS = (%b{})")
      :gmatch("\n  ([%w_]+) = ") do
      assert.equal("function", type(traceroute.report[name]))
    end
    local found = 0
    for name, value in pairs(traceroute) do
      if type(value) == "function" then
        assert.is_true(SENDERS[name] or false, name)
        found = found + 1
      elseif type(value) == "table" then
        -- loaded by name
        assert.is_truthy(READERS[name .. "." .. next(value)], name)
      end
    end
    assert.equal(6, found)
    for _, module in ipairs { "hops", "analysis", "report", "json" } do
      for name, value in pairs(traceroute[module]) do
        assert.equal("function", type(value))
        assert.is_truthy(READERS[module .. "." .. name], module .. "." .. name)
      end
    end
  end)

  it("of the other modules", function()
    local known = {
      ["traceroute.luv"] = { "create" }, ["traceroute.cqueues"] = { "create" }, ["traceroute.colo"] = { "new" },
    }
    for path in host.run("cd " .. host.quote(host.root()) .. "/lua && find traceroute -maxdepth 1 -name '*.lua'")
      :gmatch("[^\n]+") do
      local short = path:match("^traceroute/([%w_]+)%.lua$")
      local name = "traceroute." .. short
      if known[name] then
        local loaded, module = pcall(require, name)
        if loaded then -- cqueues is not there for every Lua, nor is nginx's bit
          for f in pairs(module) do
            assert.equal(known[name][1], f)
          end
        end
      elseif short ~= "init" and not traceroute[short] then
        assert.is_true(ROOMS[short] or false, name)
      end
    end
  end)

  it("of the core", function()
    local names = {}
    for name, value in pairs(core) do
      names[#names + 1] = type(value) == "function" and name or nil
    end
    table.sort(names)
    assert.same({ "is_job", "plan", "schema", "start", "start_in_thread", "survey", "survey_in_thread", "vet_options",
      "vet_targets" }, names)
  end)
end)

describe("what reads results answers any", function()
  for reader, about in pairs(READERS) do
    it("argument: " .. reader, function()
      local f = lookup(reader)
      for place = 1, about.count or #about[1]() do
        for _, case in ipairs(hostile.values) do
          local arguments = about[1]()
          arguments[place] = case.value
          read(reader .. " " .. place .. " " .. case.name, reader, arguments, f)
        end
      end
      for place = 1, about.count or #about[1]() do
        local arguments = about[1]()
        arguments[place] = hostile.megabyte
        read(reader .. " a megabyte", reader, arguments, f)
      end
      read(reader, reader, {}, f)
    end)

    if about.opts or about.criteria then
      it("option: " .. reader, function()
        local f, place = lookup(reader), about.opts or about.criteria
        for option, good in pairs(about.opts and READER_OPTS or CRITERIA) do
          for _, case in ipairs(hostile.values) do
            local arguments, odd = about[1](), case.value
            local key = odd ~= nil and odd == odd and odd or 1
            for _, value in ipairs { { odd }, { { odd } }, { { good, odd } }, { { min = odd } }, { { [key] = 1 } } } do
              arguments[place] = { [option] = value[1] }
              read(reader .. "." .. option .. " " .. case.name, reader, arguments, f)
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
          read(one[1] .. " " .. case.name, one[1], { argument }, one[2])
        end
        local analysis, report = traceroute.analysis, traceroute.report
        local compared = call("diff", analysis.diff, result, small())
        if compared then
          call("report.diff", report.diff, compared)
        end
        call("both_ways", report.both_ways, result, small())
        call("summary", analysis.summary, result[1])
        -- as print does at the prompt
        assert.equal("string", type(call("tostring", tostring, setmetatable(result, core.result_metatable))))
      end
    end)
    assert.equal(38, places)
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

describe("what would send refuses, and sends nothing, for", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    host.clean_environment()
    stand_in:reset()
  end)

  local function options(more)
    local opts = { base_url = stand_in:url(), ca_file = stand_in.ca_file, token = "hostile", retries = 0, quota = 0 }
    for name, value in pairs(more or {}) do
      opts[name] = value
    end
    return opts
  end

  -- All that start from an account, and the waiter's two values besides.
  local function each_sender(visit)
    visit("create", function(...)
      local result, err, info = traceroute.create(...)
      assert.same({ dropped = {} }, info)
      return result, err
    end)
    visit("start", traceroute.start)
    visit("plan", traceroute.plan)
    visit("start_in_thread", core.start_in_thread)
    local luv = require "traceroute.luv"
    visit("luv", function(account, targets, opts)
      return luv.create(account, targets, opts, function() error("called back") end)
    end)
    local has_cqueues, cqueues = pcall(require, "traceroute.cqueues")
    if has_cqueues then
      visit("cqueues", cqueues.create)
    end
  end

  local function each_prober(visit)
    visit("probe", function(...)
      local result, err, info = traceroute.probe(...)
      assert.same({ dropped = {} }, info)
      return result, err
    end)
    visit("survey", traceroute.survey)
    visit("survey_in_thread", core.survey_in_thread)
  end

  local function refuses(name, path, f, ...)
    local value, err = call(name, f, ...)
    assert.is_nil(value, name)
    is_error(err, name)
    assert.equal(path, err.path, name)
  end

  after_each(function()
    assert.same({}, stand_in:requests())
  end)

  it("any account", function()
    each_sender(function(name, f)
      for _, case in ipairs(hostile.values) do
        if case.value ~= "5" then
          refuses(name .. " " .. case.name, "account", f, case.value, "a.example", options())
        end
      end
    end)
  end)

  local function is_empty(value)
    return type(value) == "table" and next(value) == nil
  end

  local function is_array_of_one(value)
    local members = 0
    for _ in next, type(value) == "table" and value or {} do
      members = members + 1
    end
    return members == 1 and rawget(value, 1) ~= nil
  end

  it("any targets", function()
    local function check(name, f)
      for _, case in ipairs(hostile.values) do
        refuses(name .. " " .. case.name, is_array_of_one(case.value) and "targets[1]" or "targets", f, case.value)
        if case.value ~= nil then
          refuses(name .. " " .. case.name, "targets[2]", f, { "a.example", case.value })
        end
      end
      refuses(name, "targets", f, hostile.million "a.example")
      refuses(name, "targets", f, hostile.million(false))
    end
    each_sender(function(name, f)
      check(name, function(targets)
        return f(ACCOUNT, targets, options())
      end)
    end)
    each_prober(check)
    check("vet_targets", core.vet_targets)
  end)

  -- Where errors say options of these names are, cut and made fit to be shown; any other string is its own path, and
  -- what is no name is in "opts".
  local PATHS = {
    [""] = "opts", ["a\0b"] = "a", ["a\n"] = "a", ["a\r\nX-Evil: 1"] = "a X-Evil: 1",
    ["a\255\254\192\128"] = "a????", [("\195\164"):rep(500)] = ("\195\164"):rep(31),
  }

  local function path_of_name(name)
    return type(name) ~= "string" and "opts" or PATHS[name] or name
  end

  it("any opts", function()
    local function check(name, f, good)
      for _, case in ipairs(hostile.values) do
        if case.value ~= nil and not is_empty(case.value) then
          local label = name .. " " .. case.name
          local value, err = call(label, f, case.value)
          assert.is_nil(value, label)
          is_error(err, label)
          -- of a table, one of its members, whichever is met first
          local member = type(case.value) == "table" and err.path:match("^[%a_]+")
          if not (member and rawget(case.value, member) ~= nil) then
            assert.equal("opts", err.path, label)
          end
        end
        local key = case.value
        if key ~= nil and key == key then
          local opts = good()
          opts[key] = 1
          local label = name .. " named " .. case.name
          local value, err = call(label, f, opts)
          assert.is_nil(value, label)
          is_error(err, label)
          assert.equal(path_of_name(key), err.path, label)
        end
      end
    end
    each_sender(function(name, f)
      check(name, function(opts)
        return f(ACCOUNT, "a.example", opts)
      end, options)
    end)
    each_prober(function(name, f)
      check(name, function(opts)
        return f("a.example", opts)
      end, function() return {} end)
    end)
    check("vet_options", function(opts)
      return core.vet_options("measure", opts)
    end, function() return {} end)
  end)

  -- What each type of the schema takes of the hostile values; all else is refused by the option's own path.
  local FITS = {
    string = function(value, field)
      return type(value) == "string" and not value:find("[%z%c\127]") and #value >= (field.min or 0)
        and #value <= field.max
    end,
    integer = function(value, field)
      return type(value) == "number" and value % 1 == 0 and value >= field.min and value <= field.max
    end,
    number = function(value, field)
      return type(value) == "number" and value >= field.min and value <= field.max
    end,
    boolean = function(value) return type(value) == "boolean" end,
    ["function"] = function(value) return type(value) == "function" end,
    validate = function(value) return value == false end,
    array = is_empty,
    choice = function() return false end,
  }

  local function fits(field, value)
    local test = field.choices and FITS[field.name == "validate" and "validate" or "choice"] or FITS[field.type]
      or FITS.array
    return value == nil or test(value, field)
  end

  it("any value of any option", function()
    -- Options are looked at before targets, so nothing goes out where one is taken.
    local tried = 0
    local function check(fields, name, f)
      for _, field in ipairs(fields) do
        for _, case in ipairs(hostile.values) do
          tried = tried + 1
          local opts = name == "of here" and {} or options()
          opts[field.name] = case.value
          local label = name .. " " .. field.name .. " " .. case.name
          local value, err = call(label, f, opts)
          assert.is_nil(value, label)
          is_error(err, label)
          local path = type(case.value) == "table" and err.path:gsub("%[1%]$", "") or err.path
          assert.equal(fits(field, case.value) and "targets" or field.name, path, label)
          if field.name == "colos" or field.name == "allow" or field.name == "deny" then
            opts[field.name] = { case.value }
            local taken = case.value == nil or field.name == "colos" and type(case.value) == "string"
            refuses(label, taken and "targets" or field.name .. "[1]", f, opts)
          end
        end
      end
    end
    local schema = core.schema()
    for _, f in ipairs { traceroute.create, traceroute.start, traceroute.plan } do
      check(schema.options, "of a call", function(opts)
        return f(ACCOUNT, "not a target", opts)
      end)
    end
    for _, f in ipairs { traceroute.probe, traceroute.survey } do
      check(schema.probe_options, "of here", function(opts)
        return f("not a target", opts)
      end)
    end
    assert.is_true(tried > 3000)
    local many = hostile.million "a"
    refuses("a million colos", "colos", traceroute.create, ACCOUNT, "a.example", options { colos = many })
    refuses("a million networks", "allow", traceroute.probe, "a.example", { allow = many })
  end)

  it("any name of a colo, any URL and any proxy", function()
    for _, case in ipairs(hostile.values) do
      if type(case.value) == "string" and case.value ~= "5" then
        refuses(case.name, "colos[1]", traceroute.create, ACCOUNT, "a.example", options { colos = { case.value } })
        refuses(case.name, "base_url", traceroute.create, ACCOUNT, "a.example", options { base_url = case.value })
        if case.value ~= "" then
          refuses(case.name, "proxy", traceroute.create, ACCOUNT, "a.example",
            options { proxy = "gopher://" .. case.value })
        end
      end
    end
  end)

  it("any job", function()
    for _, case in ipairs(hostile.values) do
      local result, err, info = call(case.name, traceroute.wait, case.value)
      assert.is_nil(result)
      is_error(err, case.name)
      assert.same({ "job", { dropped = {} } }, { err.path, info })
      assert.is_false(call(case.name, core.is_job, case.value))
    end
    assert.is_false(core.is_job())
  end)

  it("any callback", function()
    local luv = require "traceroute.luv"
    for _, case in ipairs(hostile.values) do
      if type(case.value) ~= "function" then
        refuses(case.name, "callback", luv.create, ACCOUNT, "a.example", options(), case.value)
      end
    end
  end)

  it("any field of a colo's configuration", function()
    local configuration = require "traceroute.colo.configuration"
    local function good()
      return {
        name = "den01", city = "Denver", credentials = { { token = "t", account = "a" }, { email = "a@b", key = "k" } },
        neighbours = {
          { name = "sin02", city = "S", base_url = "https://x", account = "a", token = "t", ca_file = "f" },
        },
        allow = { "10.0.0.0/8" }, deny = { "10.0.0.0/9" }, max_targets = 1, max_packets = 1, max_calls = 1,
        max_seconds = 1, rate = 1, probe = { gap = 1 }, log = function() end,
      }
    end
    assert.is_truthy(configuration.read(good()))
    local refused = 0
    local function check(name, config)
      local value, err = call(name, configuration.read, config)
      if value == nil then
        is_error(err, name)
        refused = refused + 1
      end
    end
    for _, case in ipairs(hostile.values) do
      check(case.name, case.value)
      for field, value in pairs(good()) do
        local config = good()
        config[field] = case.value
        check(field .. " " .. case.name, config)
        for name in pairs(type(value) == "table" and (type(value[1]) == "table" and value[1] or value) or {}) do
          config = good()
          local inner = type(value[1]) == "table" and config[field][1] or config[field]
          inner[name] = case.value
          check(field .. "." .. name .. " " .. case.name, config)
        end
      end
    end
    assert.is_true(refused > 500)
  end)

  it("any seconds of a step, and any self of a job's methods", function()
    local job = assert(traceroute.start(ACCOUNT, "a.example", options { base_url = stand_in:url "hang" }))
    for _, case in ipairs(hostile.values) do
      local is_fine = case.value == nil or type(case.value) == "number" and case.value >= 0
      if not is_fine then
        refuses(case.name, "seconds", job.step, job, case.value)
      end
    end
    for _, method in ipairs { "step", "fd", "result", "cancel", "doorbell", "demand", "send" } do
      for _, case in ipairs(hostile.values) do
        refuses(method .. " " .. case.name, "self", job[method], case.value)
      end
      -- what is too much is left alone
      if method ~= "step" and method ~= "cancel" then
        call(method, job[method], job, {}, 0 / 0)
      end
    end
    for name in pairs(debug.getmetatable(job).__index) do
      assert.is_truthy(({ step = 1, fd = 1, result = 1, cancel = 1, doorbell = 1, demand = 1, send = 1 })[name], name)
    end
    job:cancel()
    for _, seconds in ipairs { math.huge, 1e300, 2 ^ 53 } do
      assert.is_true(job:step(seconds))
    end
    stand_in:reset()
  end)
end)
