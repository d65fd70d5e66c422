-- Prints the shell lines that let this Lua find the checkout: `eval "$(make -s env)"`. Whatever the
-- caller's paths held stays behind ours; another Lua's core of this checkout goes, since loading it
-- would crash. From Lua 5.2 on LUA_PATH_5_x, if set, hides LUA_PATH: then both are given.

local root, out = arg[1], arg[2]
local lua = root .. "/lua/?.lua;" .. root .. "/lua/?/init.lua"
local core = root .. "/" .. out .. "/?.so"

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- `;;` stands for the default path and may be anywhere: a path without it would lose the default.
local function extended(ours, path)
  local kept = { ours }
  for entry in path:gmatch("[^;]+") do
    if entry:sub(1, #root + 1) ~= root .. "/" then
      kept[#kept + 1] = entry
    end
  end
  return table.concat(kept, ";") .. ";;"
end

local function export(name, ours)
  print("export " .. name .. "=" .. quoted(extended(ours, os.getenv(name) or "")))
end

export("LUA_PATH", lua)
export("LUA_CPATH", core)

local suffix = "_" .. _VERSION:match("%d.%d"):gsub("%.", "_")
if os.getenv("LUA_PATH" .. suffix) then
  export("LUA_PATH" .. suffix, lua)
end
if os.getenv("LUA_CPATH" .. suffix) then
  export("LUA_CPATH" .. suffix, core)
end
