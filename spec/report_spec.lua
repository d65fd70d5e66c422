local cjson = require "cjson"
local generate = require "spec.bench.generate"
local hops = require "traceroute.hops"
local json = require "traceroute.json"
local report = require "traceroute.report"
local sample = require "spec.support.sample"
local text = require "traceroute.text"

local node = sample.node
local FORMATS = { "table", "markdown", "csv", "json", "jsonl", "prometheus", "dot" }

-- A way with everything that is hard to draw: load balancing, silence, loss, IPv6, UTF-8, a jump.
local function hard()
  local ip = "2001:db8:ffff:ffff:ffff:ffff:ffff:fffe"
  return sample.result("zürich.example", sample.path({ colo = "zrh01", city = "Zürich, CH", ip = ip, mean = 95.5 }, {
    { 10, 0, node("192.0.2.1", { name = "_gateway", mean = 0.25, count = 10, asn = "AS13335" }) },
    { 10, 10, sample.no_response() },
    { 10, 5, node("192.0.2.2", { mean = 5, count = 3, asn = "13335" }), node("192.0.2.3", { mean = 6, count = 2 }) },
    { 10, 0, node("198.51.100.9", { name = "東京-ルーター.example.jp", mean = 90, count = 10, asn = "AS174" }) },
    { 10, 0, node(ip, { name = "zürich.example", mean = 95.5, count = 10,
      labels = { "MPLS Label=16 TTL=1" } }) },
  }))
end

-- Everything that a name must not do to what reads the report.
local function hostile()
  local evil = "\27]0;owned\7\27[31m\nx|`<b>\"\\'=1,\194\155m\226\128\174\255"
  return sample.result(evil, sample.path({ colo = evil, city = evil, ip = "203.0.113.1", error = evil }, {
    { 3, 1, node("203.0.113.1", { name = evil, asn = evil, labels = { evil, evil } }),
      node(evil, { name = "=cmd()" }) },
  }))
end

