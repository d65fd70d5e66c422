-- cli: the command cf-traceroute, from its arguments to its exit status. It must not know how a call is
-- made, nor how a report is drawn; and it touches the machine through the table it is given alone.

local analysis = require "traceroute.analysis"
local arguments = require "traceroute.cli.arguments"
local conditions = require "traceroute.cli.conditions"
local json = require "traceroute.json"
local report = require "traceroute.report"
local text = require "traceroute.text"

local cli = {}

local GOOD, CONDITION, USAGE, FAILED = 0, 1, 2, 3
local ENOENT = 2
-- Of a message, which may show an argument, in columns; of an option's name, in bytes.
local SHOWN_MAX, OPTION_MAX = 500, 64

-- Formats by the name that the command gives them, where the report has another.
local REPORT = { wide = "table", md = "markdown" }

-- The API's names of what is measured and called with.
local CALL_OPTIONS = {
  from = "colos", max_ttl = "max_ttl", type = "packet_type", packets = "packets_per_ttl", port = "port",
  wait = "wait_time", timeout = "timeout", retries = "retries", concurrency = "concurrency", base_url = "base_url",
  ca_file = "ca_file", proxy = "proxy",
}
local NOT_HERE = { "from", "account", "retries", "concurrency", "base_url", "ca_file", "proxy" }

local function say(system, message)
  system.err(arguments.NAME .. ": " .. text.clean(tostring(message)) .. "\n")
end

local function usage(system, message)
  say(system, text.cut(text.clean(tostring(message)), SHOWN_MAX))
  system.err("Try '" .. arguments.NAME .. " --help'.\n")
  return USAGE
end

local function load_traceroute(system)
  local core, why = require("traceroute.lazy").load()
  if not core then
    say(system, "the module does not load: " .. why)
    return nil
  end
  return require "traceroute"
end

local function about(system, args, parser)
  if args.help then
    system.out(parser:get_help() .. "\n")
  elseif args.completion then
    system.out(args.completion == "bash" and parser:get_bash_complete() or parser:get_zsh_complete())
  else
    local traceroute = system.traceroute or load_traceroute(system)
    if not traceroute then
      return FAILED
    elseif args.man then
      system.out(require "traceroute.cli.manual"(traceroute.VERSION))
    else
      system.out(("%s %s\n"):format(arguments.NAME, traceroute.VERSION))
    end
  end
  return GOOD
end

