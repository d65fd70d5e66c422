-- cli: the command cf-traceroute, from its arguments to its exit status. It must not know how a call is
-- made, nor how a report is drawn; and it touches the machine through the table it is given alone.

local analysis = require "traceroute.analysis"
local arguments = require "traceroute.cli.arguments"
local call = require "traceroute.cli.call"
local combination = require "traceroute.cli.combination"
local conditions = require "traceroute.cli.conditions"
local invalid = require "traceroute.invalid"
local json = require "traceroute.json"
local report = require "traceroute.report"
local saved = require "traceroute.cli.saved"
local wording = require "traceroute.cli.wording"

local cli = {}

local GOOD, CONDITION, USAGE, FAILED, INTERRUPTED = 0, 1, 2, 3, 130
-- Of an option's name, in bytes.
local OPTION_MAX = 64

-- Formats by the name that the command gives them, where the report has another.
local REPORT = { wide = "table", md = "markdown" }

local function say(system, message)
  system.err(arguments.NAME .. ": " .. wording.line(message) .. "\n")
end

local function say_all(system, lines)
  for _, line in ipairs(lines) do
    say(system, line)
  end
end

local function usage(system, message)
  say(system, message)
  system.err("Try '" .. arguments.NAME .. " --help'.\n")
  return USAGE
end

