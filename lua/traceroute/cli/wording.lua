-- wording: what is said of a call on standard error: its error as somebody at a command line can use it, the targets
-- without a result, the service's messages. Bounded, and fit for a terminal. It must not know where it is written to.

local arguments = require "traceroute.cli.arguments"
local fields = require "traceroute.fields"
local text = require "traceroute.text"

local wording = {}

-- Of a line, in columns; of targets named in one; of lines of a kind.
local LINE_MAX, TARGETS_MAX, LINES_MAX = 500, 10, 20
local TARGET_MAX = 64

local CREDENTIALS = { token = "CLOUDFLARE_API_TOKEN", email = "CLOUDFLARE_EMAIL", key = "CLOUDFLARE_API_KEY" }

-- What a message advises a script to do, and what there is for it here.
local ADVICE = {
  { "pass token, or set CLOUDFLARE_API_TOKEN", "set CLOUDFLARE_API_TOKEN" },
  { "pass token, or email and key", "set CLOUDFLARE_API_TOKEN, or CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY" },
  { "pass both, or a token", "set CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY, or CLOUDFLARE_API_TOKEN" },
  { "pass it, or set CLOUDFLARE_ACCOUNT_ID", "give it, or set CLOUDFLARE_ACCOUNT_ID" },
  { ", which stands in the dashboard's address, comes before the targets", " stands in the dashboard's address" },
  { "check the token, or email and key",
    "check CLOUDFLARE_API_TOKEN, or CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY" },
  { "the account id and base_url", "the account id and --base-url" },
  { " (retry_after)", "" },
  { "raise timeout or rate", "raise --timeout" }, { "raise timeout", "raise --timeout" },
  { "or concurrency", "or --concurrency" },
  { ", proxy and the network", ", --proxy and the network" },
  { "check proxy", "check --proxy" }, { "and proxy", "and --proxy" },
  { ", or say insecure = true", "" },
}

---A line, clean and of bounded length.
---@param message any
---@return string
function wording.line(message)
  return text.cut(text.clean(tostring(message)), LINE_MAX)
end

local function advise(message)
  for _, advice in ipairs(ADVICE) do
    local from, to = message:find(advice[1], 1, true)
    if from then
      message = message:sub(1, from - 1) .. advice[2] .. message:sub(to + 1)
    end
  end
  return message
end

-- Names with an underscore are nobody's words; the others stand for an option as a path alone.
local function translate(message, options)
  return (message:gsub("%f[%w_/.%-][%l]+_[%l_]+%f[^%w_/.%-]", options))
end

-- The error as a line, by the names of the command line. What the service said stays as it is.
local function line_of(err)
  if type(err) ~= "table" then
    return tostring(err)
  end
  local shown = setmetatable({}, getmetatable(err))
  for key, value in next, err do
    shown[key] = value
  end
  local options = arguments.by_api_name()
  local name = err.path and err.path:match("^[%l_]+")
  if name and (options[name] or CREDENTIALS[name]) then
    shown.path = options[name] or CREDENTIALS[name]
  end
  if err.message then
    shown.message = advise(err.message)
    shown.message = err.errors and shown.message or translate(shown.message, options)
  end
  return tostring(shown)
end

local function add_bounded(out, lines, what)
  for i, line in ipairs(lines) do
    if i > LINES_MAX then
      out[#out + 1] = ("and %d more %s"):format(#lines - LINES_MAX, what)
      return
    end
    out[#out + 1] = line
  end
end

-- "1004: max_ttl is not valid (/options/max_ttl)"
local function of_service(item)
  item = fields.list(item)
  local pointer = fields.text(fields.list(item.source).pointer)
  local code = fields.integer(item.code)
  return (code and ("%d: "):format(code) or "") .. (fields.text(item.message) or "no message")
    .. (pointer and " (" .. pointer .. ")" or "")
end

-- The service's errors, unless the first one's message says it all.
local function errors_of(err)
  local lines = {}
  local list = type(err) == "table" and fields.list(err.errors) or {}
  local pointer = fields.list(fields.list(list[1]).source).pointer
  for _, item in ipairs((#list > 1 or pointer) and list or {}) do
    lines[#lines + 1] = "error " .. of_service(item)
  end
  return lines
end

local function missing(err, asked)
  local targets = type(err) == "table" and fields.list(err.targets) or {}
  if #targets == 0 or #targets == #asked then
    return nil
  end
  local names = {}
  for i = 1, math.min(#targets, TARGETS_MAX) do
    names[i] = text.cut(text.clean(tostring(targets[i])), TARGET_MAX)
  end
  local more = #targets > TARGETS_MAX and (" and %d more"):format(#targets - TARGETS_MAX) or ""
  return ("not all arrived of %d of %d targets: %s%s"):format(#targets, #asked, table.concat(names, ", "), more)
end

---The messages of a call's answers, each once.
---@param info table
---@return string[] lines
function wording.messages(info)
  local lines, seen, out = {}, {}, {}
  for _, request in ipairs(info) do
    for _, message in ipairs(fields.list(request.messages)) do
      local line = "message " .. of_service(message)
      if not seen[line] then
        seen[line] = true
        lines[#lines + 1] = line
      end
    end
  end
  add_bounded(out, lines, "messages")
  return out
end

---An error, with what belongs to it.
---@param err traceroute.Error|string
---@param asked? string[] the call's targets
---@return string[] lines
function wording.failure(err, asked)
  local out = { line_of(err) }
  add_bounded(out, errors_of(err), "errors")
  out[#out + 1] = missing(err, asked or {})
  return out
end

---What an interrupted call lacks.
---@param err traceroute.Error?
---@param asked string[]
---@return string line
function wording.interrupted(err, asked)
  local lacks = missing(err, asked)
  return "interrupted" .. (lacks and ": " .. lacks or "")
end

return wording
