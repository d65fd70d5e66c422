-- arguments: what may stand on the command line, and what it says there. Its list is the source of the
-- parser, of --help, of the completions and of the man page. It must not act on anything.

local argparse = require "argparse"

local arguments = {}

arguments.NAME = "cf-traceroute"
arguments.SUMMARY = "traceroutes from Cloudflare's data centres, or from here"
arguments.DESCRIPTION = "Runs traceroutes to each TARGET (a host name, an IPv4 or an IPv6 address) from "
  .. "Cloudflare's data centres, or from this machine, and reports the paths."

arguments.FORMATS = { "table", "wide", "md", "csv", "json", "jsonl", "prometheus", "dot" }

local function list(text)
  local out = {}
  for item in text:gmatch("[^,%s]+") do
    out[#out + 1] = item
  end
  if #out == 0 then
    return nil, "a list expected, got '" .. text .. "'"
  end
  return out
end

local function number(text)
  local value = not text:find("%s") and tonumber(text)
  if not value or value ~= value or value == math.huge or value == -math.huge then
    return nil, "a number expected, got '" .. text .. "'"
  end
  return value
end

local function whole(text)
  local value = text:match("^%d+$") and tonumber(text)
  if not value then
    return nil, "a whole number expected, got '" .. text .. "'"
  end
  return value
end

local function between(convert, least, most, expected)
  return function(written)
    local value, err = convert(written)
    if value and not (value >= least and value <= most) then
      return nil, expected .. " expected, got '" .. written .. "'"
    end
    return value, err
  end
end

local function file_to_write(written)
  if written == "-" then
    return nil, "takes a file; --format json writes to standard output"
  elseif written == "" then
    return nil, "the name of a file expected"
  end
  return written
end

-- The same, with the option's name before what is wrong.
local function named(convert, name)
  return function(written)
    local value, err = convert(written)
    if value == nil then
      return nil, name .. ": " .. err
    end
    return value
  end
end

---@class traceroute.cli.Option
---@field [1] string names, as argparse takes them
---@field [2] string what it does
---@field argname? string
---@field convert? function
---@field choices? string[]
---@field count? string as argparse takes it
---@field api? string what a call names it

---Groups of options, in the order they are shown. An option without `argname` is a flag.
---@type {name: string, [integer]: traceroute.cli.Option}[]
arguments.GROUPS = {
  { name = "What is measured",
    { "--from", "Data centres to trace from, by name: den01,sin02. Default: all.", argname = "COLO,...",
      convert = list, count = "*", api = "colos" },
    { "--here", "Trace from this machine instead; needs no account." },
    { "--targets", "Read more targets from FILE, divided by white space; # starts a comment.", argname = "FILE",
      count = "*" },
    { "--type", "Packets to send. Default: icmp.", argname = "TYPE", api = "packet_type",
      choices = { "icmp", "tcp", "udp", "gre", "gre+icmp" } },
    { "--port", "Destination port for tcp and udp, 0 to 65535. Default: 0, the best for the type.", argname = "PORT",
      convert = whole, api = "port" },
    { "--max-ttl", "Hops to go at most, 0 to 64. Default: 15.", argname = "HOPS", convert = whole,
      api = "max_ttl" },
    { "--packets", "Packets for each hop, 0 to 10. Default: 3. Ten tell real loss from rate limiting far better.",
      argname = "COUNT", convert = whole, api = "packets_per_ttl" },
    { "--wait", "Seconds to wait for each answer, 1 to 5. Default: 1.", argname = "SECONDS", convert = whole,
      api = "wait_time" },
  },
  { name = "How the call is made",
    { "--account", "Account id. Default: CLOUDFLARE_ACCOUNT_ID.", argname = "ID", api = "account" },
    { "--timeout", "Seconds for all of it. Default: by what is measured, 60 to 600.", argname = "SECONDS",
      convert = number, api = "timeout" },
    { "--retries", "Further tries after a failure that may pass. Default: 2.", argname = "COUNT", convert = whole,
      api = "retries" },
    { "--concurrency", "Requests at once; one has ten targets at most. Default: 4.", argname = "COUNT",
      convert = whole, api = "concurrency" },
    { "--base-url", "Where the API is. Default: CLOUDFLARE_BASE_URL, or Cloudflare's.", argname = "URL",
      api = "base_url" },
    { "--ca-file", "Certificates to trust, a file or a directory. Default: the system's.", argname = "FILE",
      api = "ca_file" },
    { "--proxy", "Proxy to go through. Default: https_proxy.", argname = "URL", api = "proxy" },
    { "--dry-run", "Check the arguments and print the requests, without credentials; send nothing." },
  },
  { name = "What is shown",
    { "--format", "Default: table.", argname = "FORMAT", choices = arguments.FORMATS },
    { "--columns", "Columns of table, wide and md: of ttl host ip name asn loss sent lost received best avg worst "
      .. "stdev share labels verdict.", argname = "NAME,...", convert = list, count = "*" },
    { "--width", "Fit a table into so many columns, 40 or more. Default: the terminal's.", argname = "COLUMNS",
      convert = between(whole, 40, math.huge, "40 columns or more") },
    { "--color", "Default: auto, on a terminal unless NO_COLOR is set.", argname = "WHEN",
      choices = { "auto", "always", "never" } },
    { "--no-notes", "Leave out the sentences on loss and RTT below a table." },
    { "--quiet", "No report, no progress, and the service's messages only beside an error; errors and conditions are "
      .. "still told." },
  },
  { name = "Saved results",
    { "--read", "Take the result from FILE instead of tracing, or from standard input for -: JSON as --save and "
      .. "--format json write it, or the API's response.", argname = "FILE" },
    { "--save", "Keep what arrived in FILE, as JSON. With --watch, or if FILE is that of --diff too, it also keeps "
      .. "what it had of targets that failed.", argname = "FILE", convert = file_to_write },
    { "--diff", "Show what changed since the result in FILE; as text, or with --format json. May be the file of "
      .. "--save, and missing the first time: JSON then shows all as added.", argname = "FILE" },
  },
  { name = "Watching",
    { "--fail-if", "Exit with status 1 if CONDITION holds for any path: loss>5 (percent at the target), rtt>100 (mean "
      .. "ms to the target), hops>20, unreached, error (the data centre's own), path-changed (with --diff or --watch; "
      .. "also of paths that are gone or new; with --type udp or tcp, load balancers may make it hold by themselves). "
      .. "Any of < <= > >=. May be repeated, or divided by commas.", argname = "CONDITION", count = "*" },
    { "--watch", "Run again every SECONDS, until interrupted or a condition holds; path-changed then compares with the "
      .. "run before.", argname = "SECONDS",
      convert = between(number, 0.001, 86400 * 365, "seconds above 0") },
    { "--times", "With --watch: so many runs at most.", argname = "COUNT",
      convert = between(whole, 1, math.huge, "1 run or more") },
  },
  { name = "About",
    { "-h --help", "Show this and exit." },
    { "--version", "Show the version and exit." },
    { "--completion", "Print the completion script for a shell and exit.", argname = "SHELL",
      choices = { "bash", "zsh" } },
    { "--man", "Print the manual page, in roff, and exit." },
  },
}

arguments.STATUS = {
  { 0, "good: the result arrived and no condition of --fail-if held" },
  { 1, "a condition of --fail-if held" },
  { 2, "usage: the arguments or a file cannot be used, or HTTP 400 says so" },
  { 3, "the call failed, wholly or in part" },
  { 130, "interrupted; what had arrived is shown and saved" },
}

arguments.ENVIRONMENT = {
  { "CLOUDFLARE_API_TOKEN", "the API token, with the permission Magic Transit Write. Secrets are taken from the "
    .. "environment alone: a command line is seen by all users of a machine." },
  { "CLOUDFLARE_EMAIL, CLOUDFLARE_API_KEY", "the e-mail and global API key, where there is no token" },
  { "CLOUDFLARE_ACCOUNT_ID", "the account, where --account does not name one" },
  { "CLOUDFLARE_BASE_URL", "where the API is, where --base-url does not say it" },
  { "NO_COLOR", "if set and not empty, no colours by default" },
}

arguments.EXAMPLES = {
  { "A path from two data centres, by TCP to port 443:",
    "cf-traceroute example.com --from den01,sin02 --type tcp --port 443" },
  { "An alert from cron, when anything is lost or slow:",
    "cf-traceroute --targets hosts.txt --from fra01 --packets 10 --quiet --fail-if 'loss>5' --fail-if 'rtt>100'" },
  { "What changed since the last time:", "cf-traceroute example.com --from fra01 --save last.json --diff last.json" },
  { "A saved result as a drawing:", "cf-traceroute --read last.json --format dot | dot -Tsvg > path.svg" },
}

-- The statuses and examples that follow the options in --help.
local function epilog()
  local out = { "Exit status:" }
  for _, status in ipairs(arguments.STATUS) do
    out[#out + 1] = ("   %-3d  %s"):format(status[1], status[2])
  end
  out[#out + 1] = ""
  out[#out + 1] = "Credentials come from the environment: CLOUDFLARE_API_TOKEN, or CLOUDFLARE_EMAIL with "
    .. "CLOUDFLARE_API_KEY."
  return table.concat(out, "\n")
end

---What an option does, and which values it takes.
---@param item traceroute.cli.Option
---@return string
function arguments.describe(item)
  return item[2] .. (item.choices and " One of " .. table.concat(item.choices, ", ") .. "." or "")
end

---Options by what a call names them.
---@return table<string, string> such as packet_type = "--type"
function arguments.by_api_name()
  local out = {}
  for _, group in ipairs(arguments.GROUPS) do
    for _, item in ipairs(group) do
      out[item.api or item] = item.api and item[1]
    end
  end
  return out
end

---The parser.
---@return table parser as argparse makes it
function arguments.parser()
  local parser = argparse(arguments.NAME, arguments.DESCRIPTION, epilog())
    :add_help(false)
    :usage("Usage: " .. arguments.NAME .. " [OPTION]... TARGET...")
    :help_max_width(80)
    :help_description_margin(28)
  parser:argument("target", "Host names or addresses to trace to."):args("*"):argname("TARGET")
  for _, group in ipairs(arguments.GROUPS) do
    local made = {}
    for i, item in ipairs(group) do
      local element
      if item.argname then
        element = parser:option(item[1], arguments.describe(item)):argname(item.argname)
        if item.choices then
          element:choices(item.choices)
        end
        if item.convert then
          element:convert(named(item.convert, item[1]))
        end
        if item.count then
          element:count(item.count)
        end
      else
        element = parser:flag(item[1], item[2])
      end
      made[i] = element
    end
    parser:group(group.name, (table.unpack or unpack)(made))
  end
  return parser
end

return arguments
