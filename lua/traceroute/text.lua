-- text: strings from outside made fit for one line of a terminal, and how many columns they take
-- there. It must not know what the strings mean.

local text = {}

-- Characters that steer a terminal or reorder what a reader sees: never shown as they are.
local HOSTILE = {
  { 0x00, 0x1f }, { 0x7f, 0x9f }, { 0x61c, 0x61c }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
  { 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
}

-- The blocks that terminals draw without advancing, and those that take two columns.
local ZERO_WIDTH = {
  { 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd }, { 0x610, 0x61a }, { 0x64b, 0x65f },
  { 0x93c, 0x93c }, { 0x941, 0x948 }, { 0x94d, 0x94d }, { 0xe31, 0xe31 }, { 0xe34, 0xe3a },
  { 0xe47, 0xe4e }, { 0x1160, 0x11ff }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff },
  { 0x3099, 0x309a }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xe0100, 0xe01ef },
}
local WIDE = {
  { 0x1100, 0x115f }, { 0x2e80, 0x303e }, { 0x3041, 0x33ff }, { 0x3400, 0x4dbf },
  { 0x4e00, 0xa4cf }, { 0xa960, 0xa97f }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff },
  { 0xfe30, 0xfe6f }, { 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f },
  { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
}

local function within(blocks, code)
  for i = 1, #blocks do
    local block = blocks[i]
    if code < block[1] then
      return false
    elseif code <= block[2] then
      return true
    end
  end
  return false
end

-- The code point at byte i and its length in bytes; nil and 1 where the bytes are not UTF-8.
local function code_at(s, i)
  local b1, b2, b3, b4 = s:byte(i, i + 3)
  if b1 < 0x80 then
    return b1, 1
  end
  local function continues(b)
    return b and b >= 0x80 and b < 0xc0
  end
  if b1 >= 0xc2 and b1 < 0xe0 and continues(b2) then
    return (b1 - 0xc0) * 64 + b2 - 0x80, 2
  elseif b1 >= 0xe0 and b1 < 0xf0 and continues(b2) and continues(b3) then
    local code = (b1 - 0xe0) * 4096 + (b2 - 0x80) * 64 + b3 - 0x80
    if code >= 0x800 and (code < 0xd800 or code > 0xdfff) then
      return code, 3
    end
  elseif b1 >= 0xf0 and b1 < 0xf5 and continues(b2) and continues(b3) and continues(b4) then
    local code = (b1 - 0xf0) * 262144 + (b2 - 0x80) * 4096 + (b3 - 0x80) * 64 + b4 - 0x80
    if code >= 0x10000 and code <= 0x10ffff then
      return code, 4
    end
  end
  return nil, 1
end

-- Replaces each stretch of bytes that is not UTF-8, and each code point that `refuse` names.
local function replace(s, refuse, by)
  local out, i = {}, 1
  while i <= #s do
    local code, length = code_at(s, i)
    out[#out + 1] = (not code or refuse(code)) and by or s:sub(i, i + length - 1)
    i = i + length
  end
  return table.concat(out)
end

local function hostile(code)
  return within(HOSTILE, code)
end

local function none()
  return false
end

---One printable line: control and direction characters and bytes that are not UTF-8 become "?".
---@param s string
---@return string
function text.clean(s)
  if not s:find("[^\32-\126]") then
    return s
  end
  return replace(s, hostile, "?")
end

---Valid UTF-8: each byte that does not belong to a character becomes U+FFFD.
---@param s string
---@return string
function text.utf8(s)
  if not s:find("[\128-\255]") then
    return s
  end
  return replace(s, none, "\239\191\189")
end

local function code_width(code)
  if not code then
    return 1
  elseif within(ZERO_WIDTH, code) then
    return 0
  end
  return within(WIDE, code) and 2 or 1
end

---Columns that a clean string takes in a terminal.
---@param s string
---@return integer
function text.width(s)
  if not s:find("[\128-\255]") then
    return #s
  end
  local width, i = 0, 1
  while i <= #s do
    local code, length = code_at(s, i)
    width = width + code_width(code)
    i = i + length
  end
  return width
end

---Cuts a clean string to at most `columns` columns; a cut shows as "…" at its end.
---@param s string
---@param columns integer at least 1
---@return string
function text.cut(s, columns)
  if text.width(s) <= columns then
    return s
  end
  local width, i = 0, 1
  while i <= #s do
    local code, length = code_at(s, i)
    width = width + code_width(code)
    if width > columns - 1 then
      break
    end
    i = i + length
  end
  return s:sub(1, i - 1) .. "…"
end

---Fills a clean string up with spaces.
---@param s string
---@param columns integer
---@param right? boolean spaces before instead of after; default false
---@return string
function text.pad(s, columns, right)
  local missing = columns - text.width(s)
  if missing <= 0 then
    return s
  elseif right then
    return (" "):rep(missing) .. s
  end
  return s .. (" "):rep(missing)
end

return text
