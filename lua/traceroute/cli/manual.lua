-- manual: the man page, made of what the parser is made of, so that it cannot say anything else. It
-- must not know how the command works.

local arguments = require "traceroute.cli.arguments"

local function escape(s)
  s = s:gsub("\\", "\\e"):gsub("%-", "\\-")
  return (s:gsub("^[.']", "\\&%0"))
end

local function option_line(item)
  local names = {}
  local value = item.argname and " \\fI" .. escape(item.argname) .. "\\fR" or ""
  for name in item[1]:gmatch("%S+") do
    names[#names + 1] = "\\fB" .. escape(name) .. "\\fR" .. value
  end
  return table.concat(names, ", ")
end

---The manual page of section 1, in roff.
---@param version string
---@return string
return function(version)
  local out = {
    ('.TH %s 1 "" "%s %s" "User Commands"'):format(arguments.NAME:upper(), arguments.NAME, version),
    ".SH NAME", arguments.NAME:gsub("%-", "\\-") .. " \\- " .. escape(arguments.SUMMARY),
    ".SH SYNOPSIS", "\\fB" .. escape(arguments.NAME) .. "\\fR [\\fIOPTION\\fR]... \\fITARGET\\fR...",
    ".SH DESCRIPTION", escape(arguments.DESCRIPTION),
  }
  local function add(line)
    out[#out + 1] = line
  end
  add ".SH OPTIONS"
  for _, group in ipairs(arguments.GROUPS) do
    add(".SS " .. escape(group.name))
    for _, item in ipairs(group) do
      add ".TP"
      add(option_line(item))
      add(escape(arguments.describe(item)))
    end
  end
  add ".SH EXIT STATUS"
  for _, status in ipairs(arguments.STATUS) do
    add ".TP"
    add("\\fB" .. status[1] .. "\\fR")
    add(escape(status[2]))
  end
  add ".SH ENVIRONMENT"
  for _, variable in ipairs(arguments.ENVIRONMENT) do
    add ".TP"
    add("\\fB" .. escape(variable[1]) .. "\\fR")
    add(escape(variable[2]))
  end
  add ".SH EXAMPLES"
  for _, example in ipairs(arguments.EXAMPLES) do
    add ".PP"
    add(escape(example[1]))
    add ".PP"
    add ".nf"
    add(".RS 4")
    add(escape(example[2]))
    add ".RE"
    add ".fi"
  end
  return table.concat(out, "\n") .. "\n"
end
