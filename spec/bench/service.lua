-- A service whose answers cost next to nothing: nginx hands out files over TLS, so that what asks is what is measured.
-- Knows nothing of who asks.

local conf = require "spec.support.conf"
local generate = require "spec.bench.generate"
local host = require "spec.support.host"
local pki = require "spec.support.pki"
local process = require "spec.support.process"

local service = {}
local Service = {}
Service.__index = Service

local START_TRIES = 5
local SEED = 1
local HOPS = 15
local SYSTEM_CAS = "/etc/ssl/certs/ca-certificates.crt"

-- A POST to a file is answered with 405, and that with the file. What is below /slow comes at a steady pace; /many
-- chooses the answer by the first target asked for, and takes its time.
local TEXT = [[
daemon off;
pid nginx.pid;
error_log error.log notice;
worker_processes 1;
$USER
$MODULES
events { worker_connections 1024; }
http {
  access_log off;
  default_type application/json;
  client_body_temp_path temp/body;
  proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi;
  uwsgi_temp_path temp/uwsgi;
  scgi_temp_path temp/scgi;
  keepalive_requests 1000000;
  keepalive_timeout 600s;
  open_file_cache max=100;
  output_buffers 2 128k;
  init_worker_by_lua_block {
    local fifo = io.open("$DIRECTORY/ready", "w")
    fifo:write("ready\n")
    fifo:close()
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
    location /slow/ {
      limit_rate $RATE;
      rewrite ^/slow/(\w+)/ /slow/$1.json break;
    }
  }
}
]]

local function fill(text, values)
  return (text:gsub("%$(%u+)", values))
end

-- What a client finds on a machine of the day: the CAs of the system, and ours.
local function write_ca_file(directory, ca_file)
  local all = directory .. "/all.pem"
  host.write(all, (host.read(SYSTEM_CAS) or "") .. host.read(ca_file))
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

local function try(options)
  local directory = host.private_directory("traceroute-bench")
  host.run(("cd %s && mkdir -p temp answers/slow && chmod -R 755 ."):format(host.quote(directory)))
  local port = host.free_ports(1)[1]
  local self = { directory = directory, port = port, sizes = write_answers(directory, options.answers) }
  self.ca_file = write_ca_file(directory, pki.make(directory).ca_file)
  local user = host.run("id -u"):match("%d+") == "0" and ("user %s;"):format(host.run("id -un"):match("%S+")) or ""
  host.write(directory .. "/nginx.conf", fill(TEXT, {
    USER = user,
    MODULES = conf.modules(),
    DIRECTORY = directory,
    PORT = tostring(port),
    RATE = options.rate,
  }))
  self.process = process.launch(directory, ("nginx -e error.log -p %s -c %s/nginx.conf"):format(
    host.quote(directory), host.quote(directory)))
  local ready, why = self.process:ready()
  return ready and setmetatable(self, Service), why
end

--- options: answers (`{ [name] = { targets =, colos =, before = } }`), rate (bytes a second of the slow ones, as nginx
--- writes them).
function service.start(options)
  local why
  for _ = 1, START_TRIES do
    local started
    started, why = try(options)
    if started then
      return started
    end
  end
  error("nginx did not start: " .. tostring(why))
end

--- The base URL that gives the answer of that name, "slow/" and its name, or "many".
function Service:url(name)
  return ("https://localhost:%d/%s"):format(self.port, name)
end

function Service:stop()
  self.process:stop()
end

return service
