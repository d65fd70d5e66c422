-- csv: one row per node, for spreadsheets and for tools that read columns. It must not know more of a
-- result than its records.

local decimal = require "traceroute.decimal"
local hops = require "traceroute.hops"
local invalid = require "traceroute.invalid"
local text = require "traceroute.text"

local FIELDS = {
  "target", "colo", "city", "ttl", "responded", "ip", "name", "asn", "labels", "packets_sent", "packets_lost",
  "loss", "packet_count", "min_rtt_ms", "mean_rtt_ms", "max_rtt_ms", "std_dev_rtt_ms",
}

local function cell(value)
  if value == nil then
    return ""
  elseif type(value) == "number" then
    return decimal("%.14g", value)
  elseif type(value) == "table" then
    local parts = {}
    for i = 1, #value do
      parts[i] = type(value[i]) == "string" and value[i] or nil
    end
    value = table.concat(parts, ";")
  end
  value = text.clean(tostring(value))
  -- A spreadsheet runs what starts like a formula; an apostrophe makes it text.
  if value:find("^[=+@-]") then
    value = "'" .. value
  end
  if value:find('[",;\']') then
    value = '"' .. value:gsub('"', '""') .. '"'
  end
  return value
end

---Comma-separated values: a head line, then a row for each record of hops.filter. Fields are quoted
---where needed, absent ones empty, labels joined by ";". Control characters become "?", and a text that
---a spreadsheet would take for a formula gets an apostrophe before it. Lines end in "\n".
---@param result traceroute.Result
---@param opts? {criteria: traceroute.Criteria} which records; default all
---@return string? csv
---@return traceroute.Error? err
return function(result, opts)
  local checked, err = invalid.options(opts, { criteria = "table" }, "opts")
  if not checked then
    return nil, err
  end
  local records
  records, err = hops.filter(result, checked.criteria)
  if not records then
    return nil, err
  end
  local out = { table.concat(FIELDS, ",") }
  local cells = {}
  for r, record in ipairs(records) do
    for f, field in ipairs(FIELDS) do
      cells[f] = cell(record[field])
    end
    out[r + 1] = table.concat(cells, ",")
  end
  return table.concat(out, "\n") .. "\n"
end
