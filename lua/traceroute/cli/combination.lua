-- combination: which options mean something together. What would silently do nothing is refused. It must not know what
-- any of them does.

local combination = {}

-- What is given, what it does that leaves others nothing to do, and these.
local LEAVES_NOTHING = {
  { "read", "takes a saved result", "here from targets type port max_ttl packets wait account timeout retries "
    .. "concurrency base_url ca_file proxy dry_run watch times" },
  { "here", "traces from this machine", "dry_run from account retries concurrency base_url ca_file proxy" },
  { "dry_run", "shows the requests and sends nothing", "format columns width color no_notes quiet save diff fail_if "
    .. "watch times" },
  { "quiet", "shows no report", "format columns width color no_notes" },
  { "diff", "shows what changed", "columns width no_notes" },
}

local TABLES = { table = true, wide = true }
local DRAWN = { table = true, wide = true, md = true }

-- What is given, the option whose values it needs, these, and how they are written.
local NEEDS = {
  { "port", "type", { tcp = true, udp = true }, "--type tcp or udp" },
  { "diff", "format", { table = true, json = true }, "text or --format json" },
  { "columns", "format", DRAWN, "--format table, wide or md" },
  { "no_notes", "format", DRAWN, "--format table, wide or md" },
  { "width", "format", TABLES, "--format table or wide" },
  { "color", "format", TABLES, "--format table or wide" },
}
local DEFAULTS = { type = "icmp", format = "table" }

local READERS = { "read", "diff", "targets" }

local function written(name)
  return "--" .. name:gsub("_", "-")
end

-- Colours that are not wanted are not missed.
local function is_given(args, name)
  local value = args[name]
  if name == "color" then
    return value == "always"
  end
  return value ~= nil and (type(value) ~= "table" or #value > 0)
end

-- How often standard input would be read.
local function readers_of_input(args)
  local count = 0
  for _, name in ipairs(READERS) do
    local value = args[name]
    for _, file in ipairs(type(value) == "table" and value or { value }) do
      count = count + (file == "-" and 1 or 0)
    end
  end
  return count
end

---What contradicts itself, or would do nothing.
---@param args table
---@return string? wrong
function combination.fault(args)
  if args.read and #args.target > 0 then
    return "--read takes a saved result; a target is for a new one"
  end
  for _, row in ipairs(LEAVES_NOTHING) do
    for name in (is_given(args, row[1]) and row[3] or ""):gmatch("%S+") do
      if is_given(args, name) then
        return ("%s does nothing with %s, which %s"):format(written(name), written(row[1]), row[2])
      end
    end
  end
  for _, row in ipairs(NEEDS) do
    if is_given(args, row[1]) and not row[3][args[row[2]] or DEFAULTS[row[2]]] then
      return ("%s is for %s"):format(written(row[1]), row[4])
    end
  end
  if args.times and not args.watch then
    return "--times is for --watch"
  elseif readers_of_input(args) > 1 then
    return "standard input can be read once"
  end
  return nil
end

return combination
