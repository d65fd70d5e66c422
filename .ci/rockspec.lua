-- Checks that the rockspec names the files of the tree, no more and no fewer: the arguments are the
-- rockspec, then every C source and Lua file that belongs into the rock.

local rockspec = {}
local file = assert(io.open(arg[1]))
local chunk = assert((loadstring or load)(file:read("*a"), "@" .. arg[1], "t", rockspec))
file:close()
if setfenv then
  setfenv(chunk, rockspec)
end
chunk()

local listed, wrong = {}, 0
local function complain(...)
  wrong = wrong + 1
  io.stderr:write(arg[1], ": ", string.format(...), "\n")
end

for name, module in pairs(rockspec.build.modules) do
  local sources = module
  if type(module) == "string" then
    sources = { module }
    local expected = "lua/" .. name:gsub("%.", "/")
    if module ~= expected .. ".lua" and module ~= expected .. "/init.lua" then
      complain("module %s is not in %s", name, module)
    end
  end
  for _, path in ipairs(sources.sources or sources) do
    listed[path] = true
  end
end

for _, path in pairs(rockspec.build.install.bin) do
  listed[path] = true
end

for i = 2, #arg do
  if not listed[arg[i]] then
    complain("%s is not listed", arg[i])
  end
  listed[arg[i]] = nil
end
for path in pairs(listed) do
  complain("%s is listed, but not in the tree", path)
end
os.exit(wrong == 0 and 0 or 1)