local function about(system, args, parser)
  if args.help then
    system.out(parser:get_help() .. "\n")
  elseif args.completion then
    system.out(args.completion == "bash" and parser:get_bash_complete() or parser:get_zsh_complete())
  else
    local traceroute, err = call.module(system)
    if not traceroute then
      say(system, err)
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
  for _, name in ipairs(args.targets or {}) do
    local before = #targets
    local content, err = system.read(name)
    if not content then
      return nil, err
    end
    for line in content:gmatch("[^\r\n]+") do
      for target in line:gsub("#.*", ""):gmatch("%S+") do
        targets[#targets + 1] = target
      end
    end
    if #targets == before then
      return nil, name .. ": no targets in it"
    end
  end
  return targets
end

-- What contradicts itself, before anything is done.
local function contradiction(args, wanted)
  local fault = combination.fault(args)
  if fault then
    return fault
  elseif conditions.need_earlier(wanted) and not (args.diff or args.watch) then
    return "path-changed needs an earlier run: --diff FILE or --watch SECONDS"
  end
  local drawn, err = report.table({}, { columns = args.columns })
  return not drawn and "--columns: " .. err.message or nil
end

-- Status of a call that brought nothing.
local function refusal(err)
  return type(err) == "table" and err.kind == "invalid_request" and USAGE or FAILED
end

-- The requests as they would be sent, checked as a call checks them.
local function dry_run(system, args, targets)
  local traceroute, reason = call.module(system)
  if not traceroute then
    say(system, reason)
    return FAILED
  end
  local plan, err = traceroute.plan(args.account, targets, call.options(args))
  if not plan then
    say_all(system, wording.failure(err))
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

local function wants_color(system, args)
  if args.color == "always" or args.color == "never" then
    return args.color == "always"
  end
  local no_color = system.getenv("NO_COLOR")
  return (no_color == nil or no_color == "") and system.getenv("TERM") ~= "dumb" and system.is_terminal(1)
end

local function draw(system, args, result, diff)
  local format = args.format or "table"
  if args.diff and format == "json" then
    -- The first run of a chain is one against nothing.
    local encoded, err = diff, nil
    if not encoded then
      encoded, err = analysis.diff({}, result)
    end
    if encoded then
      encoded, err = json.encode(encoded)
    end
    return encoded and encoded .. "\n", err
  elseif args.diff and diff then
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

-- Shows one result; the status, and true when nothing can follow.
local function show(system, args, result, diff)
  local drawn, err = draw(system, args, result, diff)
  if not drawn then
    return usage(system, err), true
  end
  local ok
  ok, err = system.out(drawn)
  if not ok then
    say(system, "standard output: " .. tostring(err))
    return FAILED, true
  end
  return GOOD
end

-- Saves, compares, judges and shows what arrived, in this order: whoever reads the report may go away in the midst of
-- it. Returns the status, true when nothing is to follow, and what the next run is compared with.
local function handle(system, args, targets, outcome, wanted, earlier)
  local result = outcome.result
  local incomplete = saved.incomplete(targets, outcome.err)
  local kept = saved.kept(earlier, result, incomplete)
  local status = args.save and save(system, args, args.is_chain and kept or result) or GOOD
  local diff, err
  if earlier then
    diff, err = analysis.diff(saved.comparable(earlier, result, incomplete), saved.named(result, incomplete))
    if not diff then
      return usage(system, err), true
    end
  end
  local met = conditions.met(wanted, result, diff)
  say_all(system, met)
  local over = #met > 0
  status = math.max(status, over and CONDITION or GOOD)
  if not args.quiet then
    local shown, broken = show(system, args, result, diff)
    status, over = math.max(status, shown), over or broken
  end
  return status, over, kept
end

-- Says on standard error what came of a call besides its result.
local function tell(system, args, targets, outcome)
  if outcome.interrupted then
    if outcome.result then
      say(system, wording.interrupted(outcome.err, targets))
    else
      system.err("\n")
    end
  elseif outcome.err then
    say_all(system, wording.failure(outcome.err, targets))
  end
  if outcome.err or not args.quiet then
    say_all(system, wording.messages(outcome.info))
  end
end

local function obtain(system, args, targets)
  if args.read then
    local result, err
    if args.is_implied then
      result, err = saved.read_implied(system)
    else
      result, err = saved.read(system, args.read)
    end
    return result and { result = result, info = {} }, err
  end
  local traceroute, err = call.module(system)
  if not traceroute then
    return { err = err, info = {} }
  end
  return call.run(system, traceroute, args, targets)
end

-- One run: from the arguments to a status. Returns true when no other is to follow, since a condition holds or another
-- would end the same way, and what the next is compared with.
local function run_once(system, args, targets, wanted, earlier)
  local outcome, err = obtain(system, args, targets)
  if not outcome then
    return usage(system, err), true
  end
  tell(system, args, targets, outcome)
  if not outcome.result then
    local status = outcome.interrupted and INTERRUPTED or refusal(outcome.err)
    return status, status ~= FAILED or type(outcome.err) ~= "table" or outcome.err.kind == "cancelled", earlier
  end
  local status, over, kept = handle(system, args, targets, outcome, wanted, earlier)
  if outcome.interrupted then
    return INTERRUPTED, true
  elseif status == GOOD and outcome.err then
    status = FAILED
  end
  return status, over, kept
end

local function watch(system, args, targets, wanted, earlier)
  local runs = 0
  local headed = not args.quiet and (args.format or "table") == "table"
  while true do
    if headed then
      system.out((runs > 0 and "\n" or "") .. system.now() .. "\n")
    end
    local status, over
    status, over, earlier = run_once(system, args, targets, wanted, earlier)
    runs = runs + 1
    if over or runs == args.times then
      return status
    elseif not system.pause(args.watch) then
      return INTERRUPTED
    end
  end
end

-- The lists of an option that was given several times, as one.
local function join(lists)
  local out = {}
  for _, list in ipairs(lists or {}) do
    for _, item in ipairs(type(list) == "table" and list or { list }) do
      out[#out + 1] = item
    end
  end
  return out[1] and out or nil
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
    invalid.let_pass(args)
    return nil, (args:gsub("\nDid you mean ", "; did you mean "))
  end
  for _, name in ipairs { "from", "columns", "targets", "fail_if" } do
    args[name] = join(args[name])
  end
  return args, parser
end

-- What there is to trace or to read; a result on standard input needs no argument.
local function sources(system, args)
  local targets, err = gather_targets(system, args)
  if not targets or args.read or #targets > 0 then
    return targets, err
  elseif args.dry_run or args.watch or args.here or args.diff == "-" or system.is_terminal(0) then
    return nil, "no target"
  end
  args.read, args.is_implied = "-", true
  if combination.fault(args) then
    return nil, "no target"
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
  local is_same = args.diff and args.save and system.is_same(args.diff, args.save)
  args.is_chain = is_same or args.watch
  local earlier, missing
  if args.diff then
    earlier, err, missing = saved.read(system, args.diff)
    if not earlier and not (missing and is_same) then
      return usage(system, err)
    end
  end
  if args.watch then
    return watch(system, args, targets, wanted, earlier)
  end
  return (run_once(system, args, targets, wanted, earlier))
end

return cli
