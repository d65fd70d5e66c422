-- access: who may ask for which account. Knows credentials and nothing of what is asked. They are compared as
-- digests under a key that no one else has, all of them and to their ends, so that the time it takes tells nothing
-- of them; the credentials themselves are not kept.

local _, bit = pcall(require, "bit") -- where it is missing is no nginx, which colo.new says

local ngx = ngx -- luacheck: ignore (nginx's own global)

local access = {}
local Access = {}
Access.__index = Access

local DIGEST_BYTES = 20
local KEY_BYTES = 32

local NOBODY = {
  status = 401, code = 10001, authenticate = true,
  message = "Unable to authenticate request: Authorization: Bearer, or X-Auth-Email with X-Auth-Key, is needed",
}
local UNKNOWN = { status = 401, code = 10000, authenticate = true, message = "Authentication error" }
local FORBIDDEN = { status = 403, code = 10000, message = "Authentication error: not valid for this account" }

local function random_key()
  local file = assert(io.open("/dev/urandom", "rb"))
  local key = file:read(KEY_BYTES)
  file:close()
  assert(key and #key == KEY_BYTES, "no random numbers")
  return key
end

-- One text for either form; neither part can hold the byte between them.
local function written(token, email, key)
  return token and "token\0" .. token or "pair\0" .. email .. "\0" .. key
end

--- credentials: array of { token = } or { email =, key = }, each with `account`, or for all accounts.
function access.new(credentials)
  local self = setmetatable({ key = random_key(), known = {} }, Access)
  for i, credential in ipairs(credentials) do
    self.known[i] = {
      digest = ngx.hmac_sha1(self.key, written(credential.token, credential.email, credential.key)),
      account = credential.account,
    }
  end
  return self
end

-- What a request shows, as one text; nil when it shows nothing, or the same header twice. A token goes before a
-- pair, as in the client.
local function shown(headers)
  local authorization, email, key = headers.authorization, headers["x-auth-email"], headers["x-auth-key"]
  if type(authorization) == "string" then
    local scheme, token = authorization:match("^(%a+) +(%S+)$")
    return scheme and scheme:lower() == "bearer" and written(token) or nil
  elseif authorization == nil and type(email) == "string" and type(key) == "string" then
    return written(nil, email, key)
  end
end

local function is_equal(a, b)
  local difference = 0
  for i = 1, DIGEST_BYTES do
    difference = bit.bor(difference, bit.bxor(a:byte(i), b:byte(i)))
  end
  return difference == 0 and 1 or 0
end

--- nil when the request may go on; else the refusal.
---@param headers table<string, string|string[]> with lower-case names
---@param account string
function Access:check(headers, account)
  local text = shown(headers)
  if not text then
    return NOBODY
  end
  local digest = ngx.hmac_sha1(self.key, text)
  local known, allowed = 0, 0
  for _, credential in ipairs(self.known) do
    local equal = is_equal(credential.digest, digest)
    local applies = (credential.account == nil or credential.account == account) and 1 or 0
    known = bit.bor(known, equal)
    allowed = bit.bor(allowed, bit.band(equal, applies))
  end
  if known == 0 then
    return UNKNOWN
  elseif allowed == 0 then
    return FORBIDDEN
  end
end

return access
