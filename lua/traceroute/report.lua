-- report: the one list of formats. Each has a room of its own in report/, loaded when first asked for;
-- nothing is drawn here.

local invalid = require "traceroute.invalid"

local ROOMS = {
  table = { "table" },
  markdown = { "markdown" },
  csv = { "csv" },
  json = { "json", "json" },
  jsonl = { "json", "jsonl" },
  prometheus = { "prometheus" },
  dot = { "dot" },
  diff = { "diff" },
  both_ways = { "both_ways" },
}

-- The arguments of each, as errors name them; of all others as of a result.
local ARGUMENTS = { diff = { "diff", "opts" }, both_ways = { "there", "back", "opts" } }
local OF_RESULT = { "result", "opts" }

---@class traceroute.Report each takes a result (diff: a diff; both_ways: two results) and options, and
---returns a string, or nil and an error for what cannot be drawn
---@field table fun(result: traceroute.Result, opts?: table): string?, traceroute.Error?
---@field markdown fun(result: traceroute.Result, opts?: table): string?, traceroute.Error?
---@field csv fun(result: traceroute.Result, opts?: table): string?, traceroute.Error?
---@field json fun(result: traceroute.Result, opts?: table): string?, traceroute.Error?
---@field jsonl fun(result: traceroute.Result, opts?: table): string?, traceroute.Error?
---@field prometheus fun(result: traceroute.Result, opts?: table): string?, traceroute.Error?
---@field dot fun(result: traceroute.Result, opts?: table): string?, traceroute.Error?
---@field diff fun(diff: traceroute.RunDiff|traceroute.PathDiff, opts?: table): string?, traceroute.Error?
---@field both_ways fun(there: traceroute.Result, back: traceroute.Result, opts?: table): string?, traceroute.Error?
local report = {}

return setmetatable(report, {
  __index = function(_, format)
    local room = ROOMS[format]
    if not room then
      return nil
    end
    local loaded = require("traceroute.report." .. room[1])
    local draw = invalid.guarded(ARGUMENTS[format] or OF_RESULT, room[2] and loaded[room[2]] or loaded)
    rawset(report, format, draw)
    return draw
  end,
})
