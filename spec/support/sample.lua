-- sample: hand-written paths in short form, so that a spec shows its numbers where it uses them. It
-- knows the API's shape and nothing of the module.

local sample = {}

---A node: sample.node("192.0.2.1", {mean = 5, count = 3, name =, asn =, min =, max =, dev =, labels =}).
function sample.node(ip, f)
  f = f or {}
  local mean = f.mean or 1
  return {
    ip = ip, name = f.name or ip, asn = f.asn or "", labels = f.labels,
    min_rtt_ms = f.min or mean, mean_rtt_ms = mean, max_rtt_ms = f.max or mean, std_dev_rtt_ms = f.dev or 0,
    packet_count = f.count or 3,
  }
end

---A node as the service writes a silent hop.
function sample.no_response()
  return {
    ip = "", name = "NO RESPONSE", asn = "", min_rtt_ms = 0, mean_rtt_ms = 0, max_rtt_ms = 0, std_dev_rtt_ms = 0,
    packet_count = 3,
  }
end

---A path: hops in order of TTL, each {sent, lost, node, node, …}; f names colo, city, ip (of the
---target), error, mean (of the summary).
function sample.path(f, list)
  local hops = {}
  for ttl, hop in ipairs(list) do
    local nodes = {}
    for i = 3, #hop do
      nodes[i - 2] = hop[i]
    end
    hops[ttl] = { packets_ttl = ttl, packets_sent = hop[1], packets_lost = hop[2], nodes = nodes }
  end
  return {
    colo = { name = f.colo or "den01", city = f.city or "Denver, CO, US" },
    error = f.error or "",
    hops = hops,
    target_summary = f.ip and { ip = f.ip, name = f.ip, asn = "", packet_count = f.mean and 3 or 0,
      mean_rtt_ms = f.mean or 0, min_rtt_ms = f.mean or 0, max_rtt_ms = f.mean or 0, std_dev_rtt_ms = 0 } or nil,
    traceroute_time_ms = 1000,
  }
end

---The same path at the end of a longer one: its last hop is the 15th, behind which nothing is asked by default.
function sample.cut(path)
  local missing = 15 - #path.hops
  for _, hop in ipairs(path.hops) do
    hop.packets_ttl = hop.packets_ttl + missing
  end
  return path
end

---A path of one answering hop per {sent, lost} pair: 10.0.0.1, 10.0.0.2, … to the target 10.0.0.n.
---A pair {sent, sent} is a silent hop.
function sample.losses(list, f)
  local hops = {}
  for ttl, pair in ipairs(list) do
    local silent = pair[1] == pair[2]
    hops[ttl] = { pair[1], pair[2],
      not silent and sample.node("10.0.0." .. ttl, { count = pair[1] - pair[2] }) or nil }
  end
  return sample.path({ ip = f and f.ip or "10.0.0." .. #list }, hops)
end

---A result of one target.
function sample.result(target, ...)
  return { { target = target, colos = { ... } } }
end

---The published example as decoded by the module.
function sample.published()
  local file = assert(io.open("spec/support/published.json"))
  local encoded = file:read("*a")
  file:close()
  return assert(require("traceroute.json").result(encoded))
end

return sample
