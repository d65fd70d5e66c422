-- Credentials: they go where they must and nowhere else, show in nothing that anyone reads, and do not stay in
-- memory. Which URLs may be given them is url_spec.lua's, proxies and redirects are exchange_spec.lua's, and what an
-- error says is error_spec.lua's.

local cjson = require "cjson"
local garbage = require "spec.support.garbage"
local host = require "spec.support.host"
local json = require "spec.support.json"
local server = require "spec.support.server"
local traceroute = require "traceroute"
local traces = require "spec.support.traces"
local worker = require "spec.support.worker"

local SECRET = "S3cr3t-of-the-secrets-spec"

-- What of the calls below ends well where it is read leniently, or repeats the credential in what is right.
local FINE = {
  ["garbage target_number"] = true, echo_headers = true, other_target = true,
  ["wrong/result.1.colos.1.hops/number"] = true, ray = true,
}

describe("a credential", function()
  local stand_in, directory

  setup(function()
    stand_in = server.get()
    directory = host.private_directory("secrets")
  end)

  before_each(function()
    host.clean_environment()
    stand_in:reset()
  end)

  teardown(function()
    host.remove(directory)
    host.clean_environment()
  end)

  -- Answers that fail in all ways, each repeating the credential where it can.
  local function urls()
    local list = {}
    local function add(name, url)
      list[#list + 1] = { name, url }
    end
    for _, status in ipairs { 400, 401, 403, 404, 405, 408, 409, 413, 415, 418, 422, 500, 502, 503, 504, 520, 530 } do
      add("status " .. status, stand_in:url("status/" .. status))
      add("page " .. status, stand_in:raw("page" .. status, "<p>" .. SECRET .. "</p>", "text/html", status))
      add("envelope " .. status, stand_in:raw("envelope" .. status, json.encode {
        success = false, errors = json.array { {
          code = 1, message = "x " .. SECRET, documentation_url = SECRET, source = { pointer = SECRET },
          [SECRET] = 1, more = json.array { SECRET },
        } }, messages = json.array { { code = 2, message = SECRET, [SECRET .. "x"] = SECRET } }, result = json.null,
      }, nil, status))
    end
    for _, case in ipairs(garbage) do
      add("garbage " .. case.name, stand_in:url("garbage/" .. case.name))
      local body = case.body:sub(1, 2000)
      add("garbage beside it", stand_in:raw("beside" .. #list, '"' .. SECRET .. '"' .. body, nil, 200))
    end
    for _, behaviour in ipairs {
      "api_error", "api_errors", "empty/200", "empty/503", "no_content", "redirect/302", "redirect/307/http", "close",
      "reset", "cut/10", "cut_chunked/2000", "bad_gzip", "plain_gzip", "hang", "hang_after/700",
      "echo_headers", "missing_target/a.example", "other_target", "wrong/result/string", "wrong/success/string",
      "wrong/result.1.colos.1.hops/number", "wrong/result.1.target/object", "html/502",
    } do
      add(behaviour, stand_in:url(behaviour))
    end
    add("ray", stand_in:url("ray/" .. SECRET))
    add("plain text", stand_in:raw("text", SECRET, "text/plain", 200))
    for name, bytes in pairs {
      ["another protocol"] = "SSH-2.0-" .. SECRET .. "\r\n",
      ["a length that is none"] = "HTTP/1.1 200 " .. SECRET .. "\r\nContent-Length: " .. SECRET .. "\r\n\r\n{}",
      ["a chunk that is none"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. SECRET .. "\r\n",
    } do
      local key = stand_in:key()
      stand_in:raw(key, bytes)
      add(name, stand_in:url("bytes/" .. key, "http11"))
    end
    for _, listener in ipairs { "expired", "wrong_name", "self_signed", "old_tls" } do
      add(listener, stand_in:url("ok", listener))
    end
    add("nobody", "https://127.0.0.1:" .. server.free_port())
    add("plain http", "https://localhost:" .. stand_in.ports.http)
    add("elsewhere", "http://192.0.2.1/" .. SECRET)
    add("in the URL", "https://" .. SECRET .. "@localhost/")
    add("in the query", "https://localhost/?token=" .. SECRET)
    return list
  end

  it("shows in nothing of two hundred calls that fail, nor in what they print", function()
    local calls, many_unknown = {}, {}
    for i = 1, 1000 do
      many_unknown[SECRET .. i] = i
    end
    for _, as in ipairs { "token", "key" } do
      for i, case in ipairs(urls()) do
        calls[#calls + 1] = {
          name = case[1], as = as, account = stand_in.account, targets = { "a.example" }, go_on = i % 3 ~= 0,
          opts = {
            base_url = case[2], ca_file = stand_in.ca_file, retries = 0, quota = 0, timeout = 0.5,
            validate = i % 2 == 0 and "lenient" or nil,
          },
        }
      end
      for name, more in pairs {
        newline = { after = "\n" }, header = { after = "\r\nX-Evil: 1" }, long = { after = ("x"):rep(5000) },
        account = { account = "a/" .. SECRET }, target = { targets = { SECRET .. " " .. SECRET } },
        proxy = { opts = { proxy = "gopher://" .. SECRET } }, unknown = { opts = { [SECRET] = 1 } },
        ["many unknown"] = { opts = many_unknown },
        colo = { opts = { colos = { SECRET .. "/" } } }, ["no proxy"] = { opts = {
          base_url = stand_in:url(),
          proxy = "http://" .. SECRET .. ":" .. SECRET .. "@127.0.0.1:" .. server.free_port(),
        } },
      } do
        local call = { name = name, as = as, account = stand_in.account, targets = { "a.example" }, opts = {} }
        for field, value in pairs(more) do
          call[field] = value
        end
        calls[#calls + 1] = call
      end
    end
    host.write(directory .. "/calls.json", cjson.encode(calls))
    host.write(directory .. "/secret", SECRET)
    local printed, status = host.run(("cd %s && CURL_VERBOSE=1 CURL_TRACE=all SSLKEYLOGFILE=%s CURL_DEBUG=1 "
      .. "%s spec/support/failing_calls.lua %s %s 2>&1"):format(host.quote(host.root()),
      host.quote(directory .. "/keys"), host.quote(host.interpreter()), host.quote(directory .. "/calls.json"),
      host.quote(directory .. "/secret")))
    assert.equal(0, status, printed)
    assert.is_nil(printed:find(SECRET, 1, true))
    assert.is_nil(printed:match("seen in [^\n]*"))
    local failing, fine = printed:match("(%d+) of " .. #calls .. " calls failed, these did not: ([^\n]*)\n$")
    assert.is_true(tonumber(failing) >= 200, printed)
    for name in fine:gmatch("[^,]+") do
      assert.is_true(FINE[name:match("^ ?(.*)$")] or false, name)
    end
    assert.is_nil(stand_in:error_log():find(SECRET, 1, true))
    -- Where it did go out, it stood in its own header alone.
    local sent = 0
    for _, request in ipairs(stand_in:requests()) do
      local headers = request.headers
      sent = sent + 1
      assert.is_true(headers.authorization == "Bearer " .. SECRET or headers["x-auth-key"] == SECRET)
      headers.authorization, headers["x-auth-key"] = nil, nil
      assert.is_nil(cjson.encode { headers, request.uri:gsub("^/ray/[^/]+", ""), request.body }:find(SECRET, 1, true))
    end
    assert.is_true(sent > 100)
  end)

  -- nginx runs LuaJIT, whose core is at hand when that is what is tested.
  local in_nginx = rawget(_G, "jit") and it or function() end

  in_nginx("shows neither in nginx's log nor in what a call there answers", function()
    local nginx = worker.start {
      locations = [[location = /call { content_by_lua_block { require("spec.support.caller").answer() } }]],
    }
    for _, behaviour in ipairs {
      "status/401", "html/502", "garbage/text", "echo_headers", "close", "wrong/result/string",
    } do
      local body = nginx:get(worker.path("/call",
        { base = stand_in:url(behaviour), ca = stand_in.ca_file, retries = 0 }))
      assert.is_string(cjson.decode(body).phase)
      assert.is_nil(body:find("secret", 1, true))
    end
    assert.equal("Bearer secret", stand_in:requests()[1].headers.authorization)
    local log = nginx:error_log()
    nginx:stop()
    assert.is_string(log)
    assert.is_nil(log:find("secret", 1, true))
  end)

  it("from the environment shows in no error about another argument", function()
    local secret = "environment-0123456789"
    for _, name in ipairs { "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY" } do
      host.setenv(name, secret)
      finally(function()
        host.setenv(name, nil)
      end)
      for _, case in ipairs {
        { secret .. "!!" }, { secret .. "/x" }, { "192.0.2.1", { [secret] = 1 } },
        { "192.0.2.1", { packet_type = secret } },
      } do
        local plan, err = traceroute.plan("account", case[1], case[2])
        assert.is_nil(plan)
        assert.equal("invalid_request", err.kind)
        assert.is_nil((tostring(err) .. err.message .. err.path):find(secret, 1, true), tostring(err))
      end
      host.setenv(name, nil)
    end
  end)

  describe("that the service repeats in a result", function()
    local function envelope()
      return traces.result { targets = { "a.example", "b.example" }, colos = { "den01", "sin02" } }
    end

    -- The JSON text of an answer that has `word` in the place of the mark, which `put` placed.
    local function answer(put, word)
      local all = { success = true, errors = json.array {}, messages = json.array {}, result = envelope() }
      put(all)
      return (json.encode(all):gsub("MARK", function() return word end))
    end

    local function ask(body, more)
      return traceroute.create(stand_in.account, { "a.example", "b.example" },
        stand_in:options(stand_in:raw("repeat", body), { token = SECRET, retries = 0, quota = 0 }, more))
    end

    local function escaped(format)
      return (SECRET:gsub(".", function(c) return format:format(c:byte()) end))
    end

    local FORMS = {
      plain = SECRET, ["with small letters"] = escaped "\\u%04x", ["with capital letters"] = escaped "\\u%04X",
      ["one of its letters"] = SECRET:gsub("r", "\\u0072", 1), twice = SECRET .. " " .. SECRET,
      inside = "x" .. SECRET .. "y",
    }
    local PLACES = {
      ["a colo's name"] = function(all) all.result[1].colos[1].colo.name = "MARK" end,
      ["a node's name"] = function(all) all.result[1].colos[1].hops[1].nodes[1].name = "MARK" end,
      ["a label"] = function(all) all.result[1].colos[1].hops[1].nodes[1].labels = json.array { "a", "MARK" } end,
      ["a colo's error"] = function(all) all.result[2].colos[2].error = "MARK" end,
      ["the summary"] = function(all) all.result[2].colos[2].target_summary.ip = "MARK" end,
      ["a new member"] = function(all) all.result[1].colos[1].more = { deep = json.array { "x", { a = "MARK" } } } end,
      ["the name of a new member"] = function(all) all.result[1].colos[1].MARK = 1 end,
      ["the name of a member of the target"] = function(all) all.result[1].MARK = { a = 1 } end,
      ["a target"] = function(all) all.result[2].target = "MARK" end,
      ["beside the result"] = function(all) all.result_info = { a = "MARK", MARK = "MARK" } end,
      ["a message"] = function(all) all.messages = json.array { { code = 1, message = "MARK" } } end,
      ["a fault"] = function(all) all.result[1].colos[1].hops = "MARK" end,
    }
    for place, put in pairs(PLACES) do
      it("is blotted out: " .. place, function()
        for form, word in pairs(FORMS) do
          for _, mode in ipairs { "strict", "lenient", "none" } do
            local body = answer(put, word)
            assert.is_nil(body:find("MARK", 1, true))
            local result, err, info = ask(body, { validate = mode ~= "none" and mode })
            assert.is_table(result)
            local all = cjson.encode { result, err or false, tostring(err), info, tostring(result) }
            assert.is_nil(all:find(SECRET, 1, true), form)
          end
        end
      end)
    end

    it("and info.dropped says where", function()
      local deep = "result[1].colos[1].hops[1].nodes[1]"
      local where = {
        ["a node's name"] = deep .. ".name", ["a label"] = deep .. ".labels[2]",
        ["a new member"] = "result[1].colos[1].more.deep[2].a", ["the name of a new member"] = "result[1].colos[1].***",
        ["the name of a member of the target"] = "result[1].***", ["a message"] = "messages[1].message",
      }
      for place, path in pairs(where) do
        for _, mode in ipairs { "strict", "lenient", false } do
          for _, word in ipairs { FORMS.plain, FORMS["one of its letters"] } do
            local _, _, info = ask(answer(PLACES[place], word), { validate = mode })
            assert.same({ path }, info.dropped, place)
          end
        end
      end
      -- names that are harmless one by one, and spell it out where they are joined
      local token, body = "abcdefgh.ijklmnop", answer(function(all)
        all.result[1].colos[1].abcdefgh = { ijklmnop = "MARK" }
      end, "abcdefgh.ijklmnop")
      for _, mode in ipairs { "strict", "lenient", false } do
        local _, _, info = ask(body, { token = token, validate = mode })
        assert.same({ "result[1].colos[1]." .. ("*"):rep(#token) }, info.dropped)
      end
      local _, err, info = ask(answer(PLACES["a node's name"], "here"))
      assert.is_nil(err)
      assert.same({}, info.dropped)
    end)

    it("and nothing else is touched", function()
      local function plain(put, word, token)
        local result, err = ask(answer(put, word), { token = token })
        assert.is_nil(err and tostring(err))
        return cjson.decode(cjson.encode(result))
      end
      local function name_of(all)
        all.result[1].colos[1].hops[1].nodes[1].name = "MARK"
      end
      local same = plain(name_of, "here", SECRET)
      local blotted = plain(name_of, "x" .. SECRET .. "y", SECRET)
      assert.equal("x" .. ("*"):rep(#SECRET) .. "y", blotted[1].colos[1].hops[1].nodes[1].name)
      blotted[1].colos[1].hops[1].nodes[1].name = "here"
      assert.same(same, blotted)
      -- a backslash has it looked for, and a credential that is a word of the contract takes no member away
      local quoted = plain(name_of, 'a \\"quote\\" and \\\\', SECRET)
      assert.equal('a "quote" and \\', quoted[1].colos[1].hops[1].nodes[1].name)
      assert.same(same, plain(name_of, "here", "nodes"))
    end)
  end)

  it("is not sent to another server over a connection that was kept", function()
    local other = server.start()
    for round = 1, 3 do
      for name, one in pairs { one = stand_in, other = other } do
        local _, err = traceroute.create(one.account, "a.example",
          { base_url = one:url(), ca_file = one.ca_file, token = "token-of-" .. name .. round, retries = 0, quota = 0 })
        assert.is_nil(err and tostring(err))
      end
    end
    for name, one in pairs { one = stand_in, other = other } do
      for round, request in ipairs(one:requests()) do
        assert.equal("Bearer token-of-" .. name .. round, request.headers.authorization)
      end
      assert.equal(3, #one:requests())
    end
    other:stop()
  end)

  describe("is in no memory of the process that forgot it #heavy", function()
    -- What it is made of, and the part of it that is looked for: libc itself writes over what a freed block begins
    -- with. As long as the service's own are, and so long that no buffer has it as a whole by chance.
    local LENGTHS = {
      { stem = "Cr3d1-", count = 4, from = 17, to = 40 }, { stem = "Cr3dent1al-", count = 60, from = 301, to = 341 },
    }

    local function secret(length)
      local parts = {}
      for i = 1, length.count do
        parts[i] = ("%s%04d"):format(length.stem, i)
      end
      return table.concat(parts)
    end

    -- What stands before a copy in a header's line, as the others are nghttp2's: its table of headers, kept with the
    -- connection, and its frames; and in a page, as the others are Lua's own string.
    local LINE, PAGE = { ": $", ": Bearer $" }, { "<p>$" }

    -- How many copies of the credential the process has where it can write; if `after` is given, of those behind one
    -- of these patterns.
    local function copies(pid, length, after)
      local needle, found = secret(length):sub(length.from, length.to), 0
      local memory = io.open("/proc/" .. pid .. "/mem", "rb")
      if not memory then
        return nil
      end
      for line in host.read("/proc/" .. pid .. "/maps"):gmatch("[^\n]+") do
        local first, last, rest = line:match("^(%x+)%-(%x+) rw(.*)$")
        if first and not rest:find("[v", 1, true) then
          memory:seek("set", tonumber(first, 16))
          local bytes = memory:read(tonumber(last, 16) - tonumber(first, 16)) or ""
          local at = bytes:find(needle, 1, true)
          while at do
            local before = bytes:sub(math.max(at - length.from - 8, 1), at - length.from)
            for _, pattern in ipairs(after or { "" }) do
              found = found + (before:find(pattern) and 1 or 0)
            end
            at = bytes:find(needle, at + 1, true)
          end
        end
      end
      memory:close()
      return found
    end

    local function look(how, as, base_url, length, after, try)
      local fifo = directory .. "/go-on"
      host.run("rm -f " .. fifo .. "; mkfifo " .. fifo)
      local script = "cd %s && echo $$ && exec %s spec/support/secretive_calls.lua %s %s %s %s %s %d %d < %s"
      -- libc keeps what was freed: large blocks too, and the end of the heap
      script = "export MALLOC_MMAP_THRESHOLD_=30000000 MALLOC_TRIM_THRESHOLD_=1000000000 && " .. script
      local child = io.popen(script:format(host.quote(host.root()), host.quote(host.interpreter()), how, as, base_url,
        host.quote(stand_in.ca_file), length.stem, length.count, try, fifo), "r")
      local go_on = io.open(fifo, "w")
      local pid, said = child:read("*l"), child:read("*l")
      -- what lives in the thread is freed there, soon after the job's end; what stays by chance stays all the time
      local found, until_then = copies(pid, length, after), host.now() + 10
      while found and found > 0 and host.now() < until_then do
        host.pause(20)
        found = copies(pid, length, after)
      end
      go_on:write("\n")
      go_on:close()
      child:close()
      assert.equal("ready", said)
      return found
    end

    for _, case in ipairs {
      { "none", "ok", "http11" }, { "plan", "ok", "http11" }, { "refuse", "ok", "http11" },
      { "create", "ok", "https" }, { "create", "ok", "http11" }, { "create", "ok", "http" },
      { "uncollected", "raw/page", "http", PAGE }, { "create", "status/401", "https" },
      { "create", "html/502", "http11" }, { "create", "slow/50", "https" },
      { "cancel", "hang", "https" }, { "cancel", "hang", "http11" }, { "collect", "hang", "https" },
      { "many", "hang", "http11" }, { "thread", "ok", "https" }, { "thread", "status/500", "http11" },
    } do
      for i, length in ipairs { LENGTHS[1], LENGTHS[2], LENGTHS[2] } do
        local as = i == 3 and "key" or "token"

        it(("%s, %s over %s, as a %s of %d bytes"):format(case[1], case[2], case[3], as, #secret(length)), function()
          if host.is_sanitized() then
            return pending("the sanitizer keeps freed blocks, Lua's strings among them")
          end
          -- What Lua or the TLS library freed may stay by chance, which each try has anew; what this module leaves is
          -- there each time. And what is let go of after a moment may not have been sent by then.
          local has_to_be_sent = case[1] ~= "none" and case[1] ~= "plan" and case[1] ~= "refuse"
          local found, request
          for try = 1, 5 do
            stand_in:reset()
            stand_in:raw("page", "<p>" .. secret(length), "text/html", 502)
            found = look(case[1], as, stand_in:url(case[2], case[3]), length,
              case[4] or case[3] == "https" and LINE or nil, try)
            request = stand_in:requests()[1]
            if not found or found == 0 and (request or not has_to_be_sent) then
              break
            end
          end
          if not found then
            return pending("the memory of a child cannot be read here")
          end
          assert.equal(0, found)
          if has_to_be_sent then
            local headers = request.headers
            assert.equal(secret(length), as == "key" and headers["x-auth-key"] or headers.authorization:sub(8))
          end
        end)
      end
    end
  end)
end)
