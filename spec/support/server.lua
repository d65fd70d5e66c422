-- The stand-in of the service as a process: starts nginx on loopback in a private directory, tells
-- where it listens, what it received, and ends it. Knows nothing of what is answered: api.lua does.

local api = require "spec.support.api"
local cjson = require "cjson"
local conf = require "spec.support.conf"
local host = require "spec.support.host"
local nginx = require "spec.support.nginx"
local pki = require "spec.support.pki"
local proxy = require "spec.support.proxy"

local server = { NONE = {} }
local Server = {}
Server.__index = Server

local ACCOUNT = "023e105f4ecef8ad9ca31a8372d0c353"

-- options.workers: how many worker processes, 1 by default. options.bare: the behaviour of a URL that
-- names none, "ok" by default.
function server.start(options)
  options = options or {}
  local _, missing = host.run("command -v nginx setpriv openssl >/dev/null")
  assert(missing == 0, "nginx, setpriv and openssl are needed")
  local self = { ports = {}, account = ACCOUNT, keys = 0, proxies = {} }
  self.process = nginx.start {
    name = "traceroute-spec",
    configure = function(directory)
      host.run(("mkdir %s/raw"):format(host.quote(directory)))
      self.ca_file = pki.make(directory).ca_file
      local free = host.free_ports(#conf.LISTENERS)
      for i, listener in ipairs(conf.LISTENERS) do
        self.ports[listener.name] = free[i]
      end
      host.write(directory .. "/requests.log", "")
      return conf.text(self.ports, options.workers or 1, options.bare or "ok")
    end,
  }
  self.directory = self.process.directory
  return setmetatable(self, Server)
end

local shared

-- The one that all spec files of a run share.
function server.get()
  if not shared or not shared.process then
    shared = server.start()
  end
  return shared
end

-- Ends what get() started, if anything.
function server.finish()
  if shared then
    shared:stop()
    shared = nil
  end
end

function Server:stop()
  for _, running in ipairs(self.proxies) do
    running:stop()
  end
  self.proxies = {}
  if self.process then
    self.process:stop()
    self.process = nil
  end
end

-- The base URL under which `behaviour` answers, at the named listener ("https" by default); the host
-- is "localhost" unless given. Raises when there is no such behaviour or listener.
function Server:url(behaviour, listener, name)
  listener = listener or "https"
  local port = assert(self.ports[listener], "no such listener")
  local scheme = listener == "http" and "http" or "https"
  local first = behaviour and behaviour:match("[^/]+")
  assert(not first or api.behaviour(first), "no such behaviour")
  behaviour = first and "/" .. behaviour or ""
  return ("%s://%s:%d%s/client/v4"):format(scheme, name or "localhost", port, behaviour)
end

-- Options of a call that goes to a behaviour or a whole URL: what it takes to reach it, then `own`, then `more` on top.
-- `listener` among these is the behaviour's; server.NONE takes an option away.
function Server:options(base, own, more)
  local opts = { ca_file = self.ca_file }
  if host.patience() > 1 then
    opts.connect_timeout = 10 * host.patience()
  end
  for _, given in ipairs { own, more } do
    for name, value in pairs(given) do
      opts[name] = value
    end
  end
  if not opts.base_url then
    opts.base_url = base and base:find("://", 1, true) and base or self:url(base, opts.listener)
  end
  opts.listener = nil
  for name, value in pairs(opts) do
    if rawequal(value, server.NONE) then
      opts[name] = nil
    end
  end
  return opts
end

-- A text that no other call gives: keeps the counters of the `retry` behaviour apart.
function Server:key()
  self.keys = self.keys + 1
  return ("key%d"):format(self.keys)
end

-- Makes `raw/<name>` answer this body.
function Server:raw(name, body, content_type, status)
  host.write(self.directory .. "/raw/" .. name .. ".head",
    ("%d %s"):format(status or 200, content_type or "application/json"))
  host.write(self.directory .. "/raw/" .. name, body)
  return self:url("raw/" .. name)
end

-- What was received since the last reset, in the order of arrival. `ended`, `status`, `sent` and `aborted`
-- (the answer did not go out whole) are there once nginx is done with a request.
function Server:requests()
  local list, by_id = {}, {}
  for line in host.read(self.directory .. "/requests.log"):gmatch("([^\n]*)\n") do
    local event = cjson.decode(line)
    local known = by_id[event.id]
    if event.event == "received" then
      event.event = nil
      list[#list + 1] = event
      by_id[event.id] = event
    elseif known then
      known.ended, known.status, known.sent = event.time, event.status, event.sent
      known.aborted = not event.completed
    end
  end
  return list
end

-- Asks requests() until `predicate` holds of them; returns them, or nil when it never does.
function Server:await(predicate)
  local deadline = host.now() + host.LONG
  repeat
    local list = self:requests()
    if predicate(list) then
      return list
    end
    host.pause(2)
  until host.now() > deadline
  return nil
end

function Server:reset()
  host.write(self.directory .. "/requests.log", "")
end

function Server:error_log()
  return host.read(self.directory .. "/error.log")
end

-- A forward proxy of its own, ended with the server.
function Server:proxy(options)
  local started = proxy.start(options)
  self.proxies[#self.proxies + 1] = started
  return started
end

function server.proxy(options)
  return server.get():proxy(options)
end

server.free_port = function()
  return host.free_ports(1)[1]
end

server.silent_port = host.silent_port

return server
