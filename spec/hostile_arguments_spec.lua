-- Every public function that would send, with every kind of value in every place: an `invalid_request` that says
-- where; never something raised, never something sent. Every function that the modules' tables hold is here or in
-- hostile_results_spec, or this fails; what traceroute.colo.new is given is colo/hostile_configuration_spec's.

local core = require "traceroute.core"
local hostile = require "spec.support.hostile"
local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"

local call, is_error = hostile.call, hostile.is_error
local ACCOUNT = "a1"

-- Modules of those that only read, which are hostile_results_spec's.
local READERS = { hops = true, analysis = true, report = true, json = true }

-- Those that would send, each below.
local SENDERS = {
  create = true, start = true, plan = true, probe = true, survey = true, wait = true,
}

-- What of lua/traceroute/ nobody but its neighbours calls: they are given what was checked before, or values of the
-- kinds that their own specs name.
local ROOMS = {
  address = true, cli = true, decimal = true, fields = true, invalid = true, lazy = true, meta = true, nginx = true,
  notation = true, shared_pace = true, text = true,
}

describe("every public function is among those below:", function()
  it("of traceroute and of what it loads", function()
    local found = 0
    for name, value in pairs(traceroute) do
      if type(value) == "function" then
        assert.is_true(SENDERS[name] or false, name)
        found = found + 1
      elseif type(value) == "table" then
        assert.is_true(READERS[name] or false, name)
      end
    end
    assert.equal(6, found)
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
        if loaded then -- cqueues is not there for every Lua
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
    return stand_in:options(nil, { token = "hostile", retries = 0, quota = 0 }, more)
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
    servers = function() return false end,
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

  it("any size of a table, of which nothing is kept", function()
    local named = {}
    for i = 1, 1e5 do
      named["name" .. i] = i
    end
    local million = hostile.million "a"
    for label, options_or_targets in pairs {
      names = named, places = million, colos = { colos = million }, ["named colos"] = { colos = named },
    } do
      for _, f in ipairs {
        function() return core.vet_options("options", options_or_targets) end,
        function() return core.vet_targets(options_or_targets.colos or options_or_targets) end,
      } do
        collectgarbage()
        collectgarbage("stop")
        local before = collectgarbage("count")
        local fine, err = f()
        local kilobytes = collectgarbage("count") - before
        collectgarbage("restart")
        assert.is_nil(fine)
        is_error(err, label)
        assert.is_true(kilobytes < 16, label)
      end
    end
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
