---@meta _
-- meta: the types of the public interface for editors (LuaCATS). Never loaded; a spec compares it with the schema.

---@class traceroute what is not in init.lua: loaded when it is first asked for
---@field hops traceroute.Hops
---@field analysis traceroute.Analysis
---@field report traceroute.Report
---@field json traceroute.Json

---@class traceroute.Options
---@field colos? string[] names of colos; default and empty: all
---@field max_ttl? integer 0 to 64 hops; default 15
---@field packet_type? "icmp"|"tcp"|"udp"|"gre"|"gre+icmp" default "icmp"
---@field packets_per_ttl? integer 0 to 10; default 3
---@field port? integer 0 to 65535; TCP, UDP: destination; ICMP: first sequence number; default 0: chosen
---@field wait_time? integer 1 to 5 seconds for the answer to a probe; default 1
---@field token? string default: CLOUDFLARE_API_TOKEN
---@field email? string with key; default: CLOUDFLARE_EMAIL
---@field key? string with email; default: CLOUDFLARE_API_KEY
---@field base_url? string default: CLOUDFLARE_BASE_URL, then https://api.cloudflare.com/client/v4
---@field insecure? boolean credentials may go over plain http to other machines; default false
---@field timeout? number seconds for the whole call; default by max_ttl, packets_per_ttl, wait_time
---@field try_timeout? number seconds for one try, then it is tried again; default none
---@field connect_timeout? number seconds; default 10
---@field retries? integer 0 to 100 further tries; default 2
---@field proxy? string URL, "" for none; default: https_proxy
---@field ca_file? string PEM file of the CAs to trust, or a directory from `openssl rehash`; default the system's CAs
---@field user_agent? string default cloudflare-traceroute/VERSION
---@field max_response_bytes? integer for each response, decompressed; default 67108864
---@field concurrency? integer 1 to 64 requests side by side; default 4
---@field quota? integer requests in five minutes; default 1200; 0: no limit of our own
---@field shared_dict? string nginx: name of the lua_shared_dict through which all workers share one quota
---@field on_progress? fun(progress: traceroute.Progress): boolean? false ends the call
---@field validate? "strict"|"lenient"|false default "strict"

---@class traceroute.ProbeOptions
---@field max_ttl? integer 0 to 64 hops; default 15
---@field packet_type? "icmp"|"tcp"|"udp" default "icmp"; gre and gre+icmp are Cloudflare's alone
---@field packets_per_ttl? integer 0 to 10; default 3
---@field port? integer 0 to 65535; TCP, UDP: destination; default 0: 80, 33434
---@field wait_time? integer 1 to 5 seconds for the answer to a probe; default 1; tcp: always 1, see the README
---@field family? "any"|"ipv4"|"ipv6" of names that have both; default "any": IPv4 first
---@field rate? number packets a second at most, for all targets together; default 200
---@field gap? integer silent hops in a row after which a target is given up; default 5; 0: never
---@field resolve? boolean look up the names of nodes; default true
---@field asn? boolean look up their AS numbers by DNS; default true
---@field asn_zone? string default origin.asn.cymru.com
---@field asn6_zone? string default origin6.asn.cymru.com
---@field dns_servers? string "127.0.0.1:5353,…"; default the system's
---@field dns_timeout? number seconds for one question; default 3
---@field timeout? number seconds for all; default by the options
---@field colo? string what this vantage point is called; default this host's name
---@field city? string default none
---@field allow? string[] networks besides public ones that may be probed, checked after resolution; default all
---@field deny? string[] networks that may not be probed, nor then private ones that `allow` has not; default none
---@field on_progress? fun(progress: traceroute.ProbeProgress): boolean? false ends it

---@class traceroute.ProbeProgress
---@field targets integer
---@field targets_done integer

---@class traceroute.Progress
---@field requests integer
---@field requests_done integer
---@field colos integer colo results that arrived
---@field bytes integer of these

---@class traceroute.Node
---@field ip? string
---@field name? string host name; may equal ip
---@field asn? string
---@field labels? string[]
---@field packet_count? integer packets with a response from this node
---@field min_rtt_ms? number
---@field mean_rtt_ms? number
---@field max_rtt_ms? number
---@field std_dev_rtt_ms? number sample standard deviation

---@class traceroute.Hop
---@field packets_ttl? integer
---@field packets_sent? integer
---@field packets_lost? integer
---@field nodes? traceroute.Node[]

---@class traceroute.Colo
---@field name? string
---@field city? string

---@class traceroute.Summary the service spells the four figures in one of two ways
---@field ip? string
---@field name? string
---@field asn? string
---@field packet_count? integer
---@field min_rtt_ms? number
---@field mean_rtt_ms? number
---@field max_rtt_ms? number
---@field std_dev_rtt_ms? number
---@field min_latency_ms? number
---@field mean_latency_ms? number
---@field max_latency_ms? number
---@field std_dev_latency_ms? number

---@class traceroute.ColoResult
---@field colo? traceroute.Colo
---@field error? string "" or "Could not gather traceroute data: Code 1" to 4
---@field hops? traceroute.Hop[]
---@field target_summary? traceroute.Summary
---@field traceroute_time_ms? integer

---@class traceroute.TargetResult
---@field target? string
---@field colos? traceroute.ColoResult[]

---@alias traceroute.Result traceroute.TargetResult[]

---@alias traceroute.Kind
---| "invalid_request"
---| "authentication"
---| "permission"
---| "not_found"
---| "rate_limit"
---| "api"
---| "server"
---| "connection"
---| "timeout"
---| "invalid_response"
---| "cancelled"

---@class traceroute.Source
---@field pointer? string

---@class traceroute.Message
---@field code? integer
---@field message? string
---@field documentation_url? string
---@field source? traceroute.Source

---@class traceroute.Error
---@field kind traceroute.Kind
---@field message string
---@field path? string
---@field status? integer HTTP status
---@field code? integer the service's first error code
---@field errors? traceroute.Message[]
---@field retry_after? number seconds
---@field ray? string
---@field attempts? integer
---@field targets? string[] those for which not everything arrived

---@class traceroute.RequestInfo
---@field targets string[]
---@field status? integer
---@field ray? string
---@field attempts? integer
---@field seconds? number of all tries
---@field bytes? integer of all tries, decompressed
---@field messages? traceroute.Message[]
---@field error? traceroute.Error

---@class traceroute.Info: { [integer]: traceroute.RequestInfo }
---@field dropped string[] paths of fields that had the wrong type, or that repeated the credential

---@class traceroute.Plan what a call would send
---@field method string
---@field url string
---@field headers string[] lines; "***" stands for what a credential may be in
---@field bodies string[] JSON, one a request
---@field requests integer
---@field timeout number seconds for the whole call

---@class traceroute.Job
local Job = {}

--- Moves the job on and waits at most that long.
---@param seconds? number default 0: does not wait
---@return boolean? done nil and an error when the job cannot be stepped here
---@return boolean|traceroute.Error more there is more to take in right away
function Job:step(seconds) end

--- A descriptor that is readable when a step is worth taking; valid until the job is collected or closed.
---@return integer? fd
---@return traceroute.Error? err
function Job:fd() end

---@return traceroute.Result? result
---@return traceroute.Error? err
---@return traceroute.Info? info
function Job:result() end

--- Ends the job; what arrived is kept.
function Job:cancel() end

return Job
