-- A program for secrets_spec.lua: makes a call, forgets its credential, says that it did, and waits to be looked at.
-- Its arguments: how the call is made, the base URL and the CA file. Then follows what the credential is made of, which
-- is put together here so that it is in no other place of this process, and which try it is: in each, everything has
-- another place.

local core = require "traceroute.core"
local traceroute = require "traceroute"

local how, as, base_url, ca_file, stem, count, try = (unpack or table.unpack)(arg) -- luacheck: ignore

local around = {}
for i = 1, try * 50 do
  around[i] = ("%d"):format(i):rep(i * 37 % 400)
end

-- Text of the same length for each `number`; the credential has number 1.
local function text(number)
  local parts = {}
  for i = 1, tonumber(count) do
    parts[i] = ("%s%04d"):format(stem, i * number % 10000)
  end
  return table.concat(parts)
end

local ways = {
  none = function() end,
  create = function(opts)
    traceroute.create("a1", "a.example", opts)
  end,
  -- Whatever was a string of Lua's stays one, and what was freed stays as it is.
  uncollected = function(opts)
    collectgarbage("stop")
    traceroute.create("a1", "a.example", opts)
  end,
  cancel = function(opts)
    local job = assert(traceroute.start("a1", "a.example", opts))
    repeat until job:step(0.05) or opts.moved()
    job:cancel()
  end,
  collect = function(opts)
    local job = assert(traceroute.start("a1", "a.example", opts))
    repeat until job:step(0.05) or opts.moved()
  end,
  refuse = function(opts)
    opts.ca_file, opts.proxy = nil, "gopher://x"
    assert(not traceroute.start("a1", "a.example", opts))
  end,
  plan = function(opts)
    assert(traceroute.plan("a1", "a.example", opts))
  end,
  -- Small blocks that one call freed are soon another's; these are too many.
  many = function(opts)
    local jobs = {}
    for i = 1, 200 do
      jobs[i] = assert(traceroute.start("a1", "a.example", opts))
    end
    jobs[1]:step(0.05)
  end,
  thread = function(opts)
    local job = assert(core.start_in_thread("a1", "a.example", opts))
    job:send()
    repeat until job:step(0.05)
  end,
}

-- Lua leaves the bytes of a string that is gone where they were: among others of its length, one of them takes its
-- place.
local others = {}
local function surround(first, last)
  for number = first, last do
    others[number] = text(number)
  end
end

local function go()
  local opts = { base_url = base_url, ca_file = ca_file, retries = 0, quota = 0, timeout = 20 }
  if as == "key" then
    opts.email, opts.key = "a@b", text(1)
  else
    opts.token = text(1)
  end
  surround(401, 450)
  local steps = 0
  opts.moved = nil
  local way = ways[how]
  if how == "cancel" or how == "collect" then
    way(setmetatable(opts, { __index = { moved = function()
      steps = steps + 1
      return steps > 4
    end } }))
  else
    way(opts)
  end
end

surround(2, 100)
go()
if how ~= "uncollected" then
  collectgarbage()
  collectgarbage()
  surround(451, 3000)
end
print(#others + #around > 0 and "ready")
io.stdout:flush()
io.read()
