-- Links of the lab with a length: frames that enter one end come out at the other after so many milliseconds. Runs
-- on LuaJIT within the lab's namespaces, for as long as the lab does. arg[1]: a file with a line for each link, "A B
-- MILLISECONDS", all of one length; in the node A it makes a tap device called B, in B one called A.
-- Looks into no frame, drops none.

local bit, ffi = require "bit", require "ffi"

ffi.cdef [[
int open(const char *, int, ...); int setns(int, int); int ioctl(int, unsigned long, ...); int close(int);
long read(int, void *, unsigned long); long write(int, const void *, unsigned long);
struct pollfd { int fd; short events, revents; };
struct timespec { long sec, nsec; };
int ppoll(struct pollfd *, unsigned long, const struct timespec *, const void *);
int clock_gettime(int, struct timespec *);
struct ifreq { char name[16]; short flags; char rest[22]; };
]]

local C = ffi.C
local O_RDWR, O_NONBLOCK, CLONE_NEWNET, POLLIN, CLOCK_MONOTONIC = 2, 0x800, 0x40000000, 1, 1
local TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 2, 0x1000
local FRAME_MAX = 2048

local function check(status, what)
  if status < 0 then
    error(what .. ": errno " .. ffi.errno())
  end
  return status
end

local function tap(node, name)
  local namespace = check(C.open("/run/netns/" .. node, 0), node)
  check(C.setns(namespace, CLONE_NEWNET), "setns")
  C.close(namespace)
  local fd = check(C.open("/dev/net/tun", bit.bor(O_RDWR, O_NONBLOCK)), "/dev/net/tun")
  local request = ffi.new("struct ifreq", { name = name, flags = bit.bor(IFF_TAP, IFF_NO_PI) })
  check(C.ioctl(fd, TUNSETIFF, request), "TUNSETIFF " .. name)
  return fd
end

local function now()
  local time = ffi.new "struct timespec"
  C.clock_gettime(CLOCK_MONOTONIC, time)
  return tonumber(time.sec) + tonumber(time.nsec) * 1e-9
end

local ends, other, delay = {}, {}, nil
for line in io.lines(arg[1]) do
  local a, b, ms = line:match("^(%S+) (%S+) (%S+)$")
  assert(not delay or delay == ms / 1000, "links of several lengths")
  delay = ms / 1000
  local one, two = tap(a, b), tap(b, a)
  ends[#ends + 1], ends[#ends + 2] = one, two
  other[one], other[two] = two, one
end
io.stdout:write("delaying\n")
io.stdout:flush()

-- All wait equally long, so they leave in the order in which they came.
local queue, first, last = {}, 1, 0
local polled = ffi.new("struct pollfd[?]", #ends)
for i, fd in ipairs(ends) do
  polled[i - 1].fd, polled[i - 1].events = fd, POLLIN
end
local frame, left = ffi.new("char[?]", FRAME_MAX), ffi.new "struct timespec"

while true do
  local wait
  if first <= last then
    wait, left.nsec = left, math.max(0, (queue[first].due - now()) * 1e9)
  end
  C.ppoll(polled, #ends, wait, nil)
  local time = now()
  for i = 0, #ends - 1 do
    while polled[i].revents ~= 0 do
      local length = C.read(polled[i].fd, frame, FRAME_MAX)
      if length <= 0 then
        break
      end
      last = last + 1
      queue[last] = { due = time + delay, to = other[polled[i].fd], frame = ffi.string(frame, length) }
    end
  end
  while first <= last and queue[first].due <= time do
    local item = queue[first]
    C.write(item.to, item.frame, #item.frame)
    queue[first] = nil
    first = first + 1
  end
end
