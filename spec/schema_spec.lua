-- The list of fields at work in both directions. What is sent: each option's type, bounds and name. What
-- comes back: each field of the response in each wrong type, in each mode, at its path. The cases of the
-- response are made from the list itself, those of the options are written out: the list is what they check.

local cjson = require "cjson"
local core = require "traceroute.core"
local json = require "spec.support.json"
local server = require "spec.support.server"
local traces = require "spec.support.traces"
local traceroute = require "traceroute"

local SCHEMA = core.schema()

describe("the schema", function()
  local stand_in

  setup(function()
    stand_in = server.get()
  end)

  before_each(function()
    stand_in:reset()
  end)

  local function options(more)
    return stand_in:options(nil, { token = "schema-spec-token", retries = 0, quota = 0, colos = { "den01" } }, more)
  end

  describe("of the options", function()
    -- name = { kind, least, most, unit }
    local OPTIONS = {
      colos = { "array" }, packet_type = { "choice" }, validate = { "choice" }, insecure = { "boolean" },
      on_progress = { "function" },
      max_ttl = { "integer", 0, 64, " hops" }, packets_per_ttl = { "integer", 0, 10, " packets" },
      port = { "integer", 0, 65535, "" }, wait_time = { "integer", 1, 5, " s" }, retries = { "integer", 0, 100, "" },
      max_response_bytes = { "integer", 1, 2147483647, " bytes" }, concurrency = { "integer", 1, 64, " requests" },
      quota = { "integer", 0, 1000000, " requests per 5 min" },
      timeout = { "number", 0.001, 86400, " s" }, try_timeout = { "number", 0.001, 86400, " s" },
      connect_timeout = { "number", 0.001, 3600, " s" },
      token = { "string", 1, 4096 }, email = { "string", 1, 320 }, key = { "string", 1, 4096 },
      base_url = { "string", 1, 2048 }, proxy = { "string", 0, 2048 }, ca_file = { "string", 1, 4096 },
      user_agent = { "string", 1, 256 }, shared_dict = { "string", 1, 128 },
    }

    local function refused(name, value)
      local opts = options()
      opts[name] = value
      local result, err = traceroute.create(stand_in.account, "1.1.1.1", opts)
      assert.is_nil(result)
      assert.equal("invalid_request", err.kind)
      assert.same({}, stand_in:requests())
      return err
    end

    local function taken(name, value)
      local job, err = traceroute.start(stand_in.account, "1.1.1.1", options { [name] = value })
      assert.is_nil(err and tostring(err))
      job:cancel()
    end

    it("are these and no others", function()
      local listed = {}
      for _, field in ipairs(SCHEMA.options) do
        listed[field.name] = true
        assert.is_table(OPTIONS[field.name], field.name)
      end
      for name in pairs(OPTIONS) do
        assert.is_true(listed[name], name)
      end
    end)

    local VALUES = {
      string = "15", number = 7, boolean = true, object = { a = 1 }, array = { "a" }, ["function"] = print,
      thread = coroutine.create(function() end), null = cjson.null, userdata = io.stdout,
    }
    local EXPECTED = {
      array = "array of strings", boolean = "boolean", ["function"] = "function", string = "string",
      packet_type = "icmp, tcp, udp, gre, gre+icmp", validate = "strict, lenient or false",
    }
    for name, option in pairs(OPTIONS) do
      local kind = option[1]
      it(name .. " takes no value of another type", function()
        for got, value in pairs(VALUES) do
          if got ~= kind and not (kind == "array" and got == "object") -- a case of its own
            and not (got == "number" and (kind == "integer" or kind == "number"))
            and not (kind == "choice" and got == "string") then
            local err = refused(name, value)
            local wanted = option[4] and ("%s from %.14g to %.14g"):format(kind, option[2], option[3])
              or EXPECTED[kind] or EXPECTED[name]
            assert.same({ name, wanted .. " expected, got " .. got }, { err.path, err.message })
          end
        end
      end)

      if option[4] then
        it(name .. " has two ends", function()
          local step = kind == "integer" and 1 or 0.0005
          taken(name, option[2])
          taken(name, option[3])
          for _, value in ipairs { option[2] - step, option[3] + step, -1e300, 1e300, math.huge, -math.huge } do
            local err = refused(name, value)
            assert.same({ name, ("%s from %.14g to %.14g%s expected, got %.14g"):format(
              kind, option[2], option[3], option[4], value) }, { err.path, err.message })
          end
          assert.equal(name, refused(name, 0 / 0).path)
          if kind == "integer" then
            assert.equal(name, refused(name, option[2] + 0.5).path)
          end
        end)
      elseif kind == "string" then
        it(name .. " has a length, and no control characters", function()
          if name ~= "base_url" and name ~= "proxy" then -- which are more than their length
            taken(name, ("a"):rep(option[2]))
            taken(name, ("a"):rep(option[3]))
          end
          local LENGTH = "string of %d to %d bytes expected, got %d"
          for _, length in ipairs { option[2] - 1, option[3] + 1, 100000 } do
            if length >= 0 then
              local err = refused(name, ("a"):rep(length))
              assert.same({ name, LENGTH:format(option[2], option[3], length) }, { err.path, err.message })
            end
          end
          for value, why in pairs {
            ["s3cret\n"] = "at byte 7; strip the line end", ["s3cret\r\n"] = "at byte 7", ["s3\0cret"] = "at byte 3",
            ["\127s3cret"] = "at byte 1", ["s3cret\r"] = "at byte 7; strip the line end", ["a\nX: 1"] = "at byte 2",
          } do
            local err = refused(name, value)
            assert.same({ name, "a control character " .. why }, { err.path, err.message })
          end
        end)
      end
    end

    it("that are a choice take each of their values, and suggest the nearest", function()
      for _, value in ipairs { "icmp", "tcp", "udp", "gre", "gre+icmp" } do
        taken("packet_type", value)
      end
      taken("validate", "strict")
      taken("validate", "lenient")
      taken("validate", false)
      for value, why in pairs {
        ICMP = 'got "ICMP"', quic = 'got "quic"', imcp = 'got "imcp"; did you mean "icmp"?',
        ["gre+icpm"] = 'got "gre+icpm"; did you mean "gre+icmp"?', ["tcp\0"] = 'got "tcp?"; did you mean "tcp"?',
      } do
        local err = refused("packet_type", value)
        assert.same({ "packet_type", "icmp, tcp, udp, gre, gre+icmp expected, " .. why }, { err.path, err.message })
      end
      assert.equal('strict, lenient or false expected, got "strickt"; did you mean "strict"?',
        refused("validate", "strickt").message)
    end)

    it("that are arrays of strings say which element is wrong", function()
      assert.same({ "colos[2]", "string expected, got number" },
        { refused("colos", { "a", 7 }).path, refused("colos", { "a", 7 }).message })
      assert.equal("colos[1]", refused("colos", { cjson.null }).path)
      for _, colos in ipairs { { "a", [9] = "b" }, { "a", x = "b" }, { x = "b" }, { "a", nil, "c" } } do
        local err = refused("colos", colos)
        assert.same({ "colos", "array of at most 1000 strings expected, got a table with other keys or gaps" },
          { err.path, err.message })
      end
      local many = {}
      for i = 1, 1001 do
        many[i] = "c"
      end
      assert.equal("array of at most 1000 strings expected", refused("colos", many).message)
    end)

    it("that are unknown are refused with the nearest name", function()
      for name, nearest in pairs {
        max_tll = "max_ttl", maxttl = "max_ttl", colo = "colos", tokne = "token", Timeout = "timeout",
        retrys = "retries", packet_per_ttl = "packets_per_ttl", ["wait-time"] = "wait_time",
        pakcet_type = "packet_type",
        ["token\0"] = "token", baseurl = "base_url", onprogress = "on_progress",
      } do
        local err = refused(name, 1)
        assert.same({ (name:gsub("%z", "")), "unknown option; did you mean " .. nearest .. "?" },
          { err.path, err.message })
      end
      for _, name in ipairs { "frequency", "x", "", ("a"):rep(10000) } do
        assert.equal("unknown option", refused(name, 1).message)
      end
      assert.equal("a?[31m?", refused("a\27[31m\255", 1).path)
      for _, name in ipairs { "", " ", "\0max_ttl", "<b>" } do -- nothing to show
        assert.equal("opts", refused(name, 1).path)
      end
    end)

    it("have names, and are a table", function()
      for kind, key in pairs { number = 1, boolean = true, table = {}, ["function"] = print } do
        local err = refused(key, "token")
        assert.same({ "opts", "names expected, got a key of type " .. kind }, { err.path, err.message })
      end
      for got, opts in pairs { string = "x", number = 5, boolean = false, ["function"] = print, null = cjson.null } do
        local result, err = traceroute.create(stand_in.account, "1.1.1.1", opts)
        assert.is_nil(result)
        assert.same({ "opts", "table expected, got " .. got }, { err.path, err.message })
      end
    end)
  end)

  describe("of the response", function()
    -- type = the kinds of the stand-in that are wrong for it, each with what the message says was got
    local SCALARS = {
      string = "string", number = "number", fraction = "number", boolean = "boolean", negative = "number",
      huge = "number",
    }
    local TABLES = { object = "object", array = "array", empty = "object" } -- Lua cannot tell [] from {}
    local function but(sets, ...)
      local rest = {}
      for _, set in ipairs(sets) do
        for kind, got in pairs(set) do
          rest[kind] = got
        end
      end
      for _, kind in ipairs { ... } do
        rest[kind] = nil
      end
      return rest
    end
    local WRONG = {
      string = but({ SCALARS, TABLES }, "string"),
      integer = but({ SCALARS, TABLES }, "number", "negative"),
      number = but({ SCALARS, TABLES }, "number", "fraction", "negative", "huge"),
      boolean = but({ SCALARS, TABLES }, "boolean"),
      object = but({ SCALARS, TABLES }, "object", "empty"),
      array = but({ SCALARS, TABLES }, "empty", "array"), -- [1] is a case of its own
    }
    local ELEMENTS = { labels = "string" } -- what an array is of, where it is not of objects
    local VALUES = {
      string = "text", number = 7, fraction = 1.5, boolean = true, object = { a = 1 }, array = { 1 }, empty = {},
      negative = -1, huge = 1e300,
    }

    -- Every field below `object`, as { path in Lua's way, path in the stand-in's, field }.
    local function walk(object, path, list)
      for _, field in ipairs(SCHEMA[object]) do
        local here = path == "" and field.name or path .. "." .. field.name
        list[#list + 1] = { path = here, field = field, steps = (here:gsub("%[(%d+)%]", ".%1")) }
        if field.of then
          walk(field.of, field.type == "array" and here .. "[1]" or here, list)
        end
      end
      return list
    end
    local FIELDS = walk("response", "", {})

    local ASKED = { targets = { "1.1.1.1" }, colos = { "den01" } }
    local function answer(result)
      return { success = true, errors = json.array {}, messages = json.array {}, result = result }
    end

    local function message()
      return { code = 1, message = "m", documentation_url = "d", source = { pointer = "p" } }
    end

    -- The base URL that answers with this field of this kind: the stand-in's `wrong`, or a body of our own
    -- where its answer does not reach.
    local function url(case, kind)
      if not case.path:find("^errors%[") and not case.path:find("source%.") then
        return stand_in:url(("wrong/%s/%s"):format(case.steps, kind))
      end
      local envelope = answer(traces.result(ASKED))
      envelope.errors, envelope.messages = json.array { message() }, json.array { message() }
      local place, last = envelope, nil
      for step in case.steps:gmatch("[^.]+") do
        place, last = last and place[last] or place, tonumber(step) or step
      end
      local value = VALUES[kind]
      if kind == "array" or kind == "empty" then
        value = json.array { value[1] }
      elseif kind == "null" then
        value = json.null
      end
      place[last] = value
      return stand_in:raw("schema", json.encode(envelope))
    end

    local function call(case, kind, validate)
      return traceroute.create(stand_in.account, ASKED.targets,
        options { base_url = url(case, kind), validate = validate })
    end

    -- The value at the case's path of what create returned.
    local function at(case, result, info)
      local place = { result = result, messages = info[1].messages }
      for step in case.steps:gmatch("[^.]+") do
        place = place and place[tonumber(step) or step]
      end
      return place
    end

    -- Without these there is no answer at all: they fail in every mode, as other tests say.
    local VITAL = { success = true, result = true, ["result[1].target"] = true }

    it("has the fields that the contract names", function()
      assert.equal(48, #FIELDS)
      for _, field in ipairs(FIELDS) do
        assert.is_table(WRONG[field.field.type], field.path)
      end
    end)

    for _, case in ipairs(FIELDS) do
      local kind_of = case.field.type
      it(case.path .. " of a wrong type fails a strict call with its path", function()
        for kind, got in pairs(WRONG[kind_of]) do
          local _, err, info = call(case, kind, "strict")
          assert.equal("invalid_response", err.kind)
          assert.equal(case.path, err.path)
          if case.path ~= "success" then
            assert.equal(("%s expected, got %s"):format(kind_of, got), err.message)
          end
          assert.same({ "1.1.1.1" }, err.targets)
          assert.same({ case.path }, info.dropped)
        end
      end)

      if not VITAL[case.path] then
        it(case.path .. " of a wrong type is left out of a lenient call and noted", function()
          for kind in pairs(WRONG[kind_of]) do
            local result, err, info = call(case, kind, "lenient")
            assert.is_nil(err and tostring(err))
            assert.equal("1.1.1.1", result[1].target)
            assert.is_nil(at(case, result, info))
            assert.same({ case.path }, info.dropped)
          end
        end)

        it(case.path .. " of a wrong type is kept when nothing is checked", function()
          for kind in pairs(WRONG[kind_of]) do
            local result, err, info = call(case, kind, false)
            assert.is_nil(err and tostring(err))
            assert.same({}, info.dropped)
            if not case.path:find("^errors") then -- of a call that went well they are not shown
              assert.same(VALUES[kind], at(case, result, info))
            end
          end
        end)

        it(case.path .. " may be null or absent", function()
          for _, kind in ipairs { "null", "absent" } do
            local result, err, info = call(case, kind, "strict")
            assert.is_nil(err and tostring(err))
            assert.is_nil(at(case, result, info))
            assert.same({}, info.dropped)
          end
        end)
      end

      if kind_of == "array" and case.path ~= "result" then
        it(case.path .. " with an element of a wrong type says which", function()
          local _, err, info = call(case, "array", "strict")
          local element = case.path .. "[1]"
          local wanted = (ELEMENTS[case.field.name] or "object") .. " expected, got number"
          assert.same({ "invalid_response", element, wanted }, { err.kind, err.path, err.message })
          assert.same({ element }, info.dropped)
          local result
          result, err, info = call(case, "array", "lenient")
          assert.is_nil(err and tostring(err))
          assert.same({ element }, info.dropped)
          if not case.path:find("^errors") then
            assert.same({}, at(case, result, info))
          end
          _, err, info = call(case, "array", false)
          assert.is_nil(err and tostring(err))
          assert.same({}, info.dropped)
        end)
      end
    end

    it("without a boolean success is none, in any mode", function()
      local case = { path = "success", steps = "success" }
      for _, mode in ipairs { "strict", "lenient", "none" } do
        for _, kind in ipairs { "string", "number", "array", "null", "absent" } do
          local _, err = call(case, kind, mode ~= "none" and mode)
          assert.same({ "invalid_response", "success" }, { err.kind, err.path })
        end
      end
    end)

    it("without a result says so, in any mode", function()
      local case = { path = "result", steps = "result" }
      for _, mode in ipairs { "lenient", "none" } do
        for _, kind in ipairs { "string", "object", "null", "absent", "empty", "array" } do
          local _, err = call(case, kind, mode ~= "none" and mode)
          assert.same({ "invalid_response", "result" }, { err.kind, err.path })
        end
      end
      local _, err = call(case, "array", "strict")
      assert.same({ "result[1]", "object expected, got number" }, { err.path, err.message })
    end)

    it("leaves out a colo that is an array, too", function()
      local result = traces.result(ASKED)
      result[1].colos[2] = json.array { 1, 2 }
      local function ask(mode)
        return traceroute.create(stand_in.account, "1.1.1.1",
          options { base_url = stand_in:raw("colo", json.encode(answer(result))), validate = mode })
      end
      local got, err = ask "strict"
      assert.same({ "result[1].colos[2]", "object expected, got array" }, { err.path, err.message })
      assert.equal(1, #got[1].colos)
      local info
      got, err, info = ask "lenient"
      assert.is_nil(err and tostring(err))
      assert.equal(1, #got[1].colos)
      assert.same({ "result[1].colos[2]" }, info.dropped)
      got, err = ask(false)
      assert.is_nil(err and tostring(err))
      assert.same({ 1, 2 }, got[1].colos[2])
    end)

    it("gives a lonely result its target's name when the service spoils it", function()
      local result, err, info = call({ path = "result[1].target", steps = "result.1.target" }, "number", "lenient")
      assert.is_nil(err)
      assert.equal("1.1.1.1", result[1].target)
      assert.same({ "result[1].target" }, info.dropped)
    end)

    it("takes whole numbers of any spelling as integers, and no others", function()
      local text = json.encode(answer(traces.result(ASKED)))
      local function with(number)
        local body = text:gsub('"traceroute_time_ms":%d+', '"traceroute_time_ms":' .. number)
        return traceroute.create(stand_in.account, ASKED.targets, options { base_url = stand_in:raw("number", body) })
      end
      for written, value in pairs {
        ["0"] = 0, ["-0"] = 0, ["3.0"] = 3, ["12e1"] = 120, ["1.5e1"] = 15, ["-7"] = -7,
        ["9007199254740991"] = 9007199254740991,
      } do
        local result, err = with(written)
        assert.is_nil(err and tostring(err))
        local got = result[1].colos[1].traceroute_time_ms
        assert.equal(value, got)
        assert.equal(math.type and "integer", math.type and math.type(got)) -- luacheck: ignore
      end
      for _, written in ipairs { "0.5", "1e16", "9007199254740994", "-1e300" } do
        local _, err = with(written)
        assert.same({ "result[1].colos[1].traceroute_time_ms", "integer expected, got number" },
          { err.path, err.message })
      end
    end)

    it("gives integers wherever the list says so", function()
      local result, _, info = traceroute.create(stand_in.account, ASKED.targets,
        options { base_url = stand_in:url("messages") })
      local seen = 0
      for _, case in ipairs(FIELDS) do
        local value = case.field.type == "integer" and at(case, result, info)
        if value then
          seen = seen + 1
          assert.equal(math.type and "integer", math.type and math.type(value), case.path) -- luacheck: ignore
        end
      end
      assert.equal(7, seen)
    end)

    it("notes a bounded number of paths, of all requests and in order of arrival", function()
      local labels = json.array {}
      for i = 1, 1500 do
        labels[i] = i
      end
      local result = traces.result(ASKED)
      result[1].colos[1].hops[1].nodes[1].labels = labels
      local body = json.encode(answer(result))
      local got, err, info = traceroute.create(stand_in.account, ASKED.targets,
        options { base_url = stand_in:raw("labels", body), validate = "lenient" })
      assert.is_nil(err)
      assert.same({}, got[1].colos[1].hops[1].nodes[1].labels)
      assert.equal(1000, #info.dropped)
      assert.equal("result[1].colos[1].hops[1].nodes[1].labels[1000]", info.dropped[1000])
    end)
  end)
end)
