-- The README as specs see it: its blocks, and a way to run its Lua. Knows nothing of what it says.

local host = require "spec.support.host"

local readme = {}

readme.TEXT = host.read(host.root() .. "/README.md")

-- The blocks fenced as that language, "" for none, in order.
function readme.blocks(language)
  local list, inside, wanted = {}, nil, false
  for line in readme.TEXT:gmatch("([^\n]*)\n") do
    local fence = line:match("^```(%a*)$")
    if fence and not inside then
      inside, wanted = {}, fence == language
    elseif fence then
      list[#list + 1] = wanted and table.concat(inside, "\n") or nil
      inside = nil
    elseif inside then
      inside[#inside + 1] = line
    end
  end
  return list
end

-- The one block of that language that holds the text.
function readme.block(language, text)
  local found
  for _, block in ipairs(readme.blocks(language)) do
    if block:find(text, 1, true) then
      assert(not found, "two blocks hold " .. text)
      found = block
    end
  end
  return assert(found, "no block holds " .. text)
end

-- Runs a block of Lua whose files are in the directory; returns all that it printed and wrote.
function readme.run(text, directory)
  local said = {}
  local function say(...)
    for i = 1, select("#", ...) do
      said[#said + 1] = (i > 1 and "\t" or "") .. tostring((select(i, ...)))
    end
    said[#said + 1] = "\n"
  end
  local files = setmetatable({
    stderr = { write = function() end },
    open = function(name, mode) return io.open(directory .. "/" .. name, mode) end,
    write = function(...) said[#said + 1] = table.concat({ ... }) end,
  }, { __index = io })
  local environment = setmetatable({ print = say, io = files }, { __index = _G })
  local chunk, why
  if setfenv then
    chunk, why = loadstring(text, "=README") -- luacheck: ignore (Lua 5.1)
    assert(chunk, why)
    setfenv(chunk, environment) -- luacheck: ignore (Lua 5.1)
  else
    chunk, why = load(text, "=README", "t", environment)
    assert(chunk, why)
  end
  chunk()
  return table.concat(said)
end

return readme
