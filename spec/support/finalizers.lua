-- A program for finalizers_spec.lua: passes tables that a finalizer of its own changes while the core reads them, in
-- the first cycle of the collector that falls into the call, in the second, and so on until the call has no more of
-- them. Arguments: a name of CALLS, one of CHANGES, and how many cycles further each call goes than the one before.
-- Prints how many calls were made, and how many of them read what was there before the change. These have to be the
-- last ones: once what was passed is read, nothing that is done to it is noticed.

local core = require "traceroute.core"
local unpack = table.unpack or unpack -- luacheck: ignore

local call_name, change_name, stride = arg[1], arg[2], tonumber(arg[3])

-- ---- a finalizer in each cycle, and a cycle wherever there can be one ----

local on_cycle -- nil, or called at the end of each

-- Memory that a finalizer takes puts the next cycle off, unless the collector is restarted. 5.4's cannot be from within
-- one, so there the watcher is used again; 5.2's would not be finalized twice.
local function watch()
  if newproxy then
    getmetatable(newproxy(true)).__gc = function()
      watch()
      if on_cycle then
        on_cycle()
      end
    end
    return
  end
  local meta = {}
  function meta.__gc(watcher)
    setmetatable(_VERSION == "Lua 5.2" and {} or watcher, meta)
    if on_cycle then
      on_cycle()
    end
    collectgarbage("restart")
  end
  setmetatable({}, meta)
end

-- What the pace is counts from the end of a cycle on.
local function set_pace(pause)
  if _VERSION == "Lua 5.4" then
    collectgarbage("incremental", math.max(pause, 1), 1000, 16) -- 0 would mean as it was
  else
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", 1000000)
  end
  collectgarbage()
end

-- ---- what is passed ----

-- Strings that nothing else holds: made anew each time, and told apart by `mark`.
local function text(mark, ...)
  return table.concat { ... } .. ("-"):rep(3) .. mark
end

local BASE = "https://base.example/"

local function options(mark)
  return {
    max_ttl = 7, token = text(mark, "token"), base_url = text(mark, BASE), user_agent = text(mark, "agent"),
    ca_file = text(mark, "file"), proxy = text(mark, "http://proxy.example/"),
    colos = { text(mark, "colo1"), text(mark, "colo2"), text(mark, "colo3") },
  }
end

local function probe_options(mark)
  local digit = #mark -- in a network, in which a word would not do
  return {
    max_ttl = 7, dns_servers = table.concat { "192.0.2.", digit, ",192.0.3.", digit },
    asn_zone = text(mark, "asn.example"), asn6_zone = text(mark, "asn6.example"),
    colo = text(mark, "colo"), city = text(mark, "city"),
    allow = { table.concat { "10.", digit, ".0.0/16" }, table.concat { "10.", digit + 1, ".0.0/16" } },
    deny = { table.concat { "10.", digit, ".", digit, ".0/24" } },
  }
end

local function targets(mark)
  return {
    text(mark, "one.example"), text(mark, "two.example"), text(mark, "One.example"), text(mark, "three.example"),
  }
end

-- ---- what finalizers do ----

local function set_each(list, new)
  for name, value in pairs(list) do
    if type(value) == "table" then
      set_each(value, new)
    else
      list[name] = new
    end
  end
end

-- By what they leave behind: change(passed, others), the others being of the same shape.
local CHANGES = {}

function CHANGES.cleared(passed)
  set_each(passed, nil)
end

-- Nothing that any place takes.
function CHANGES.spoilt(passed)
  set_each(passed, print)
end

-- Tables that grow are laid out anew.
local function grow(list)
  for _, value in pairs(list) do
    if type(value) == "table" then
      grow(value)
    end
  end
  for i = 1, 100 do
    list["more" .. i], list[#list + 1] = i, "more.example"
  end
end

CHANGES.grown = grow

local function exchange(list, other)
  for name, value in pairs(other) do
    if type(value) == "table" then
      exchange(list[name], value)
    else
      list[name] = value
    end
  end
end

CHANGES.exchanged = exchange

-- ---- calls, and what they read ----

-- The marks of what was passed and of what it was exchanged for.
local FIRST, SECOND = "a", "bb"

-- Whether a text has all of the words with the first mark. It has all of them with one mark, or, where they were
-- cleared, none with any.
local function is_first(said, ...)
  for _, mark in ipairs { FIRST, SECOND } do
    local found = 0
    for _, word in ipairs { ... } do
      found = found + (said:find(text(mark, word), 1, true) and 1 or 0)
    end
    if found > 0 then
      assert(found == select("#", ...), "some of two states: " .. said)
      return mark == FIRST
    end
  end
  return false
end

-- Each: the maker of options or nil, and the call, which returns nil and an error, or whether what it read is what was
-- there before the change: true where that cannot be seen.
local CALLS = {}

CALLS.plan = { options, function(opts, list)
  local plan, err = core.plan("account", list, opts)
  if not plan then
    return nil, err
  end
  local body, head = plan.bodies[1], table.concat({ plan.url, unpack(plan.headers) }, "\n")
  assert(#plan.bodies == 1 and (plan.url:find(text(FIRST, BASE), 1, true) == 1
    or plan.url:find(text(SECOND, BASE), 1, true) == 1 or plan.url:find("https://api.cloudflare.com/", 1, true) == 1),
    plan.url)
  assert((body:find('"max_ttl":7', 1, true) ~= nil) == (head:find("Authorization", 1, true) ~= nil), body)
  local targets_are = is_first(body, "one.example", "two.example", "three.example")
  local colos_are = is_first(body, "colo1", "colo2", "colo3")
  return is_first(head, BASE, "agent") and colos_are and targets_are
end }

-- Jobs that send nothing before job:send().
local function starter(start)
  return function(...)
    local job, err = start(...)
    if not job then
      return nil, err
    end
    job:cancel()
    return true
  end
end

CALLS.start = { options, starter(function(opts, list)
  return core.start_in_thread("account", list, opts)
end) }

CALLS.survey = { probe_options, starter(function(opts, list)
  return core.survey_in_thread(list, opts)
end) }

CALLS.vet_options = { probe_options, function(opts)
  return core.vet_options("probe_options", opts)
end }

CALLS.vet_targets = { nil, function(_, list)
  local read, err = core.vet_targets(list)
  if not read then
    return nil, err
  end
  assert(#read == 3)
  return is_first(table.concat(read, " "), "one.example", "two.example", "three.example")
end }

-- ---- all of it ----

local KINDS = { invalid_request = true, authentication = true } -- of errors

local make_options, call = CALLS[call_name][1], CALLS[call_name][2]
local calls, first = 0, 0

local function make(mark)
  return { targets = targets(mark), opts = make_options and make_options(mark) }
end

-- Whether the call had so many cycles.
local function try(cycle)
  local passed, others, cycles = make(FIRST), make(SECOND), 0
  local list, opts = passed.targets, passed.opts
  on_cycle = function()
    cycles = cycles + 1
    if cycles == cycle then
      CHANGES[change_name](passed, others)
    end
  end
  set_pace(0)
  local was_first, err = call(opts, list)
  on_cycle = nil
  set_pace(200)
  assert(was_first ~= nil or KINDS[type(err) == "table" and err.kind], tostring(err))
  assert(was_first or first == 0, "noticed after it was read, in cycle " .. cycle)
  calls, first = calls + 1, first + (was_first and 1 or 0)
  return cycles >= cycle
end

watch()
local cycle = 1
while try(cycle) do
  cycle = cycle + stride
end
print(calls, first)
