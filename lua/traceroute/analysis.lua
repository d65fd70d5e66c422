-- analysis: the one list of what a script can ask of a result. Each answer has a room of its own in
-- analysis/; nothing is computed here.

local diff = require "traceroute.analysis.diff"
local fields = require "traceroute.fields"
local loss = require "traceroute.analysis.loss"
local path = require "traceroute.analysis.path"
local rtt = require "traceroute.analysis.rtt"
local summary = require "traceroute.analysis.summary"

---@class traceroute.Analysis
return {
  path = path.read,
  destination_responded = path.destination_responded,
  last_responding_hop = path.last_responding_hop,
  hop_status = path.hop_status,
  ip_path = path.ip_path,
  as_path = path.as_path,
  path_id = path.path_id,
  multipath = path.multipath,
  loss = loss.verdicts,
  loss_begins = loss.begins,
  rtt_jumps = rtt.jumps,
  diff = diff.diff,
  summary = summary.summary,
  target_summary = fields.summary,
}
