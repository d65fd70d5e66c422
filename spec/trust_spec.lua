-- Whose certificates are taken where a call names no ca_file: the CAs of the system, which these specs put in
-- the place of the machine's own in a mount namespace. What `ca_file` does is exchange_spec's.

local host = require "spec.support.host"
local server = require "spec.support.server"

local SYSTEM = "/etc/ssl/certs"
local MANY = os.getenv("CHECKED_LUA") and 4 or 50 -- valgrind takes its time to shake hands

-- Why this cannot be shown here, or nil.
local function obstacle()
  if not require("traceroute.core").LIBCURL:find("OpenSSL/", 1, true) then
    return "libcurl's TLS library is another than OpenSSL"
  end
  if select(2, host.run("test -d " .. SYSTEM)) ~= 0 then
    return "no " .. SYSTEM .. " here"
  end
  if select(2, host.run("unshare --mount true 2>/dev/null")) ~= 0 then
    return "needs a mount namespace"
  end
end

describe("without ca_file", function()
  local stand_in, cas, why

  setup(function()
    stand_in = server.get()
    why = obstacle()
  end)

  before_each(function()
    stand_in:reset()
    cas = host.private_directory("traceroute-trust")
  end)

  after_each(function()
    host.remove(cas)
  end)

  local function has_directory()
    host.run(("cp %s %s/ours.pem && openssl rehash %s"):format(stand_in.ca_file, cas, cas))
  end

  -- After has_directory(), which would hash it as well.
  local function has_file()
    host.run(("cp %s %s/ca-certificates.crt"):format(stand_in.ca_file, cas))
  end

  -- A line for each of the URLs: "fine", or the error, of one process that calls them in turn; with `many`, of so many
  -- calls at once to each, the first that is not fine.
  local function ask(urls, many)
    local script = cas .. "/script.lua"
    host.write(script, ([[
      package.path, package.cpath = %q, %q
      local traceroute = require "traceroute"
      for url in ("%s"):gmatch("%%S+") do
        local jobs, err = {}, nil
        for i = 1, %d do
          jobs[i] = assert(traceroute.start(%q, "192.0.2.1", { base_url = url, token = "TOKEN-OF-SPEC", retries = 0,
            timeout = %d, connect_timeout = %d }))
        end
        for _, job in ipairs(jobs) do
          err = err or select(2, traceroute.wait(job))
        end
        print(err or "fine")
      end
    ]]):format(package.path, package.cpath, table.concat(urls, " "), many or 1, stand_in.account, host.LONG, host.LONG))
    return (host.run(("timeout %d unshare --mount sh -c %s 2>&1"):format(5 * host.LONG, host.quote(
      ("mount --bind %s %s && exec %s %s/script.lua"):format(cas, SYSTEM, host.quote(host.checked_interpreter()),
        SYSTEM)))))
  end

  -- How many connections the stand-in took between the first of the requests and the last, with both.
  local function connections(from, to)
    local list = stand_in:requests()
    return list[to].connection - list[from].connection + 1
  end

  local function it_if_possible(name, body)
    it(name, function()
      if why then
        pending(why)
        return
      end
      body()
    end)
  end

  it_if_possible("takes what the system's directory knows, without a look at the file", function()
    has_directory()
    assert.equal("fine\nfine\n", ask { stand_in:url("ok"), stand_in:url("ok", "http11") })
    assert.equal(2, connections(1, 2))
  end)

  it_if_possible("takes what only the system's file knows, and from then on looks there first", function()
    has_file()
    assert.equal("fine\nfine\nfine\n",
      ask { stand_in:url("ok"), stand_in:url("ok", "http11"), stand_in:url("ok", "https", "127.0.0.1") })
    assert.equal(3, connections(1, 3))
  end)

  it_if_possible("takes what only the directory knows after the file was of more use", function()
    host.run(("cp %s/self_signed.pem %s/other.pem && openssl rehash %s"):format(stand_in.directory, cas, cas))
    has_file()
    assert.equal("fine\nfine\n", ask { stand_in:url("ok"), stand_in:url("ok", "self_signed") })
  end)

  it_if_possible("says of what neither knows that it is not trusted", function()
    local unknown = "^connection: .*not trusted: .*issuer"
    assert.matches(unknown, ask { stand_in:url("ok") })
    host.run(("cp %s/self_signed.pem %s/ca-certificates.crt"):format(stand_in.directory, cas))
    assert.matches(unknown, ask { stand_in:url("ok") })
    assert.same({}, stand_in:requests())
  end)

  it_if_possible("says what is wrong with a certificate of a CA that it knows, and looks no further", function()
    has_directory()
    host.run(("cp %s/self_signed.pem %s/ca-certificates.crt"):format(stand_in.directory, cas))
    local good = stand_in:url("ok")
    local said = ask { good, stand_in:url("ok", "wrong_name"), stand_in:url("ok", "expired"),
      stand_in:url("ok", "https", "127.0.0.1") }
    assert.matches("^fine\nconnection: .*name.*\nconnection: .*expired.*\nfine\n$", said)
    assert.equal(4, connections(1, 2))
  end)

  it_if_possible("goes on with the directory after a file that knew no better", function()
    has_directory()
    host.run(("cp %s/ca.key %s/other.key && openssl req -x509 -key %s/other.key -subj /CN=nobody -days 2 "
      .. "-out %s/ca-certificates.crt"):format(stand_in.directory, cas, cas, cas))
    local said = ask { stand_in:url("ok"), stand_in:url("ok", "self_signed"), stand_in:url("ok", "http11"),
      stand_in:url("ok", "https", "127.0.0.1") }
    assert.matches("^fine\nconnection: .*not trusted: .*self.signed.*\nfine\nfine\n$", said)
    assert.equal(5, connections(1, 3))
  end)

  it_if_possible("does without a file that holds nothing", function()
    has_directory()
    host.write(cas .. "/ca-certificates.crt", "")
    local said = ask { stand_in:url("ok"), stand_in:url("ok", "self_signed"), stand_in:url("ok", "http11") }
    assert.matches("^fine\nconnection: .*not trusted: .*self.signed.*\nfine\n$", said)
  end)

  it_if_possible("takes what only the file knows for many calls at once, too", function()
    has_file()
    assert.equal("fine\nfine\n", ask({ stand_in:url("ok"), stand_in:url("ok", "http11") }, MANY))
    assert.equal(2 * MANY, #stand_in:requests())
  end)
end)
