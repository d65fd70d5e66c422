-- The behaviours that answer compressed, run inside nginx: rightly, wrongly, too much.

local service = require "spec.support.service"
local traces = require "spec.support.traces"

local encodings = {}

-- gzip: ok, compressed by nginx for a client that accepts it.
function encodings.gzip(_, request)
  service.answer(request)
end

-- space/<MB>[/<status>]: that much white space, then the published example. gzip_bomb/<MB>[/<status>]: the same,
-- about a thousandth of it on the wire.
function encodings.space(args)
  local space = (" "):rep(1048576)
  ngx.status = tonumber(args[2] or 200)
  for _ = 1, tonumber(args[1]) do
    ngx.print(space)
    if not ngx.flush(true) then
      return ngx.exit(ngx.ERROR)
    end
  end
  ngx.print(service.PUBLISHED)
end

encodings.gzip_bomb = encodings.space

-- br: ok in brotli's format, as one stored block (RFC 7932, 9.2), whatever the client accepts.
function encodings.br(_, request)
  local asked = service.accept(request)
  if not asked then
    return
  end
  local body = service.envelope(traces.result(asked))
  assert(#body <= 65536, "one stored block holds 64 kB")
  local head = (#body - 1) * 16 + 2 ^ 20
  ngx.header["content-encoding"] = "br"
  service.send(200, string.char(head % 256, math.floor(head / 256) % 256, math.floor(head / 65536)) .. body .. "\3")
end

-- bad_gzip: a gzip header, then nothing of the kind. plain_gzip: says gzip, and is the published example as it is.
function encodings.bad_gzip()
  ngx.header["content-encoding"] = "gzip"
  service.send(200, "\31\139\8\0\0\0\0\0\0\3" .. ("\255"):rep(64))
end

function encodings.plain_gzip()
  ngx.header["content-encoding"] = "gzip"
  service.send(200, service.PUBLISHED)
end

return encodings
