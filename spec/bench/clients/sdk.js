// The official Node SDK.
const Cloudflare = require('cloudflare');

async function main() {
  const client = new Cloudflare({ apiToken: 'x', baseURL: process.env.BASE_URL });
  const answer = await client.diagnostics.traceroutes.create(
    { account_id: 'account', ...JSON.parse(process.env.BODY) });
  let slow = 0;
  for (const target of answer.result ?? answer)
    for (const colo of target.colos)
      for (const hop of colo.hops)
        for (const node of hop.nodes)
          if (node.mean_rtt_ms > 50) slow++;
  console.log(slow);
}

main();
