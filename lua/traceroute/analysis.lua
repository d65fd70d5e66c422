-- analysis: the one list of what a script can ask of a result. Each answer has a room of its own in
-- analysis/; nothing is computed here.

local diff = require "traceroute.analysis.diff"
local invalid = require "traceroute.invalid"
local loss = require "traceroute.analysis.loss"
local path = require "traceroute.analysis.path"
local rtt = require "traceroute.analysis.rtt"
local summary = require "traceroute.analysis.summary"

local of = invalid.guarded
local OF_COLO = { "colo", "target", "opts" }

---@class traceroute.Analysis each answers with nil and an error when what it is asked of cannot be read
return {
  path = of("colo", path.read),
  destination_responded = of("colo", path.destination_responded),
  last_responding_hop = of("colo", path.last_responding_hop),
  hop_status = of("colo", path.hop_status),
  ip_path = of("colo", path.ip_path),
  as_path = of("colo", path.as_path),
  path_id = of("colo", path.path_id),
  multipath = of("colo", path.multipath),
  loss = of(OF_COLO, loss.verdicts),
  loss_begins = of(OF_COLO, loss.begins),
  rtt_jumps = of(OF_COLO, rtt.jumps),
  diff = of({ "a", "b" }, diff.diff),
  summary = of("target", summary.summary),
  target_summary = of("colo", path.summary),
}
