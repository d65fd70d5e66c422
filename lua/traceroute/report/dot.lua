-- dot: the paths of a result as one graph for Graphviz. Nodes that share an address are one; a silent
-- hop belongs to its path alone, since two silences are not the same router. It must not know loss.

local address = require "traceroute.address"
local decimal = require "traceroute.decimal"
local fields = require "traceroute.fields"
local hops = require "traceroute.hops"
local invalid = require "traceroute.invalid"
local path = require "traceroute.analysis.path"
local text = require "traceroute.text"

local OPTIONS = { rankdir = "string" }
local RANKDIRS = { LR = true, TB = true, RL = true, BT = true }

local function quote(s)
  return '"' .. s:gsub('[\\"]', "\\%0") .. '"'
end

-- Lines of a label, joined by DOT's own line break.
local function label_of(lines)
  local out = {}
  for i, line in ipairs(lines) do
    out[i] = text.clean(line):gsub('[\\"]', "\\%0")
  end
  return '"' .. table.concat(out, "\\n") .. '"'
end

local function add_vertex(graph, key, lines, style)
  local vertex = graph.vertices[key]
  if not vertex then
    graph.order[#graph.order + 1] = key
    vertex = { id = "n" .. #graph.order, label = label_of(lines), style = style }
    graph.vertices[key] = vertex
  end
  return vertex
end

local function add_edge(graph, from, to, weight, style)
  if from == to then
    return
  end
  local key = from.id .. " -> " .. to.id
  local edge = graph.edges[key]
  if not edge then
    edge = { weight = 0, style = style }
    graph.edges[key] = edge
    graph.edge_order[#graph.edge_order + 1] = key
  end
  edge.weight = edge.weight + weight
end

-- The vertices of a hop, each with its share of the path.
local function hop_vertices(graph, hop, own, target_key)
  if #hop.nodes == 0 then
    local key = own .. "\0silent\0" .. hop.ttl
    return { { add_vertex(graph, key, { "?" }, "shape=circle, style=dashed, color=gray"), 1 } }
  end
  local out = {}
  for n, node in ipairs(hop.nodes) do
    local lines = { node.name ~= node.ip and node.name or node.ip }
    lines[#lines + 1] = node.name and node.name ~= node.ip and node.ip or nil
    lines[#lines + 1] = node.asn
    lines[#lines + 1] = fields.refuses(node) and "no route, or refused" or nil
    local style = node.key == target_key and "shape=doubleoctagon" or "shape=box"
    out[n] = { add_vertex(graph, "node\0" .. node.key, lines, style), node.share / 100 }
  end
  return out
end

local function add_path(graph, target, colo, number)
  local asked = fields.text(target.target)
  local read = path.read(colo, asked)
  if not read then
    return
  end
  local name, city = fields.colo(colo)
  name = name or "?"
  local before = { { add_vertex(graph, "colo\0" .. name, { name, city }, "shape=ellipse, style=bold"), 1 } }
  for h = 1, read.target_index or read.last or 0 do
    local vertices = hop_vertices(graph, read.hops[h], tostring(number), read.target_key)
    for _, from in ipairs(before) do
      for _, to in ipairs(vertices) do
        add_edge(graph, from[1], to[1], from[2] * to[2])
      end
    end
    before = vertices
  end
  if not read.target_index then
    local key = "target\0" .. (asked or "?")
    local known = address.parse(asked) or read.target_key
    local missed = graph.vertices[known and "node\0" .. known or ""]
      or add_vertex(graph, key, { asked or "?" }, "shape=doubleoctagon, style=dashed")
    for _, from in ipairs(before) do
      add_edge(graph, from[1], missed, from[2], "style=dotted")
    end
  end
end

local function draw(graph, rankdir)
  local out = {
    "digraph traceroute {",
    "  rankdir=" .. rankdir .. ";",
    '  node [fontname="sans-serif", fontsize=10];',
    '  edge [fontname="sans-serif", fontsize=9];',
  }
  local most = 1
  for _, key in ipairs(graph.edge_order) do
    most = math.max(most, graph.edges[key].weight)
  end
  for _, key in ipairs(graph.order) do
    local vertex = graph.vertices[key]
    out[#out + 1] = ("  %s [label=%s, %s];"):format(vertex.id, vertex.label, vertex.style)
  end
  for _, key in ipairs(graph.edge_order) do
    local edge = graph.edges[key]
    -- Layout weights are whole numbers; the share itself is in the label.
    out[#out + 1] = ("  %s [label=%s, weight=%d, penwidth=%s%s];"):format(key, quote(decimal("%.3g", edge.weight)),
      math.max(1, math.floor(edge.weight + 0.5)), decimal("%.2f", 0.5 + 4 * edge.weight / most),
      edge.style and ", " .. edge.style or "")
  end
  out[#out + 1] = "}"
  return table.concat(out, "\n") .. "\n"
end

---A Graphviz digraph of all paths merged: an edge's label and width say how many paths take it, a path
---that is spread over several nodes counting by their shares. A target that did not answer hangs on a
---dotted edge.
---@param result traceroute.Result
---@param opts? {rankdir: "LR"|"TB"|"RL"|"BT"} direction of the drawing; default "LR"
---@return string? dot
---@return traceroute.Error? err
return function(result, opts)
  local checked, err = invalid.options(opts, OPTIONS, "opts")
  if not checked then
    return nil, err
  elseif checked.rankdir and not RANKDIRS[checked.rankdir] then
    return invalid.value("opts.rankdir", "LR, TB, RL or BT expected")
  end
  local paths
  paths, err = hops.paths(result)
  if not paths then
    return nil, err
  end
  local graph = { vertices = {}, order = {}, edges = {}, edge_order = {} }
  local number = 0
  for target, colo in paths do
    number = number + 1
    add_path(graph, target, colo, number)
  end
  return draw(graph, checked.rankdir or "LR")
end