-- Targets of the command line and of --targets, in this order.
local function gather_targets(system, args)
  local targets = {}
  for i, target in ipairs(args.target) do
    targets[i] = target
  end
  if args.targets then
    local content, err = system.read(args.targets)
    if not content then
      return nil, err
    end
    for line in content:gmatch("[^\r\n]+") do
      for target in line:gsub("#.*", ""):gmatch("%S+") do
        targets[#targets + 1] = target
      end
    end
    if #targets == 0 then
      return nil, args.targets .. ": no targets in it"
    end
  end
  return targets
end

local function call_options(args)
  local opts = {}
  for name, api_name in next, CALL_OPTIONS do
    opts[api_name] = args[name]
  end
  return opts
end

-- What contradicts itself, before anything is done.
local function contradiction(args, wanted)
  if args.read and (#args.target > 0 or args.targets or args.here) then
    return "--read takes a saved result; targets and --here are for a new one"
  elseif args.read and (args.watch or args.dry_run) then
    return "--read takes a saved result; --watch and --dry-run are for new ones"
  elseif args.here and args.dry_run then
    return "--dry-run shows the requests to Cloudflare; --here makes none"
  elseif args.times and not args.watch then
    return "--times is for --watch"
  elseif args.watch and not (args.watch > 0 and args.watch <= 86400 * 365) then
    return "--watch takes seconds above 0"
  elseif conditions.need_earlier(wanted) and not (args.diff or args.watch) then
    return "path-changed needs an earlier run: --diff FILE or --watch SECONDS"
  elseif args.diff and args.format and args.format ~= "table" and args.format ~= "json" then
    return "--diff is shown as text, or with --format json"
  elseif args.width and args.width < 40 then
    return "--width takes 40 columns or more"
  end
  local drawn, err = report.table({}, { columns = args.columns })
  if not drawn then
    return err
  end
  for _, name in ipairs(args.here and NOT_HERE or {}) do
    if args[name] then
      return "--" .. name:gsub("_", "-") .. " is for Cloudflare's data centres, and --here for this machine"
    end
  end
  return nil
end

local function read_result(system, name)
  local content, err, code = system.read(name)
  if not content then
    return nil, err or name .. ": cannot be read", code == ENOENT
  end
  local result
  result, err = json.result(content)
  if not result then
    return nil, name .. ": " .. err.message
  end
  return result
end

-- Status of a call that brought nothing.
local function refusal(err)
  return type(err) == "table" and err.kind == "invalid_request" and USAGE or FAILED
end

-- The requests as they would be sent, checked as a call checks them.
local function dry_run(system, args, targets)
  local traceroute = system.traceroute or load_traceroute(system)
  if not traceroute then
    return FAILED
  end
  local plan, err = traceroute.plan(args.account, targets, call_options(args))
  if not plan then
    say(system, err)
    return refusal(err)
  end
  local head = plan.method .. " " .. plan.url .. "\n" .. table.concat(plan.headers, "\n") .. "\n\n"
  local requests = {}
  for i, body in ipairs(plan.bodies) do
    requests[i] = head .. body .. "\n"
  end
  system.out(table.concat(requests, "\n"))
  return GOOD
end

-- Runs the traceroutes, showing how far they are where somebody watches.
local function trace(system, args, targets)
  local traceroute = system.traceroute or load_traceroute(system)
  if not traceroute then
    return nil, "nothing was sent"
  end
  local opts = call_options(args)
  local watched = not args.quiet and system.is_terminal(2)
  if watched and args.here then
    opts.on_progress = function(progress)
      system.err(("\r%d of %d targets\27[K"):format(progress.targets_done, progress.targets))
    end
  elseif watched then
    opts.on_progress = function(progress)
      system.err(("\r%d of %d requests, %d paths\27[K"):format(progress.requests_done, progress.requests,
        progress.colos))
    end
  end
  local result, err
  if args.here then
    result, err = traceroute.probe(targets, opts)
  else
    result, err = traceroute.create(args.account, targets, opts)
  end
  if watched then
    system.err("\r\27[K")
  end
  return result, err
end

local function wants_color(system, args)
  if args.color == "always" or args.color == "never" then
    return args.color == "always"
  end
  local no_color = system.getenv("NO_COLOR")
  return (no_color == nil or no_color == "") and system.getenv("TERM") ~= "dumb" and system.is_terminal(1)
end

local function draw(system, args, result, diff)
  local format = args.format or "table"
  if diff and format == "json" then
    local encoded, err = json.encode(diff)
    return encoded and encoded .. "\n", err
  elseif diff then
    return report.diff(diff, { color = wants_color(system, args) })
  end
  local opts = {}
  if format == "table" or format == "wide" then
    opts.color, opts.wide = wants_color(system, args), format == "wide"
    opts.width = args.width or format == "table" and system.is_terminal(1) and system.columns() or nil
    opts.width = opts.width and math.max(opts.width, 40)
  end
  if format == "table" or format == "wide" or format == "md" then
    opts.columns, opts.notes = args.columns, not args.no_notes
  end
  return report[REPORT[format] or format](result, opts)
end

-- Compares, saves, shows and judges one result. Returns the status, and true when nothing can follow.
local function handle(system, args, result, wanted, earlier)
  local diff, err
  if earlier then
    diff, err = analysis.diff(earlier, result)
    if not diff then
      return usage(system, err), true
    end
  end
  if not args.quiet then
    local drawn
    drawn, err = draw(system, args, result, args.diff and diff)
    if not drawn then
      return usage(system, err), true
    end
    local ok
    ok, err = system.out(drawn)
    if not ok then
      say(system, "standard output: " .. tostring(err))
      return FAILED, true
    end
  end
  local met = conditions.met(wanted, result, diff)
  for _, line in ipairs(met) do
    say(system, line)
  end
  return #met > 0 and CONDITION or GOOD
end

local function save(system, args, result)
  local encoded, err = report.json(result)
  local ok
  if encoded then
    ok, err = system.write(args.save, encoded)
  end
  if not ok then
    say(system, "--save: " .. tostring(err))
    return FAILED
  end
  return GOOD
end

-- One run: from the arguments to a status. Returns the result too, and true when another would end
-- the same way.
local function run_once(system, args, targets, wanted, earlier)
  local result, err
  if args.read then
    result, err = read_result(system, args.read)
    if not result then
      return usage(system, err), nil, true
    end
  else
    result, err = trace(system, args, targets)
  end
  if err then
    say(system, err)
  end
  if not result then
    local status = refusal(err)
    return status, nil, status == USAGE or type(err) == "table" and err.kind == "cancelled"
  end
  local status, over = handle(system, args, result, wanted, earlier)
  if args.save and not err and not over then
    status = math.max(status, save(system, args, result))
  end
  if status == GOOD and err then
    status = FAILED
  end
  return status, not err and result or nil, over
end

local function watch(system, args, targets, wanted, earlier)
  local runs = 0
  local status
  local headed = not args.quiet and (args.format or "table") == "table"
  repeat
    if headed then
      system.out((runs > 0 and "\n" or "") .. system.now() .. "\n")
    end
    local result, over
    status, result, over = run_once(system, args, targets, wanted, earlier)
    earlier = result or earlier
    runs = runs + 1
  until over or status == CONDITION or runs == args.times or not system.pause(args.watch)
  return status
end

-- The parser takes a long time to find what a very long name may stand for.
local function parse(argv)
  for _, word in ipairs(argv) do
    local name = word:match("^%-[^=]*")
    if word == "--" then
      break
    elseif name and #name > OPTION_MAX then
      return nil, "unknown option '" .. name .. "'"
    end
  end
  local parser = arguments.parser()
  local ok, args = parser:pparse(argv)
  if not ok then
    return nil, (args:gsub("\nDid you mean ", "; did you mean "))
  end
  return args, parser
end

-- What there is to trace or to read; a result on standard input needs no argument.
local function sources(system, args)
  local targets, err = gather_targets(system, args)
  if not targets then
    return nil, err
  elseif not args.read and #targets == 0 then
    if args.dry_run or args.watch or args.here or system.is_terminal(0) then
      return nil, "no target"
    end
    args.read = "-"
  end
  return targets
end

---The command: parses, runs, reports.
---@param argv string[] the arguments, without the program's name
---@param system? table as traceroute.cli.system, which is the default; `traceroute` in it stands for
---the module
---@return integer status 0 good, 1 a condition held, 2 usage, 3 the call failed
function cli.main(argv, system)
  system = system or require "traceroute.cli.system"
  local args, parser = parse(argv)
  if not args then
    return usage(system, parser)
  elseif args.help or args.version or args.completion or args.man then
    return about(system, args, parser)
  end
  local wanted, err = conditions.parse(args.fail_if or {})
  if not wanted then
    return usage(system, err.message)
  end
  local wrong = contradiction(args, wanted)
  if wrong then
    return usage(system, wrong)
  end
  local targets
  targets, err = sources(system, args)
  if not targets then
    return usage(system, err)
  elseif args.dry_run then
    return dry_run(system, args, targets)
  end
  local earlier, missing
  if args.diff then
    earlier, err, missing = read_result(system, args.diff)
    if not earlier and not (missing and args.save == args.diff) then
      return usage(system, err)
    end
  end
  if args.watch then
    return watch(system, args, targets, wanted, earlier)
  end
  return (run_once(system, args, targets, wanted, earlier))
end

return cli
