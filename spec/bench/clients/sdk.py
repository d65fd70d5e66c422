# The official Python SDK.
import json
import os

from cloudflare import Cloudflare

client = Cloudflare(api_token="x", base_url=os.environ["BASE_URL"])
answer = client.diagnostics.traceroutes.create(account_id="account", **json.loads(os.environ["BODY"]))
print(sum(node.mean_rtt_ms > 50
          for target in answer for colo in target.colos for hop in colo.hops for node in hop.nodes))
