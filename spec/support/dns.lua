-- Name servers for the specs: dnsmasq on a free port of loopback, with records of its own and a log of
-- what it was asked; and one that is silent. Knows nothing of who asks. A sanitizer that is preloaded into us
-- is not for dnsmasq.

local host = require "spec.support.host"
local process = require "spec.support.process"
local uv = require "luv"

local dns = {}
local Server = {}
Server.__index = Server

local CONF = [[
no-resolv
no-hosts
no-poll
no-daemon
bind-interfaces
listen-address=127.0.0.1
port=%d
cache-size=0
log-queries
log-facility=%s
pid-file=
user=
%s
]]

-- records: lines of dnsmasq's configuration. prefix: shell words that run what follows them elsewhere,
-- as in a lab's node; then `port` has to be given.
function dns.start(records, options)
  local directory = host.private_directory("traceroute-dns")
  local port = options and options.port or host.free_ports(1)[1]
  local log = directory .. "/queries.log"
  host.write(log, "")
  host.write(directory .. "/dns.conf", CONF:format(port, log, table.concat(records, "\n")))
  local running = process.launch(directory, ("%senv -u LD_PRELOAD dnsmasq --conf-file=%s"):format(
    options and options.prefix or "", host.quote(directory .. "/dns.conf")))
  local deadline = host.now() + host.LONG
  while not host.read(log):find("started, version", 1, true) do
    if host.now() > deadline then
      local why = running:said()
      running:stop()
      error("dnsmasq did not start: " .. why)
    end
    host.pause(2)
  end
  return setmetatable({
    port = port,
    address = "127.0.0.1:" .. port,
    log = log,
    process = running,
  }, Server)
end

-- How often a question was asked, of any type or of one ("A", "PTR", "TXT", ...).
function Server:asked(name, kind)
  local count = 0
  for found, what in host.read(self.log):gmatch("query%[(%w+)%] (%S+) from") do
    if what == name and (not kind or found == kind) then
      count = count + 1
    end
  end
  return count
end

function Server:stop()
  self.process:stop()
end

-- A name server that never answers, and what closes it; on_question is called for what has come to it, once the loop
-- is run.
function dns.silent(on_question)
  local socket = uv.new_udp()
  assert(socket:bind("127.0.0.1", 0))
  if on_question then
    socket:recv_start(function(_, question)
      if question then
        on_question()
      end
    end)
  end
  return "127.0.0.1:" .. socket:getsockname().port, function()
    socket:close()
    uv.run("nowait")
  end
end

return dns
