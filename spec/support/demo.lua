-- The demonstration: one call through the module, drawn by walking the nested tables it returns. Asks the
-- stand-in, which serves the published example over TLS on loopback; or Cloudflare, when
-- CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID are set, about the targets named in TARGET.

local demo = {}

local COLUMNS = { "COLO", "TTL", "IP", "NAME", "ASN", "LOSS", "MIN", "MEAN", "MAX" }
local RIGHT = { TTL = true, LOSS = true, MIN = true, MEAN = true, MAX = true }

local function loss(hop)
  if not hop.packets_sent or hop.packets_sent == 0 then
    return "-"
  end
  return ("%.0f%%"):format(100 * (hop.packets_lost or 0) / hop.packets_sent)
end

local function ttl(hop)
  return hop.packets_ttl and ("%d"):format(hop.packets_ttl) or "-"
end

local function ms(value)
  return value and ("%.3f"):format(value) or "-"
end

local function text(value)
  return value and value ~= "" and tostring(value) or "-"
end

local function rows_of_colo(rows, colo)
  local name = text(colo.colo and colo.colo.name)
  for _, hop in ipairs(colo.hops or {}) do
    local nodes = hop.nodes or {}
    for _, node in ipairs(#nodes > 0 and nodes or { {} }) do
      rows[#rows + 1] = {
        name, ttl(hop), text(node.ip), text(node.name), text(node.asn), loss(hop),
        ms(node.min_rtt_ms), ms(node.mean_rtt_ms), ms(node.max_rtt_ms),
      }
    end
  end
  if colo.error and colo.error ~= "" then
    rows[#rows + 1] = name .. "  " .. colo.error
  end
end

local function width(rows, column)
  local most = 0
  for _, row in ipairs(rows) do
    if type(row) == "table" then
      most = math.max(most, #row[column])
    end
  end
  return most
end

-- A row that is a text stands as it is; the cells of the others are padded to their columns.
local function align(rows)
  local lines, widths = {}, {}
  for i in ipairs(COLUMNS) do
    widths[i] = width(rows, i)
  end
  for n, row in ipairs(rows) do
    if type(row) == "table" then
      local cells = {}
      for i, cell in ipairs(row) do
        local pad = (" "):rep(widths[i] - #cell)
        cells[i] = RIGHT[COLUMNS[i]] and pad .. cell or cell .. pad
      end
      row = table.concat(cells, "  ")
    end
    lines[n] = row
  end
  return lines
end

-- The drawing of a result: for each target a line, then a table with a line for each node.
function demo.draw(result)
  local blocks = {}
  for _, target in ipairs(result) do
    local rows = { COLUMNS }
    for _, colo in ipairs(target.colos or {}) do
      rows_of_colo(rows, colo)
    end
    blocks[#blocks + 1] = "traceroute to " .. text(target.target)
    blocks[#blocks + 1] = table.concat(align(rows), "\n")
  end
  return table.concat(blocks, "\n")
end

local function ask_cloudflare(traceroute)
  local targets = {}
  for target in (os.getenv("TARGET") or "1.1.1.1"):gmatch("[^%s,]+") do
    targets[#targets + 1] = target
  end
  print("Asking Cloudflare for traceroutes to " .. table.concat(targets, ", ") .. ".")
  return traceroute.create(os.getenv("CLOUDFLARE_ACCOUNT_ID"), targets)
end

local function ask_stand_in(traceroute)
  local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
  package.path = here .. "../../?.lua;" .. package.path
  require("spec.support.host").clean_environment()
  local running = require("spec.support.server").start { bare = "published" }
  local base = running:url()
  print("Asking a stand-in at " .. base .. ", which answers Cloudflare's published example.")
  local called, result, err = pcall(traceroute.create, "demo", { "1.1.1.1" },
    { base_url = base, ca_file = running.ca_file, token = "demo" })
  running:stop()
  assert(called, result)
  return result, err
end

function demo.main()
  local traceroute = require "traceroute"
  local real = os.getenv("CLOUDFLARE_API_TOKEN") and os.getenv("CLOUDFLARE_ACCOUNT_ID")
  local result, err = (real and ask_cloudflare or ask_stand_in)(traceroute)
  if result then
    print(demo.draw(result))
  end
  if err then
    io.stderr:write(tostring(err), "\n")
  end
  return not err
end

if ... ~= "spec.support.demo" then
  os.exit(demo.main())
end

return demo
