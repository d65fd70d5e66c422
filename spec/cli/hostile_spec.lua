-- cf-traceroute with arguments that nobody means: status 2, one line that says why before the hint, and nothing sent,
-- read or written. What is no number, too much or not known is refused by whatever option it is given to.
-- Nearly all of it is argparse's, in which valgrind has nothing to find in its many minutes.
if os.getenv("CHECKED_LUA") then
  return
end

local arguments = require "traceroute.cli.arguments"
local cli = require "traceroute.cli"
local host = require "spec.support.host"
local server = require "spec.support.server"
local traceroute = require "traceroute"

local HUGE = ("\195\164"):rep(50000)
local HINT = "Try 'cf-traceroute --help'.\n"
local LINE_MAX = 1024

-- What no number is written as, or no option takes.
local NUMBERS = {
  "", " ", "\n", "5\n", "\n5", "5\n--here", "5 6", "5,6", "-1", "-0.5", "nan", "-nan", "NaN", "inf", "-inf", "1e300",
  "-1e300", "0x1p70", "99999999999999999999", ("9"):rep(400), ("9"):rep(100000), "five", "5;", "$(id)", "%s%n",
  "\255\254", "\217\163", "a\r\nX-Evil: 1", HUGE,
}
-- What is no name, address, account or URL.
local TEXTS = { "\n", "a\nX-Evil: 1", "a\127", "\27[2J", "a\nb", HUGE }
local WORDS = {
  "--nonsense", "--frm=x", "--from-", "--=x", "---", "-x", "-1", "-\n", "--\n", "--here\n", "--here=1", "--no-notes=",
  "-h\n", "--max-ttl\n=5", "--Max-TTL=5", "--max_ttl=5", "-\255", "--" .. HUGE, "-" .. HUGE, "--" .. HUGE .. "=1",
  "--from", "--port", "--fail-if", "", " ", "a b", "a\nb", "a.example\n", "\255", "https://a.example/", "a.example:80",
  HUGE,
}
local CONDITIONS = {
  "", ",", "\n", "los>5", "loss", "loss>", "loss>-1", "loss>nan", "loss>inf", "loss=5", "loss>5;", "loss>5\nrtt",
  "rtt>1e3", "path-changed", "loss>5,", "unreached>5", HUGE, ("loss>5,"):rep(1000) .. "x",
}

