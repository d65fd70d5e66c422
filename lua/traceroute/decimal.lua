-- decimal: a number as text with a decimal point, whatever a script has made of the locale. It must not know what is
-- counted.

---@param format string of string.format, for the number alone
---@param value number
---@return string
return function(format, value)
  local written = format:format(value)
  local point = ("%.1f"):format(0):sub(2, -2)
  if point == "." then
    return written
  end
  local first, last = written:find(point, 1, true)
  return first and written:sub(1, first - 1) .. "." .. written:sub(last + 1) or written
end
