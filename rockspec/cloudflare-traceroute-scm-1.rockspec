package = "cloudflare-traceroute"
version = "scm-1"
source = {
  url = "git+https://github.com/cloudflare-traceroute/cloudflare-traceroute.git",
}
description = {
  summary = "Traceroutes from Cloudflare's data centres, as plain Lua tables",
  detailed = [[
Runs traceroutes through Cloudflare's API, from as many data centres as you like, and hands the results
back as nested Lua tables whose shape has been checked. With helpers that filter hops and draw reports.]],
  homepage = "https://github.com/cloudflare-traceroute/cloudflare-traceroute",
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = {
  "lua >= 5.1",
  "lua-cjson",
  "argparse >= 0.7",
}
external_dependencies = {
  -- No header: luarocks would look in /usr/include alone, and Debian's is in a directory of its machine.
  LIBCURL = { library = "curl" },
}
build = {
  type = "builtin",
  modules = {
    ["traceroute.core"] = {
      sources = {
        "csrc/alloc.c",
        "csrc/buffer.c",
        "csrc/call.c",
        "csrc/collector.c",
        "csrc/contract.c",
        "csrc/doorbell.c",
        "csrc/error.c",
        "csrc/errtable.c",
        "csrc/exchange.c",
        "csrc/job.c",
        "csrc/module.c",
        "csrc/options.c",
        "csrc/outbox.c",
        "csrc/pace.c",
        "csrc/partial.c",
        "csrc/preview.c",
        "csrc/quota.c",
        "csrc/reactor.c",
        "csrc/request.c",
        "csrc/response.c",
        "csrc/result.c",
        "csrc/retry.c",
        "csrc/schema.c",
        "csrc/slicer.c",
        "csrc/target.c",
        "csrc/thread.c",
      },
      defines = { "_GNU_SOURCE" },
      incdirs = { "$(LIBCURL_INCDIR)" },
      libdirs = { "$(LIBCURL_LIBDIR)" },
      libraries = { "curl", "pthread", "dl" },
    },
    ["traceroute"] = "lua/traceroute/init.lua",
    ["traceroute.address"] = "lua/traceroute/address.lua",
    ["traceroute.analysis"] = "lua/traceroute/analysis.lua",
    ["traceroute.analysis.diff"] = "lua/traceroute/analysis/diff.lua",
    ["traceroute.analysis.loss"] = "lua/traceroute/analysis/loss.lua",
    ["traceroute.analysis.path"] = "lua/traceroute/analysis/path.lua",
    ["traceroute.analysis.rtt"] = "lua/traceroute/analysis/rtt.lua",
    ["traceroute.analysis.summary"] = "lua/traceroute/analysis/summary.lua",
    ["traceroute.cli"] = "lua/traceroute/cli.lua",
    ["traceroute.cli.arguments"] = "lua/traceroute/cli/arguments.lua",
    ["traceroute.cli.conditions"] = "lua/traceroute/cli/conditions.lua",
    ["traceroute.cli.manual"] = "lua/traceroute/cli/manual.lua",
    ["traceroute.cli.system"] = "lua/traceroute/cli/system.lua",
    ["traceroute.cqueues"] = "lua/traceroute/cqueues.lua",
    ["traceroute.fields"] = "lua/traceroute/fields.lua",
    ["traceroute.hops"] = "lua/traceroute/hops.lua",
    ["traceroute.invalid"] = "lua/traceroute/invalid.lua",
    ["traceroute.json"] = "lua/traceroute/json.lua",
    ["traceroute.luv"] = "lua/traceroute/luv.lua",
    ["traceroute.meta"] = "lua/traceroute/meta.lua",
    ["traceroute.nginx"] = "lua/traceroute/nginx.lua",
    ["traceroute.report"] = "lua/traceroute/report.lua",
    ["traceroute.report.both_ways"] = "lua/traceroute/report/both_ways.lua",
    ["traceroute.report.csv"] = "lua/traceroute/report/csv.lua",
    ["traceroute.report.diff"] = "lua/traceroute/report/diff.lua",
    ["traceroute.report.dot"] = "lua/traceroute/report/dot.lua",
    ["traceroute.report.json"] = "lua/traceroute/report/json.lua",
    ["traceroute.report.markdown"] = "lua/traceroute/report/markdown.lua",
    ["traceroute.report.prometheus"] = "lua/traceroute/report/prometheus.lua",
    ["traceroute.report.rows"] = "lua/traceroute/report/rows.lua",
    ["traceroute.report.table"] = "lua/traceroute/report/table.lua",
    ["traceroute.shared_pace"] = "lua/traceroute/shared_pace.lua",
    ["traceroute.text"] = "lua/traceroute/text.lua",
  },
  install = {
    bin = { ["cf-traceroute"] = "lua/traceroute/cli/main.lua" },
  },
}
