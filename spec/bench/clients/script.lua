-- What people write today: curl by popen, lua-cjson, nothing checked.
local cjson = require "cjson"
local pipe = io.popen(("curl -sf -H 'Authorization: Bearer x' -H 'Content-Type: application/json' " ..
  "-d '%s' '%s/accounts/account/diagnostics/traceroute'"):format(os.getenv("BODY"), os.getenv("BASE_URL")))
local answer = cjson.decode(pipe:read("*a"))
pipe:close()
local slow = 0
for _, target in ipairs(answer.result) do
  for _, colo in ipairs(target.colos) do
    for _, hop in ipairs(colo.hops) do
      for _, node in ipairs(hop.nodes) do
        slow = slow + (node.mean_rtt_ms > 50 and 1 or 0)
      end
    end
  end
end
print(slow)
