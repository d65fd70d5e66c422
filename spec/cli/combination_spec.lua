local combination = require "traceroute.cli.combination"

-- What is said of these options; flags and lists as the parser gives them.
local function fault(args)
  args.target = args.target or {}
  return combination.fault(args)
end

describe("options together", function()
  it("are refused where one leaves another nothing to do", function()
    assert.equal("--read takes a saved result; a target is for a new one", fault { read = "x", target = { "a" } })
    assert.equal("--from does nothing with --read, which takes a saved result",
      fault { read = "x", from = { "den01" } })
    assert.equal("--base-url does nothing with --here, which traces from this machine",
      fault { here = true, base_url = "https://x" })
    assert.equal("--fail-if does nothing with --dry-run, which shows the requests and sends nothing",
      fault { dry_run = true, fail_if = { "error" } })
    assert.equal("--format does nothing with --quiet, which shows no report", fault { quiet = true, format = "csv" })
    assert.equal("--columns does nothing with --diff, which shows what changed",
      fault { diff = "x", columns = { "ttl" } })
    for _, name in ipairs { "type", "port", "max_ttl", "packets", "wait", "account", "timeout", "retries",
      "concurrency", "base_url", "ca_file", "proxy", "here", "targets", "dry_run", "watch", "times" } do
      assert.matches("^%-%-[%l-]+ does nothing with %-%-read", fault { read = "x", [name] = "1" } or "", name)
    end
  end)

  it("are refused where another value is needed", function()
    assert.equal("--port is for --type tcp or udp", fault { port = 443 })
    assert.equal("--port is for --type tcp or udp", fault { port = 443, type = "gre" })
    assert.equal("--columns is for --format table, wide or md", fault { columns = { "ttl" }, format = "csv" })
    assert.equal("--width is for --format table or wide", fault { width = 80, format = "json" })
    assert.equal("--no-notes is for --format table, wide or md", fault { no_notes = true, format = "json" })
    assert.equal("--color is for --format table or wide", fault { color = "always", format = "json" })
    assert.equal("--diff is for text or --format json", fault { diff = "x", format = "csv" })
    assert.equal("--times is for --watch", fault { times = 3 })
    assert.equal("standard input can be read once", fault { targets = { "-" }, diff = "-" })
    assert.equal("standard input can be read once", fault { targets = { "-", "-" } })
  end)

  it("are taken where each has something to do", function()
    for _, args in ipairs {
      {}, { port = 443, type = "tcp" }, { here = true, type = "udp", port = 53, max_ttl = 5, timeout = 9, save = "x" },
      { read = "-", save = "x", format = "csv" }, { read = "x", diff = "-", color = "always" },
      { color = "never", format = "json" }, { color = "auto", format = "csv", quiet = nil },
      { width = 80, columns = { "ttl" }, no_notes = true, color = "always", format = "wide" },
      { dry_run = true, from = { "den01" }, timeout = 5, account = "a", targets = { "-" } },
      { quiet = true, color = "never", watch = 5, times = 2, save = "x", fail_if = { "error" } },
    } do
      assert.is_nil(fault(args))
    end
  end)
end)