describe("cf-traceroute with a hostile command line #heavy", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    host.clean_environment()
    host.setenv("CLOUDFLARE_API_TOKEN", "secret-token")
    host.setenv("CLOUDFLARE_ACCOUNT_ID", "a1")
    host.setenv("CLOUDFLARE_BASE_URL", stand_in:url "ok")
    host.setenv("MTR_PACKET", "/nonexistent")
    stand_in:reset()
  end)

  after_each(function()
    assert.same({}, stand_in:requests())
    host.clean_environment()
    host.setenv("MTR_PACKET", nil)
  end)

  local function assert_refusal(status, output, errors, label)
    assert.equal("", output, label)
    local line, rest = errors:match("^(cf%-traceroute: [^\n]+\n)(.*)$")
    assert.is_string(line, label .. ": " .. errors:sub(1, 200))
    assert.is_nil(line:sub(1, -2):find("%c"), label)
    assert.is_true(#line <= LINE_MAX, label)
    assert.is_true(rest == "" or rest == HINT, label .. ": " .. rest:sub(1, 200))
    assert.is_nil(errors:find("secret-token", 1, true), label)
    assert.equal(2, status, label .. ": " .. line)
  end

  local function run(...)
    local output, errors = "", ""
    local status = cli.main({ ... }, {
      out = function(s) output = output .. s return true end,
      err = function(s) errors = errors .. s end,
      read = function(name) return nil, name .. ": No such file or directory", 2 end,
      write = function(name) error("written: " .. name) end,
      read_input = function() return "" end,
      is_same = function(a, b) return a == b end,
      is_terminal = function() return false end,
      columns = function() return nil end,
      getenv = function() return nil end,
      now = function() return "now" end,
      pause = function() return false end,
      traceroute = {
        plan = traceroute.plan, survey = traceroute.survey, wait = traceroute.wait,
        start = function(account, targets, opts)
          opts.ca_file = opts.ca_file or stand_in.ca_file
          return traceroute.start(account, targets, opts)
        end,
      },
    })
    return status, output, errors
  end

  local function refuses(...)
    local label = table.concat({ ... }, " "):sub(1, 200):gsub("%c", "?")
    local status, output, errors = run(...)
    assert_refusal(status, output, errors, label)
  end

  it("would be seen if it were not refused", function()
    local status, _, errors = run("a.example", "--from=den01", "--columns=ttl,host", "--timeout=20")
    assert.same({ 0, "" }, { status, errors })
    assert.equal(1, #stand_in:requests())
    stand_in:reset()
  end)

  for _, group in ipairs(arguments.GROUPS) do
    for _, option in ipairs(group) do
      local name = option[1]:match("%-%-[%w-]+")
      if option.choices then
        it("refuses what is none of the choices: " .. name, function()
          for _, list in ipairs { NUMBERS, TEXTS } do
            for _, word in ipairs(list) do
              refuses("a.example", name .. "=" .. word)
            end
          end
          refuses("a.example", name)
        end)
      elseif option.convert and not ({ ["--from"] = true, ["--columns"] = true, ["--save"] = true })[name] then
        it("refuses what is no number, or too much: " .. name, function()
          for _, word in ipairs(NUMBERS) do
            -- a table may be as wide as anybody likes
            if name ~= "--width" or not word:find("^%d+$") then
              refuses("a.example", name .. "=" .. word)
              refuses("a.example", name, word)
            end
          end
          refuses("a.example", name)
        end)
      end
    end
  end

  it("refuses what is no account, colo, URL or file", function()
    for _, name in ipairs { "--account", "--from", "--base-url", "--ca-file", "--proxy", "--targets", "--diff" } do
      for _, word in ipairs(TEXTS) do
        -- colos are divided by white space, too
        if name ~= "--from" or word ~= "a\nb" then
          refuses("a.example", name .. "=" .. word)
          refuses("a.example", "--dry-run", name .. "=" .. word)
        end
      end
    end
    for _, word in ipairs(TEXTS) do
      refuses("--read=" .. word)
    end
  end)

  it("refuses what is no file to write to", function()
    for _, word in ipairs { "", "-" } do
      refuses("a.example", "--save=" .. word)
    end
  end)

  it("refuses columns that there are not before anything is sent", function()
    for _, word in ipairs { "", ",", "\n", "hots", "ttl,hots", "ttl\nhots", "TTL", "\255", HUGE } do
      refuses("a.example", "--columns=" .. word)
      refuses("a.example", "--here", "--columns=" .. word)
    end
  end)

  it("refuses conditions that there are not", function()
    for _, word in ipairs(CONDITIONS) do
      refuses("a.example", "--fail-if=" .. word)
      refuses("a.example", "--fail-if=loss>5", "--fail-if", word)
    end
  end)

  it("refuses options that there are not, and targets that are none, wherever they stand", function()
    for _, word in ipairs(WORDS) do
      refuses("a.example", word)
      refuses("a.example", "--here", word)
      refuses("a.example", "--from=den01", word)
      if not word:find("^%-") then
        refuses("--", word)
        refuses(word)
      end
    end
    refuses("--", "--here")
    refuses("a.example", "--", "-x")
    local many = {}
    for i = 1, 5000 do
      many[i] = "a" .. i .. "\n"
    end
    refuses((table.unpack or unpack)(many)) -- luacheck: ignore
  end)

  it("suggests what was meant in the same line", function()
    local _, _, errors = run("a.example", "--frm=x")
    assert.equal("cf-traceroute: unknown option '--frm'; did you mean '--from'?\n" .. HINT, errors)
  end)

  it("does so as a program", function()
    local directory = host.private_directory("hostile")
    local said = directory .. "/errors"
    local program = host.quote(host.checked_interpreter()) .. " " .. host.root() .. "/lua/traceroute/cli/main.lua "
    for _, words in ipairs {
      { "a.example\n" }, { "a.example", "--max-ttl=5\n" }, { "a.example", "--timeout=nan" },
      { "a.example", "--wait=-1" }, { "a.example", "--port", "-1" }, { "a.example", "--packets=99999999999999999999" },
      { "a.example", "--nonsense" }, { HUGE }, { "a.example", "--account=" .. HUGE }, { "a.example", "--" .. HUGE },
      { "a.example", "--here", "--type=\n" }, { "a.example", "--account=a\nX-Evil: 1" },
    } do
      local quoted = {}
      for i, word in ipairs(words) do
        quoted[i] = host.quote(word)
      end
      local output, status = host.run(program .. table.concat(quoted, " ") .. " 2>" .. host.quote(said))
      assert_refusal(status, output, host.read(said), table.concat(words, " "):sub(1, 100))
    end
    host.remove(directory)
  end)
end)
