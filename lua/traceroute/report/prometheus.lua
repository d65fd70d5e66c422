-- prometheus: a result as metrics in the text exposition format, base units, HELP and TYPE. It must
-- not know how they are served.

local decimal = require "traceroute.decimal"
local fields = require "traceroute.fields"
local hops = require "traceroute.hops"
local invalid = require "traceroute.invalid"
local loss = require "traceroute.analysis.loss"
local path = require "traceroute.analysis.path"
local text = require "traceroute.text"

local OPTIONS = { prefix = "string", hops = "boolean" }

-- The metrics in the order they are written.
local METRICS = {
  { "reached", "Whether the target answered; absent where it cannot be told." },
  { "error", "Whether the colo could not gather the trace." },
  { "hops", "Hops that the trace lists." },
  { "duration_seconds", "Time that the whole trace took." },
  { "target_loss_ratio", "Share of packets lost at the target, 1 when it did not answer." },
  { "target_rtt_min_seconds", "Best round trip time to the target." },
  { "target_rtt_mean_seconds", "Mean round trip time to the target." },
  { "target_rtt_max_seconds", "Worst round trip time to the target." },
  { "target_rtt_stddev_seconds", "Standard deviation of the round trip times to the target." },
  { "path_info", "The path's id and its autonomous systems; always 1." },
  { "hop_packets_sent", "Packets sent with this TTL." },
  { "hop_packets_lost", "Packets of this TTL without an answer." },
  { "hop_loss_ratio", "Share of packets lost at this TTL." },
  { "hop_loss_info", "The verdict on the loss at this TTL, where there is any; always 1." },
  { "node_packets_received", "Packets that this node answered." },
  { "node_rtt_min_seconds", "Best round trip time to the node." },
  { "node_rtt_mean_seconds", "Mean round trip time to the node." },
  { "node_rtt_max_seconds", "Worst round trip time to the node." },
  { "node_rtt_stddev_seconds", "Standard deviation of the round trip times to the node." },
}

local function escape(value)
  return (text.clean(value):gsub('[\\"]', "\\%0"))
end

-- Labels in the order given: those that others share, then name, value, name, value …; an empty one is
-- left out, as it means the same.
local function labels_of(shared, ...)
  local out = { shared ~= "" and shared or nil }
  for i = 1, select("#", ...), 2 do
    local name, value = select(i, ...)
    if value ~= nil and value ~= "" then
      out[#out + 1] = name .. '="' .. escape(tostring(value)) .. '"'
    end
  end
  return table.concat(out, ",")
end

-- A series appears once, whatever repeats in the result: a second sample would void the whole scrape.
local function add(samples, metric, labels, value)
  if not value then
    return
  end
  local series = samples[metric]
  if not series then
    series = { values = {} }
    samples[metric] = series
  end
  if not series.values[labels] then
    series.values[labels] = value
    series[#series + 1] = labels
  end
end

local function truth(value)
  if value == nil then
    return nil
  end
  return value and 1 or 0
end

local function scaled(value, divisor)
  return value and value / divisor
end

local function add_rtt(samples, what, labels, rtt)
  add(samples, what .. "_rtt_min_seconds", labels, scaled(rtt.min_rtt_ms, 1000))
  add(samples, what .. "_rtt_mean_seconds", labels, scaled(rtt.mean_rtt_ms, 1000))
  add(samples, what .. "_rtt_max_seconds", labels, scaled(rtt.max_rtt_ms, 1000))
  add(samples, what .. "_rtt_stddev_seconds", labels, scaled(rtt.std_dev_rtt_ms, 1000))
end

local function add_hops(samples, read, path_labels)
  for h, verdict in ipairs(loss.verdicts_of(read)) do
    local hop = read.hops[h]
    local hop_labels = labels_of(path_labels, "ttl", hop.ttl)
    add(samples, "hop_packets_sent", hop_labels, hop.sent)
    add(samples, "hop_packets_lost", hop_labels, hop.lost)
    add(samples, "hop_loss_ratio", hop_labels, scaled(hop.loss, 100))
    if hop.loss and hop.loss > 0 then
      add(samples, "hop_loss_info", labels_of(hop_labels, "verdict", verdict.verdict), 1)
    end
    for _, node in ipairs(hop.nodes) do
      local tags = {}
      for _, label in ipairs(node.labels) do
        tags[#tags + 1] = fields.text(label)
      end
      local labels = labels_of(hop_labels, "ip", node.ip, "name", node.name, "asn", node.asn,
        "labels", table.concat(tags, ";"))
      add(samples, "node_packets_received", labels, node.packet_count)
      add_rtt(samples, "node", labels, node)
    end
  end
end

local function add_path(samples, target_result, colo, with_hops)
  local target, name = fields.text(target_result.target), fields.colo(colo)
  local read = path.read(colo, target)
  if not read then
    return
  end
  local labels = labels_of("", "target", target, "colo", name)
  add(samples, "reached", labels, truth(read.reached))
  add(samples, "error", labels, truth(read.error ~= nil))
  add(samples, "hops", labels, #read.hops)
  add(samples, "duration_seconds", labels, scaled(fields.number(colo.traceroute_time_ms), 1000))
  add(samples, "target_loss_ratio", labels, scaled(loss.at_target(read), 100))
  if read.reached then
    local summary = fields.summary(colo)
    add_rtt(samples, "target", labels, summary.mean_rtt_ms and summary or read.hops[read.target_index])
  end
  local id = path.path_id_of(read)
  if id then
    local _, _, as_path = path.as_path_of(read)
    add(samples, "path_info", labels_of(labels, "path_id", id, "as_path", as_path), 1)
  end
  if with_hops then
    add_hops(samples, read, labels)
  end
end

---Prometheus text format: gauges, times in seconds, shares from 0 to 1.
---@param result traceroute.Result
---@param opts? {prefix: string, hops: boolean}
--- - `prefix`: what the names begin with; default "traceroute"
--- - `hops`: also a series per hop and per node; false leaves those of the target, which are few;
---   default true
---@return string? metrics
---@return traceroute.Error? err
return function(result, opts)
  local checked, err = invalid.options(opts, OPTIONS, "opts")
  if not checked then
    return nil, err
  end
  local prefix = checked.prefix or "traceroute"
  if not prefix:find("^[%a_:][%w_:]*$") then
    return invalid.value("opts.prefix", "letters, digits and _ expected, no digit first")
  end
  local paths
  paths, err = hops.paths(result)
  if not paths then
    return nil, err
  end
  local samples = {}
  for target, colo in paths do
    add_path(samples, target, colo, checked.hops ~= false)
  end
  local out = {}
  for _, metric in ipairs(METRICS) do
    local name = prefix .. "_" .. metric[1]
    local series = samples[metric[1]] or { values = {} }
    if series[1] then
      out[#out + 1] = "# HELP " .. name .. " " .. metric[2]
      out[#out + 1] = "# TYPE " .. name .. " gauge"
    end
    for i = 1, #series do
      out[#out + 1] = ("%s{%s} %s"):format(name, series[i], decimal("%.14g", series.values[series[i]]))
    end
    samples[metric[1]] = nil
  end
  out[#out + 1] = ""
  return table.concat(out, "\n")
end
