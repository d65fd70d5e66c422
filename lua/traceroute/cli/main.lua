#!/usr/bin/env lua
-- main: the script that is installed as cf-traceroute. An interrupt ends it quietly, with the status
-- that shells give it.

local ran, status = pcall(function(...)
  return require("traceroute.cli").main({ ... })
end, ...)
if not ran then
  local interrupted = tostring(status):find("interrupted!", 1, true)
  io.stderr:write(interrupted and "\n" or "cf-traceroute: " .. tostring(status) .. "\n")
  status = interrupted and 130 or 3
end
os.exit(status)
