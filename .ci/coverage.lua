-- Prints how many lines of csrc/ and lua/ ran, room by room, and which did not. The arguments: the file that
-- spec/support/coverage.lua wrote, a file of what gcov or llvm-cov prints with --stdout, then the Lua files.

-- Which lines of the file given hold code, as LuaJIT sees it.
local LUAJIT_LINES = [[
local util = require "jit.util"
local function walk(proto)
  local pc = 1
  while util.funcbc(proto, pc) do
    print(util.funcinfo(proto, pc).currentline)
    pc = pc + 1
  end
  local k = -1
  while util.funck(proto, k) ~= nil do
    if type(util.funck(proto, k)) == "proto" then
      walk(util.funck(proto, k))
    end
    k = k - 1
  end
end
walk(assert(loadfile(arg[1])))
]]

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  assert(pipe:close(), command)
  return text
end

-- Without the return that ends every function, whether it can be reached or not.
local function puc_lines(path)
  local lines, last = {}, nil
  for text in output("luac5.4 -l -p " .. path):gmatch("[^\n]+") do
    local number = text:match("^\t%d+\t%[(%d+)%]")
    if number and last then
      lines[last] = true
    end
    last = tonumber(number)
  end
  return lines
end

-- Lines that close what was begun, where a jump may be that never runs by itself.
local function closing_lines(path)
  local closing, number = {}, 0
  for text in io.lines(path) do
    number = number + 1
    closing[number] = text:find("^%s*end[%s)},;]*$") or text:find("^%s*[)}][%s)},;]*$")
  end
  return closing
end

-- A line counts when both Luas have code there: each puts what it folds or finishes on a line of its own choice.
local function lines_with_code(path)
  local puc, closing, both = puc_lines(path), closing_lines(path), {}
  for number in output("luajit - " .. path .. " <<'END'\n" .. LUAJIT_LINES .. "END"):gmatch("%d+") do
    local line = tonumber(number)
    both[line] = puc[line] and not closing[line] and 0 or nil
  end
  return both
end

-- files[path][line]: how often it ran.
local function lua_files(notes, paths)
  local files = {}
  for _, path in ipairs(paths) do
    files[path] = lines_with_code(path)
  end
  for note in io.lines(notes) do
    local path, line = note:match("^(%S+):(%d+)$")
    local lines = files[path]
    line = tonumber(line)
    if lines and lines[line] then
      lines[line] = lines[line] + 1
    end
  end
  return files
end

-- Each source of each object file of each Lua, line for line: how often it ran, its number, its text. Line 0 names
-- the source; "-" is before a line without code, "#####" before one that never ran.
local function c_files(gcov)
  local files, lines = {}, nil
  for text in io.lines(gcov) do
    local count, number, rest = text:match("^ *([^ :]+): *(%d+):(.*)$")
    local source = number == "0" and rest:match("^Source:(.*)$")
    if source then
      lines = source:find("^csrc/") and (files[source] or {})
      files[source] = lines or nil
    elseif lines and number and number ~= "0" and count ~= "-" then
      number = tonumber(number)
      lines[number] = (lines[number] or 0) + (tonumber(count:match("^%d+")) or 0)
    end
  end
  return files
end

local function sorted(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local function say(name, reached, all)
  print(("%-36s %5d of %5d %6.1f %%"):format(name, reached, all, all > 0 and reached / all * 100 or 100))
end

-- Lines that did not run, with none between them that did, are one range.
local function report(tree, files)
  local reached, all, ranges = 0, 0, {}
  for _, path in ipairs(sorted(files)) do
    local here, lines, range = 0, sorted(files[path]), nil
    for _, line in ipairs(lines) do
      if files[path][line] > 0 then
        here, range = here + 1, nil
      elseif range then
        range.to = line
      else
        range = { path = path, from = line, to = line }
        ranges[#ranges + 1] = range
      end
    end
    say(path, here, #lines)
    reached, all = reached + here, all + #lines
  end
  say(tree, reached, all)
  print("")
  return ranges
end

local missed = {}
for _, tree in ipairs { { "csrc", c_files(arg[2]) }, { "lua", lua_files(arg[1], { table.unpack(arg, 3) }) } } do
  for _, range in ipairs(report(tree[1], tree[2])) do
    missed[#missed + 1] = range
  end
end
print("not reached:")
for _, range in ipairs(missed) do
  print(("%s:%d"):format(range.path, range.from) .. (range.to > range.from and "-" .. range.to or ""))
end
