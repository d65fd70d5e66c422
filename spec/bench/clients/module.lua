-- The module, as a script of the day: BASE_URL, TARGETS -> the number of nodes above 50 ms.
local traceroute = require "traceroute"
local targets = {}
for i = 1, tonumber(os.getenv("TARGETS")) do
  targets[i] = "target" .. i .. ".example"
end
local result, err = traceroute.create("account", targets, {
  base_url = os.getenv("BASE_URL"),
  token = "0123456789abcdefghijklmnopqrstuvwxyzABCD",
})
local slow = 0
for _, target in ipairs(result or error(err)) do
  for _, colo in ipairs(target.colos) do
    for _, hop in ipairs(colo.hops) do
      for _, node in ipairs(hop.nodes) do
        slow = slow + (node.mean_rtt_ms > 50 and 1 or 0)
      end
    end
  end
end
print(slow)
