-- json: the result as JSON in the API's shape, or its records one a line. It must not know more than
-- that.

local hops = require "traceroute.hops"
local invalid = require "traceroute.invalid"
local json = require "traceroute.json"

local report = {}

---The result as JSON on one line, in the API's shape: the array that stands under "result" there.
---@param result traceroute.Result
---@param opts? table no option yet
---@return string? json
---@return traceroute.Error? err
function report.json(result, opts)
  local checked, err = invalid.options(opts, {}, "opts")
  if not checked then
    return nil, err
  elseif type(result) ~= "table" then
    return invalid.value("result", "table expected, got " .. type(result))
  end
  local encoded
  encoded, err = json.encode(result)
  if not encoded then
    return nil, err
  end
  return encoded .. "\n"
end

---JSON lines: one object for each record of hops.filter; absent fields are left out.
---@param result traceroute.Result
---@param opts? {criteria: traceroute.Criteria} which records; default all
---@return string? lines
---@return traceroute.Error? err
function report.jsonl(result, opts)
  local checked, err = invalid.options(opts, { criteria = "table" }, "opts")
  if not checked then
    return nil, err
  end
  local records
  records, err = hops.filter(result, checked.criteria)
  if not records then
    return nil, err
  end
  local out = {}
  for r, record in ipairs(records) do
    out[r], err = json.encode(record)
    if not out[r] then
      return nil, err
    end
  end
  out[#out + 1] = ""
  return table.concat(out, "\n")
end

return report
