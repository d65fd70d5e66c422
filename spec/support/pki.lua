-- The certificates of one run: a CA of its own, a good certificate and the bad ones that a client
-- must refuse. Knows openssl's command line and nothing of who uses the files.

local host = require "spec.support.host"

local pki = {}

-- $1 name, $2 subject, $3 subjectAltName: $1.csr and $1.key, then $1.pem signed by the CA.
local SCRIPT = [[
set -e
cd "$DIRECTORY"
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $key -keyout ca.key -out ca.pem -days 2 -subj "/CN=spec CA" \
  -addext keyUsage=critical,keyCertSign,cRLSign
sign() {
  openssl req -new $key -keyout "$1.key" -out "$1.csr" -subj "/CN=$2" -addext "subjectAltName=$3"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -set_serial "$4" -days "$5" \
    -copy_extensions copy -out "$1.pem"
}
here=DNS:localhost,IP:127.0.0.1,IP:::1$ADDRESSES
sign good localhost "$here" 2 2 & good=$!
sign expired localhost "$here" 3 -1 & expired=$!
sign wrong_name elsewhere.example DNS:elsewhere.example 4 2 & wrong=$!
openssl req -x509 $key -keyout self_signed.key -out self_signed.pem -days 2 -subj "/CN=localhost" \
  -addext "subjectAltName=$here"
wait $good
wait $expired
wait $wrong
]]

-- Makes <name>.pem and <name>.key in the directory, for each of good, expired, wrong_name and
-- self_signed, and ca.pem, which signed all but the last. The good ones are for localhost, 127.0.0.1, ::1 and
-- the further addresses.
function pki.make(directory, addresses)
  local log = directory .. "/pki.log"
  local further = {}
  for i, address in ipairs(addresses or {}) do
    further[i] = ",IP:" .. address
  end
  local _, status = host.run(("DIRECTORY=%s ADDRESSES=%s sh -c %s >%s 2>&1"):format(
    host.quote(directory), host.quote(table.concat(further)), host.quote(SCRIPT), host.quote(log)))
  assert(status == 0, "openssl: " .. tostring(host.read(log)))
  return { ca_file = directory .. "/ca.pem" }
end

return pki
