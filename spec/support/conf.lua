-- The text of nginx's configuration for the stand-in. Knows the listeners and where the files lie;
-- what is answered is api.lua's, which nginx loads.

local host = require "spec.support.host"
local nginx = require "spec.support.nginx"

local conf = {}

-- In this order they get their ports. `certificate` nil is plain http.
conf.LISTENERS = {
  { name = "https", certificate = "good", http2 = true },
  { name = "http11", certificate = "good" },
  { name = "http" },
  { name = "expired", certificate = "expired" },
  { name = "wrong_name", certificate = "wrong_name" },
  { name = "self_signed", certificate = "self_signed" },
  { name = "old_tls", certificate = "good", tls = "TLSv1" },
}

local MAIN = [[
$MAIN
error_log error.log info;
worker_processes $WORKERS;
events { worker_connections 1024; }
http {
$TEMP
  default_type application/json;
  client_max_body_size 16m;
  client_body_buffer_size 1m;
  large_client_header_buffers 8 64k;
  keepalive_timeout 600s;
  keepalive_requests 100000;
  send_timeout 600s;
  server_tokens off;
  lua_package_path "$ROOT/?.lua;;";
  lua_shared_dict counters 1m;
  lua_check_client_abort on;
  lua_max_running_timers 1;
  init_by_lua_block { require("spec.support.api") }
  init_worker_by_lua_block {
    if ngx.worker.id() == 0 then
      require("spec.support.api").ready()
    end
  }
$SERVERS
}
]]

local SERVER = [[
  server {
$LISTEN
    set $listener "$NAME";
    set $http_port "$HTTP";
    set $bare "$BARE";
$TLS
    log_by_lua_block { require("spec.support.api").ended() }
    location / {
      content_by_lua_block { require("spec.support.api").serve() }
    }
    location ~ ^/gzip {
      gzip on;
      gzip_comp_level 9;
      gzip_min_length 0;
      gzip_types *;
      gzip_proxied any;
      content_by_lua_block { require("spec.support.api").serve() }
    }
    location /reset {
      reset_timedout_connection on;
      content_by_lua_block { require("spec.support.api").serve() }
    }
  }
]]

local TLS = [[
    ssl_certificate $CERTIFICATE.pem;
    ssl_certificate_key $CERTIFICATE.key;
    ssl_protocols $PROTOCOLS;
    ssl_ciphers ALL:@SECLEVEL=0;
    ssl_session_cache builtin;
]]

-- ports: listener name -> port; bare: the behaviour of a URL that names none. Returns the text.
function conf.text(ports, workers, bare)
  local servers, six = {}, host.has_ipv6()
  for _, listener in ipairs(conf.LISTENERS) do
    local options = (listener.certificate and " ssl" or "") .. (listener.http2 and " http2" or "")
    local listen = ("    listen 127.0.0.1:%d%s;\n"):format(ports[listener.name], options)
    if six then
      listen = listen .. ("    listen [::1]:%d%s;\n"):format(ports[listener.name], options)
    end
    servers[#servers + 1] = nginx.fill(SERVER, {
      LISTEN = listen,
      NAME = listener.name,
      HTTP = tostring(ports.http),
      BARE = bare,
      TLS = listener.certificate and nginx.fill(TLS, {
        CERTIFICATE = listener.certificate,
        PROTOCOLS = listener.tls or "TLSv1.2 TLSv1.3",
      }) or "",
    })
  end
  return nginx.fill(MAIN, {
    WORKERS = tostring(workers),
    SERVERS = table.concat(servers),
  })
end

return conf
