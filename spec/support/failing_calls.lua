-- A program for secrets_spec.lua: makes the failing calls of a list and looks for their credential in everything that
-- a script can see of them, then in whatever the Lua state still holds. Its arguments: a file of JSON with the calls,
-- and one with the credential. Prints what it saw, never the credential; ends with how many failed, and which did not.

local cjson = require "cjson"
local traceroute = require "traceroute"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function children(value, visit)
  local kind = type(value)
  visit("metatable", debug.getmetatable(value))
  if kind == "table" then
    for key, item in next, value do
      visit("key", key)
      visit(type(key) == "string" and key or type(key), item)
    end
  elseif kind == "function" then
    for i = 1, 255 do
      local name, item = debug.getupvalue(value, i)
      if not name then
        break
      end
      visit("upvalue " .. name, item)
    end
    visit("environment", debug.getfenv and debug.getfenv(value))
  elseif kind == "userdata" then
    visit("user value", (debug.getuservalue or debug.getfenv)(value))
  end
end

-- The places below `root` whose strings hold the secret.
local function places_of(root, secret)
  local seen, found = {}, {}
  local queue = { { "", root } }
  while #queue > 0 do
    local place, value = queue[#queue][1], queue[#queue][2]
    queue[#queue] = nil
    if type(value) == "string" then
      if value:find(secret, 1, true) then
        found[#found + 1] = place
      end
    elseif value ~= nil and type(value) ~= "number" and type(value) ~= "boolean" and not seen[value] then
      seen[value] = true
      children(value, function(name, item)
        queue[#queue + 1] = { place .. "/" .. name, item }
      end)
    end
  end
  return found
end

local function tell(label, found)
  for _, place in ipairs(found) do
    print("seen in " .. label .. place)
  end
end

local function make_calls(path, secret)
  local calls, fine = cjson.decode(read(path)), {}
  for _, call in ipairs(calls) do
    local opts, told, go_on = call.opts, {}, call.go_on
    if call.as == "key" then
      opts.email, opts.key = "mail@example.com", (call.before or "") .. secret .. (call.after or "")
    else
      opts.token = (call.before or "") .. secret .. (call.after or "")
    end
    opts.on_progress = function(...)
      told[#told + 1] = { ... }
      return go_on
    end
    local job, refused = traceroute.start(call.account, call.targets, opts)
    tell(call.name .. ", before it is waited for: ", places_of(job, secret))
    local all = { refused, tostring(refused), tostring(job), told }
    if job then
      local result, err, info = traceroute.wait(job)
      all[5] = { result or {}, err or {}, tostring(err), info, tostring(job), job }
      fine[#fine + 1] = not err and call.name or nil
      if result then
        all[6] = tostring(result)
        all[7] = traceroute.report.json(result)
      end
    end
    for i = 1, 7 do
      tell(call.name, places_of(all[i], secret))
    end
  end
  return ("%d of %d calls failed, these did not: %s"):format(#calls - #fine, #calls, table.concat(fine, ", "))
end

local outcome = make_calls(arg[1], read(arg[2]))
collectgarbage()
collectgarbage()
tell("the state", places_of({ debug.getregistry(), _G }, read(arg[2])))
print(outcome)