local function lines_of(s)
  local out = {}
  for line in s:gmatch("([^\n]*)\n") do
    out[#out + 1] = line
  end
  return out
end

-- The lines of each table in a drawing: its head and what follows up to the notes or an empty line.
local function tables_in(drawn, rows)
  local out, left = {}, 0
  for _, line in ipairs(lines_of(drawn)) do
    if line:find("Host", 1, true) and line:find("Avg", 1, true) then
      out[#out + 1], left = { line }, rows
    elseif left > 0 then
      table.insert(out[#out], line)
      left = left - 1
    end
  end
  return out
end

local function run(command, input)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(input)
  file:close()
  local pipe = io.popen(command .. " <" .. name .. " 2>&1; echo status $?")
  local output = pipe:read("*a")
  pipe:close()
  os.remove(name)
  return output:match("status (%d+)%s*$"), output
end

local function installed(program)
  return run("command -v " .. program, "") == "0"
end

describe("report", function()
  it("knows its formats and no other", function()
    for _, format in ipairs(FORMATS) do
      assert.equal("function", type(report[format]), format)
    end
    assert.is_nil(report.xml)
  end)

  it("draws every format of results with little in them", function()
    local null = cjson.null
    local bare = { {}, { { target = "x", colos = {} } }, { { target = "x" } }, { { colos = { {} } } },
      { { target = null, colos = { { colo = null, error = null, hops = null, target_summary = null } } } },
      { { target = "x", colos = { { hops = { {}, { nodes = { {} } }, { nodes = { null } } } } } } } }
    for _, format in ipairs(FORMATS) do
      for _, result in ipairs(bare) do
        assert.equal("string", type(report[format](result)), format)
      end
    end
  end)

  it("draws floats that stand for whole numbers as these", function()
    local result = cjson.decode('[{"target":"x","colos":[{"hops":[{"packets_ttl":3.0,"packets_sent":10.0,' ..
      '"packets_lost":0.0,"nodes":[{"ip":"192.0.2.1","packet_count":10.0,"mean_rtt_ms":7.0}]}]}]}]')
    for _, format in ipairs(FORMATS) do
      assert.is_nil(report[format](result):find("%f[%d]10%.0%f[%D]"), format)
      assert.is_nil(report[format](result):find('%f[%d]3%.0%f[%D]'), format)
    end
  end)

  it("refuses unknown options and what is no result", function()
    for _, format in ipairs(FORMATS) do
      local drawn, err = report[format]({}, { colums = 1 })
      assert.is_nil(drawn)
      assert.equal("opts.colums", err.path)
      drawn, err = report[format](nil)
      assert.is_nil(drawn)
      assert.equal("invalid_request: result: table expected, got nil", tostring(err))
      assert.is_nil((report[format]({}, "x")))
    end
  end)

  it("lets no control character through", function()
    for _, format in ipairs(FORMATS) do
      local drawn = report[format](hostile())
      assert.is_nil(drawn:find("[%z\1-\9\11-\31\127]"), format)
      assert.is_nil(drawn:find("\194[\128-\159]"), format)
      -- JSON may hold what reorders text; the others are read by people.
      if not format:find("^json") then
        assert.is_nil(drawn:find("\226\128\174", 1, true), format)
        assert.equal(drawn, text.utf8(drawn), format)
      end
    end
  end)
end)

describe("report.table", function()
  it("draws the path as mtr's users know it", function()
    assert.same({
      "zürich.example (2001:db8:ffff:ffff:ffff:ffff:ffff:fffe) from zrh01 (Zürich, CH)",
      "reached at hop 5, 95.50 ms, 0.0% loss",
      "   Host                                                     ASN       Loss%  Snt   Best    Avg   Wrst  StDev",
      "1  _gateway (192.0.2.1)                                     AS13335    0.0%   10   0.25   0.25   0.25   0.00",
      "2  ???                                                               100.0%   10                            ",
      "3  192.0.2.2                                                AS13335   50.0%   10   5.00   5.00   5.00   0.00",
      "   192.0.2.3                                                                       6.00   6.00   6.00   0.00",
      "4  東京-ルーター.example.jp (198.51.100.9)                  AS174      0.0%   10  90.00  90.00  90.00   0.00",
      "5  zürich.example (2001:db8:ffff:ffff:ffff:ffff:ffff:fffe)             0.0%   10  95.50  95.50  95.50   0.00",
      -- 0.5^20: hop 3 lost half, the 20 packets beyond none.
      "loss at hop 3 is rate limiting: hops 4 to 5 lost 0 of 20 packets, so it does not persist",
      "+85.00 ms from hop 3 to hop 4 (AS13335 to AS174), kept to the end",
    }, lines_of(report.table(hard())))
  end)

  it("has lines of one width in each table", function()
    for _, opts in ipairs { {}, { width = 80 }, { width = 40 }, { width = 200 }, { width = 66 } } do
      local found = tables_in(report.table(hard(), opts), 6)
      assert.equal(1, #found)
      assert.equal(7, #found[1])
      for _, line in ipairs(found[1]) do
        assert.equal(text.width(found[1][1]), text.width(line))
      end
    end
  end)

  it("has lines of one width over generated results", function()
    for seed = 1, 5 do
      for _, width in ipairs { 60, 80, 120 } do
        local result = json.result(generate.generate(1, 3, 10, seed))
        for _, found in ipairs(tables_in(report.table(result, { width = width, notes = false }), 10)) do
          for _, line in ipairs(found) do
            assert.equal(text.width(found[1]), text.width(line))
            assert.is_true(text.width(line) <= width)
          end
        end
      end
    end
  end)

  it("keeps to the width, and never cuts an address", function()
    local drawn = report.table(hard(), { width = 80 })
    for _, line in ipairs(lines_of(drawn)) do
      assert.is_true(text.width(line) <= 80, line)
    end
    for _, ip in ipairs { "192.0.2.2", "192.0.2.3" } do
      assert.truthy(drawn:find(ip, 1, true))
    end
    local bare = sample.result("x", sample.path({}, { { 3, 0, node "2001:db8:ffff:ffff:ffff:ffff:ffff:fffe" } }))
    assert.truthy(report.table(bare, { width = 60 }):find("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe  ", 1, true))
  end)

  it("draws chosen columns", function()
    local drawn = lines_of(report.table(hard(), { columns = { "ttl", "asn", "share" }, notes = false }))
    assert.equal("   ASN       Share", drawn[3])
    assert.equal("1  AS13335  100.0%", drawn[4])
    local _, err = report.table(hard(), { columns = { "ttl", "hots" } })
    assert.equal("invalid_request: opts.columns[2]: no column hots, did you mean host?", tostring(err))
    assert.equal("opts.columns", select(2, report.table(hard(), { columns = {} })).path)
    assert.equal("opts.width", select(2, report.table(hard(), { width = 10 })).path)
  end)

  it("shows the verdicts and labels when wide", function()
    local drawn = report.table(hard(), { wide = true })
    assert.truthy(drawn:find("rate_limited", 1, true))
    assert.truthy(drawn:find("MPLS Label=16 TTL=1", 1, true))
    assert.truthy(drawn:find(" 60.0%", 1, true)) -- 3 of the 5 answers
  end)

  it("is the same with colours but for the colours", function()
    local colored = report.table(hard(), { color = true })
    assert.truthy(colored:find("\27[36m 50.0%", 1, true))
    assert.equal(report.table(hard()), (colored:gsub("\27%[%d*m", "")))
    assert.is_nil(report.table(hard()):find("\27", 1, true))
  end)

  it("shows a colo's error", function()
    local drawn = report.table(sample.result("a.example",
      sample.path({ error = "Could not gather traceroute data: Code 1" }, {})))
    assert.same({ "a.example from den01 (Denver, CO, US)",
      "Could not gather traceroute data: Code 1" }, lines_of(drawn))
  end)

  -- The lines below the title, but for the table.
  local function told(colo)
    local drawn = lines_of(report.table(sample.result("a.example", colo)))
    local out = { drawn[2] }
    for i = 4 + #colo.hops, #drawn do
      out[#out + 1] = drawn[i]
    end
    return table.concat(out, "|")
  end

  it("says why a path ends before the target", function()
    local router = node "192.0.2.1"
    assert.equal("cut off after hop 15, before the target: max_ttl may be too low",
      told(sample.cut(sample.path({ ip = "203.0.113.1" }, { { 3, 3 }, { 3, 0, router } }))))
    assert.equal("nothing was sent", told(sample.path({ ip = "203.0.113.1" }, { { 0, 0 } })))
    local refusing = node("192.0.2.2", { labels = { "no-route" } })
    assert.equal("not reached, last answer from hop 2|hop 2 said: no route to the target, or refused",
      told(sample.path({ ip = "203.0.113.1" }, { { 3, 0, router }, { 3, 0, refusing } })))
    refusing.ip = ""
    assert.equal("nothing answered|this machine has no route to the target, or may not send to it",
      told(sample.path({ ip = "203.0.113.1" }, { { 3, 0, refusing } })))
    local drawn = report.markdown(sample.result("a.example", sample.path({}, { { 3, 0, refusing } })))
    assert.truthy(drawn:find("\n- this machine has no route to the target, or may not send to it\n", 1, true), drawn)
  end)

  it("sums up several colos of a target, and those that failed", function()
    local failed = sample.path({ colo = "ams01", ip = "203.0.113.1", error = "no" }, {})
    assert.truthy(report.table(sample.result("a.example", failed, sample.path({ colo = "fra01" }, {}))):find(
      "\na.example: reached from 0 of 2 colos, 2 failed\n", 1, true))
    local drawn = report.table(sample.result("a.example",
      sample.path({ colo = "den01", ip = "203.0.113.1", mean = 5 }, { { 3, 0, node("203.0.113.1", { asn = "AS1" }) } }),
      sample.path({ colo = "sin02", ip = "203.0.113.1" }, { { 3, 0, node("192.0.2.1", { asn = "AS2" }) }, { 3, 3 } })))
    local last = "\na.example: reached from 1 of 2 colos\n" ..
      "RTT: best 5.00 ms (den01), median 5.00 ms, worst 5.00 ms (den01)\n1 x AS1\n1 x AS2\n"
    assert.equal(last, drawn:sub(-#last))
    assert.truthy(drawn:find("not reached, last answer from hop 1\n", 1, true))
  end)

  it("draws the published example", function()
    assert.truthy(report.table(sample.published()):find(
      "\n0  one.one.one.one (1.1.1.1)  AS13335           0  0.00  0.00  0.00   0.00\n", 1, true))
    assert.equal("no paths\n", report.table({}))
  end)
end)

describe("report.markdown", function()
  it("draws pipe tables", function()
    local drawn = report.markdown(hard())
    assert.truthy(drawn:find("| 2 | ??? |  | 100.0% | 10 |  |  |  |  |\n", 1, true))
    assert.truthy(drawn:find("| 1 | \\_gateway (192.0.2.1) | AS13335 | 0.0% | 10 | 0.25 | 0.25 | 0.25 | 0.00 |\n",
      1, true))
    assert.truthy(drawn:find("\n| # | Host | ASN | Loss% | Snt | Best | Avg | Wrst | StDev |\n" ..
      "| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n", 1, true))
  end)

  it("draws chosen columns", function()
    local drawn = report.markdown(hard(), { columns = { "ttl", "loss" } })
    assert.truthy(drawn:find("\n| # | Loss% |\n| ---: | ---: |\n| 1 | 0.0% |\n| 2 | 100.0% |\n", 1, true), drawn)
    local none, err = report.markdown(hard(), { columns = { "hots" } })
    assert.is_nil(none)
    assert.matches("no column hots, did you mean host", err.message)
  end)

  it("sums up several colos of a target as a list", function()
    local drawn = report.markdown(sample.result("a.example",
      sample.path({ colo = "den01", ip = "203.0.113.1", mean = 5 }, { { 3, 0, node("203.0.113.1", { asn = "AS1" }) } }),
      sample.path({ colo = "sin02", ip = "203.0.113.1" }, { { 3, 0, node("192.0.2.1", { asn = "AS2" }) }, { 3, 3 } })))
    local last = "\n- a.example: reached from 1 of 2 colos\n" ..
      "- RTT: best 5.00 ms (den01), median 5.00 ms, worst 5.00 ms (den01)\n- 1 x AS1\n- 1 x AS2\n"
    assert.equal(last, drawn:sub(-#last))
  end)

  it("keeps markup in names from being any", function()
    local drawn = report.markdown(hostile())
    assert.is_nil(drawn:find("<b>", 1, true))
    local bars
    for _, line in ipairs(lines_of(drawn)) do
      if line:sub(1, 1) == "|" then
        local _, count = line:gsub("\\\\", ""):gsub("\\|", ""):gsub("|", "")
        bars = bars or count
        assert.equal(bars, count)
      end
    end
    assert.equal(10, bars)
  end)
end)

-- A reader of RFC 4180, written for the specs: rows of strings.
local function read_csv(s)
  local out, row, i = {}, {}, 1
  while i <= #s do
    local cell
    if s:sub(i, i) == '"' then
      local last = i
      repeat
        last = s:find('"', last + 1, true)
        local doubled = s:sub(last + 1, last + 1) == '"'
        last = doubled and last + 1 or last
      until not doubled
      cell, i = s:sub(i + 1, last - 1):gsub('""', '"'), last + 1
    else
      local stop = s:find("[,\n]", i)
      cell, i = s:sub(i, stop - 1), stop
    end
    row[#row + 1] = cell
    if s:sub(i, i) == "\n" then
      out[#out + 1], row = row, {}
    end
    i = i + 1
  end
  return out
end

local NUMBERS = { ttl = true, packets_sent = true, packets_lost = true, loss = true, packet_count = true,
  min_rtt_ms = true, mean_rtt_ms = true, max_rtt_ms = true, std_dev_rtt_ms = true }

local function records_of(csv)
  local rows = read_csv(csv)
  local out = {}
  for r = 2, #rows do
    local record = {}
    for c, name in ipairs(rows[1]) do
      local cell = rows[r][c]
      if cell ~= "" then
        record[name] = NUMBERS[name] and tonumber(cell) or cell
      end
    end
    record.responded = record.responded == "true"
    if record.labels then
      local labels = {}
      for label in record.labels:gmatch("[^;]+") do
        labels[#labels + 1] = label
      end
      record.labels = labels
    end
    out[r - 1] = record
  end
  return out
end

-- Loss in percent can be a third, and so can means and deviations: text holds 14 digits of them.
local function rounded(records)
  for _, record in ipairs(records) do
    for name, value in pairs(record) do
      record[name] = type(value) == "number" and value % 1 ~= 0 and tonumber(("%.14g"):format(value)) or value
    end
  end
  return records
end

describe("CSV, JSON and JSON lines", function()
  it("read back to the same records", function()
    local results = { hard(), sample.published(), {} }
    for seed = 1, 10 do
      results[#results + 1] = json.result(generate.generate(2, 3, 10, seed))
    end
    for _, result in ipairs(results) do
      local records = rounded(hops.filter(result))
      assert.same(records, records_of(report.csv(result)))
      assert.same(records, rounded(hops.filter(json.result(report.json(result)))))
      local read = {}
      for line in report.jsonl(result):gmatch("([^\n]+)\n") do
        read[#read + 1] = json.decode(line)
      end
      assert.same(records, read)
    end
  end)

  it("take criteria", function()
    assert.equal(2, #lines_of(report.csv(hard(), { criteria = { ttl = 1 } })))
    assert.equal(1, #lines_of(report.jsonl(hard(), { criteria = { ttl = 1 } })))
    assert.equal("criteria.x", select(2, report.csv(hard(), { criteria = { x = 1 } })).path)
    assert.equal("criteria.x", select(2, report.jsonl(hard(), { criteria = { x = 1 } })).path)
  end)

  it("quote, and make text of formulas", function()
    local result = sample.result('a,"b"', sample.path({ colo = "@x", city = "-2+3" },
      { { 3, 0, node("192.0.2.1", { name = "=1+1", mean = 1.5 }) } }))
    assert.equal([["a,""b""","'@x","'-2+3",1,true,192.0.2.1,"'=1+1",,,3,0,0,3,1.5,1.5,1.5,0]],
      lines_of(report.csv(result))[2])
  end)

  it("keep every node of a load-balanced hop", function()
    local _, count = report.jsonl(hard()):gsub('"ttl":3', "")
    assert.equal(2, count)
  end)

  it("write the API's shape", function()
    local result = sample.result("x", sample.path({}, {}), sample.path({}, { { 3, 3 } }))
    result[1].colos[2].hops[1].nodes = {}
    local encoded = report.json(result)
    assert.truthy(encoded:find('"hops":[]', 1, true))
    assert.truthy(encoded:find('"nodes":[]', 1, true))
    assert.is_nil(encoded:find("[{,]\"[%w_]+\":{}"))
    assert.equal(1, #lines_of(encoded))
  end)
end)

describe("report.prometheus", function()
  it("writes base units with HELP and TYPE", function()
    local drawn = report.prometheus(hard())
    for _, line in ipairs {
      "# TYPE traceroute_reached gauge",
      'traceroute_reached{target="zürich.example",colo="zrh01"} 1',
      'traceroute_error{target="zürich.example",colo="zrh01"} 0',
      'traceroute_target_rtt_mean_seconds{target="zürich.example",colo="zrh01"} 0.0955',
      'traceroute_target_loss_ratio{target="zürich.example",colo="zrh01"} 0',
      'traceroute_hop_loss_ratio{target="zürich.example",colo="zrh01",ttl="3"} 0.5',
      'traceroute_hop_loss_info{target="zürich.example",colo="zrh01",ttl="3",verdict="rate_limited"} 1',
      'traceroute_node_rtt_mean_seconds{target="zürich.example",colo="zrh01",ttl="3",ip="192.0.2.2",' ..
        'name="192.0.2.2",asn="AS13335"} 0.005',
      'traceroute_duration_seconds{target="zürich.example",colo="zrh01"} 1',
    } do
      assert.truthy(("\n" .. drawn):find("\n" .. line .. "\n", 1, true), line)
    end
  end)

  it("has no RTT of a target that did not answer, and 1 for its loss", function()
    local drawn = report.prometheus(sample.result("x",
      sample.path({ ip = "203.0.113.1" }, { { 3, 0, node "192.0.2.1" }, { 3, 3 } })))
    assert.is_nil(drawn:find("target_rtt", 1, true))
    assert.truthy(drawn:find('traceroute_reached{target="x",colo="den01"} 0\n', 1, true))
    assert.truthy(drawn:find('traceroute_target_loss_ratio{target="x",colo="den01"} 1\n', 1, true))
  end)

  it("says nothing of a target that cannot be told of: the path was cut off, or nothing was measured", function()
    local cut = sample.cut(sample.path({ ip = "203.0.113.1" }, { { 3, 0, node "192.0.2.1" } }))
    local failed = sample.path({ ip = "203.0.113.1", error = "Could not gather traceroute data: Code 2" }, {})
    for _, colo in ipairs { cut, failed } do
      local drawn = report.prometheus(sample.result("x", colo))
      assert.is_nil(drawn:find("traceroute_reached", 1, true))
      assert.is_nil(drawn:find("target_loss_ratio", 1, true))
      assert.truthy(drawn:find("traceroute_error{", 1, true))
    end
  end)

  it("writes each series once, whatever repeats", function()
    local path = hard()[1].colos[1]
    local result = { { target = "x", colos = { path, path } }, { target = "x", colos = { path } } }
    local seen = {}
    for _, line in ipairs(lines_of(report.prometheus(result))) do
      local series = line:match("^(.*) %S+$")
      assert.is_nil(seen[series], line)
      seen[series] = true
    end
  end)

  it("takes another prefix, and leaves the hops out", function()
    local drawn = report.prometheus(hard(), { prefix = "edge", hops = false })
    assert.truthy(drawn:find("edge_reached{", 1, true))
    assert.is_nil(drawn:find("_hop_", 1, true))
    assert.is_nil(drawn:find("_node_", 1, true))
    assert.equal("opts.prefix", select(2, report.prometheus(hard(), { prefix = "9x" })).path)
  end)

  it("is accepted by promtool", function()
    if not installed "promtool" then
      return pending("promtool is not installed")
    end
    for _, result in ipairs { hard(), hostile(), sample.published(), json.result(generate.generate(2, 4, 12, 3)) } do
      local status, output = run("promtool check metrics", report.prometheus(result))
      assert.equal("status 0\n", output)
      assert.equal("0", status)
    end
  end)
end)

describe("report.dot", function()
  local function count(s, what)
    return select(2, s:gsub(what, ""))
  end

  it("merges nodes by address and keeps silent hops apart", function()
    local function path(colo)
      return sample.path({ colo = colo, ip = "203.0.113.1" }, {
        { 3, 0, node "192.0.2.1" }, { 3, 3, sample.no_response() }, { 3, 3 }, { 3, 0, node "203.0.113.1" } })
    end
    local drawn = report.dot(sample.result("x", path "den01", path "sin02"))
    assert.equal(1, count(drawn, 'label="192%.0%.2%.1"'))
    assert.equal(4, count(drawn, 'label="%?"'))
    assert.equal(2, count(drawn, "shape=ellipse"))
    assert.equal(1, count(drawn, 'label="203%.0%.113%.1", shape=doubleoctagon'))
    -- den01 > .1 > ? > ? > target, and the same from sin02.
    assert.equal(8, count(drawn, " %-> "))
  end)

  it("weighs edges by paths and shares", function()
    local function path(colo, middle)
      local list = { { 3, 0, node "192.0.2.1" }, middle, { 3, 0, node "203.0.113.1" } }
      return sample.path({ colo = colo, ip = "203.0.113.1" }, list)
    end
    local drawn = report.dot(sample.result("x",
      path("den01", { 4, 0, node("10.0.0.1", { count = 3 }), node("10.0.0.2", { count = 1 }) }),
      path("sin02", { 4, 0, node("10.0.0.1", { count = 4 }) })))
    -- n1 den01, n2 192.0.2.1, n3 10.0.0.1, n4 10.0.0.2, n5 the target, n6 sin02: 0.75 + 1 and 0.25.
    assert.truthy(drawn:find('n2 -> n3 [label="1.75", weight=2,', 1, true))
    assert.truthy(drawn:find('n2 -> n4 [label="0.25", weight=1,', 1, true))
    assert.truthy(drawn:find('n3 -> n5 [label="1.75", weight=2,', 1, true))
  end)

  it("hangs a target that did not answer on a dotted edge", function()
    local drawn = report.dot(sample.result("a.example",
      sample.path({ ip = "203.0.113.1" }, { { 3, 0, node "192.0.2.1" } })))
    assert.truthy(drawn:find('label="a.example", shape=doubleoctagon, style=dashed', 1, true))
    assert.truthy(drawn:find("style=dotted", 1, true))
    drawn = report.dot(sample.result("a.example",
      sample.path({ ip = "203.0.113.1" }, { { 3, 0, node("10.0.0.1", { labels = { "no-route" } }) } })))
    assert.truthy(drawn:find('label="10.0.0.1\\nno route, or refused"', 1, true), drawn)
  end)

  it("takes a direction", function()
    assert.truthy(report.dot({}, { rankdir = "TB" }):find("rankdir=TB;", 1, true))
    assert.equal("opts.rankdir", select(2, report.dot({}, { rankdir = "up" })).path)
  end)

  it("is drawn by Graphviz", function()
    if not installed "dot" then
      return pending("dot is not installed")
    end
    for _, result in ipairs { hard(), hostile(), sample.published(), {}, json.result(generate.generate(1, 5, 8, 3)) } do
      local status, output = run("dot -Tsvg", report.dot(result))
      assert.equal("0", status, output)
      assert.truthy(output:find("</svg>", 1, true))
      assert.is_nil(output:find("Warning", 1, true))
      assert.is_nil(output:find("Error", 1, true))
    end
  end)
end)
