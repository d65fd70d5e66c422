# curl and jq.
curl -sf -H 'Authorization: Bearer x' -H 'Content-Type: application/json' -d "$BODY" \
  "$BASE_URL/accounts/account/diagnostics/traceroute" |
  jq '[.result[].colos[].hops[].nodes[] | select(.mean_rtt_ms > 50)] | length'
