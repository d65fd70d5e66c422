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
        "csrc/doorbell.c",
        "csrc/error.c",
        "csrc/errtable.c",
        "csrc/exchange.c",
        "csrc/job.c",
        "csrc/module.c",
        "csrc/outbox.c",
        "csrc/pace.c",
        "csrc/quota.c",
        "csrc/reactor.c",
        "csrc/request.c",
        "csrc/response.c",
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
    ["traceroute.cqueues"] = "lua/traceroute/cqueues.lua",
    ["traceroute.luv"] = "lua/traceroute/luv.lua",
    ["traceroute.nginx"] = "lua/traceroute/nginx.lua",
    ["traceroute.shared_pace"] = "lua/traceroute/shared_pace.lua",
  },
}
