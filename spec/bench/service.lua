-- A service whose answers cost next to nothing: nginx hands out files over TLS, so that what asks is what is measured.
-- Knows nothing of who asks.

local generate = require "spec.bench.generate"
local host = require "spec.support.host"
local nginx = require "spec.support.nginx"
local pki = require "spec.support.pki"

local service = {}
local Service = {}
Service.__index = Service

local SEED = 1
local HOPS = 15
local SYSTEM_CA_DIRECTORY, SYSTEM_CAS = "/etc/ssl/certs", "/ca-certificates.crt"

-- A POST to a file is answered with 405, and that with the file, before the request is read: below /read it is read
-- first, without which libcurl fails where many streams are slow to send theirs. What is below /slow comes at a steady
-- pace; /many chooses the answer by the first target asked for, and takes its time.
local TEXT = [[
$MAIN
error_log error.log notice;
worker_processes 1;
events { worker_connections 1024; }
http {
$TEMP
  default_type application/json;
  keepalive_requests 1000000;
  keepalive_timeout 600s;
  open_file_cache max=100;
  output_buffers 2 128k;
  init_worker_by_lua_block {
$READY
  }
  server {
    listen 127.0.0.1:$PORT ssl http2 backlog=1024;
    http2_max_concurrent_streams 256;
    ssl_certificate good.pem;
    ssl_certificate_key good.key;
    ssl_session_cache shared:tls:1m;
    root answers;
    error_page 405 =200 $uri;
    location / {
      rewrite ^/(\w+)/ /$1.json break;
    }
    location /many/ {
      client_body_in_single_buffer on;
      content_by_lua_block {
        ngx.req.read_body()
        ngx.sleep(0.1)
        ngx.exec("/from" .. ngx.req.get_body_data():match("target(%d+)") .. "/")
      }
    }
    location /read/ {
      client_body_in_single_buffer on;
      content_by_lua_block {
        ngx.req.read_body()
        ngx.exec("/" .. ngx.var.uri:match("^/read/(%w+)/") .. "/")
      }
    }
    location /slow/ {
      limit_rate $RATE;
      rewrite ^/slow/(\w+)/ /slow/$1.json break;
    }
  }
}
]]

-- The CAs of a machine of the day, and ours: as a directory, each under its hash, with a file of them all in it.
local function write_cas(directory, ca_file)
  local all = directory .. "/cas"
  host.run(("mkdir %s && cp -L %s/*.pem %s; cp %s %s/ours.pem && openssl rehash %s"):format(
    all, SYSTEM_CA_DIRECTORY, all, ca_file, all, all))
  host.write(all .. SYSTEM_CAS, (host.read(SYSTEM_CA_DIRECTORY .. SYSTEM_CAS) or "") .. host.read(ca_file))
  return all
end

local function write_answers(directory, answers)
  local sizes = {}
  for name, shape in pairs(answers) do
    local text = '{"success":true,"errors":[],"messages":[],"result":' ..
      generate.generate(shape.targets, shape.colos, HOPS, SEED, shape.before) .. "}"
    if shape.is_newer then -- than the contract: each colo has a field that it does not know
      text = text:gsub('"colo":{', '"newer":1,%0')
    end
    host.write(("%s/answers/%s.json"):format(directory, name), text)
    host.run(("ln %s/answers/%s.json %s/answers/slow/"):format(directory, name, directory))
    sizes[name] = #text
  end
  return sizes
end

--- options: answers (`{ [name] = { targets =, colos =, before = } }`), rate (bytes a second of the slow ones, as nginx
--- writes them).
function service.start(options)
  local self = {}
  self.process = nginx.start {
    name = "traceroute-bench",
    configure = function(directory)
      host.run(("cd %s && mkdir -p answers/slow && chmod -R 755 ."):format(host.quote(directory)))
      self.directory, self.port = directory, host.free_ports(1)[1]
      self.sizes = write_answers(directory, options.answers)
      self.cas = write_cas(directory, pki.make(directory).ca_file)
      return nginx.fill(TEXT, { PORT = tostring(self.port), RATE = options.rate })
    end,
  }
  return setmetatable(self, Service)
end

--- Has this process and its children trust the service, as they do the rest of the world: only in a mount namespace of
--- its own (unshare --mount).
function Service:trust()
  local said, status = host.run(("mount --bind %s %s 2>&1"):format(host.quote(self.cas), SYSTEM_CA_DIRECTORY))
  assert(status == 0, said)
end

--- The base URL that gives the answer of that name, "slow/" or "read/" and its name, or "many".
function Service:url(name)
  return ("https://localhost:%d/%s"):format(self.port, name)
end

function Service:stop()
  self.process:stop()
end

return service
