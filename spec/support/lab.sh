# Builds the lab that lab.lua wrote down in the directory $1, says "ready" in its fifo, and holds it for
# as long as this process lives. Runs in mount and network namespaces of its own: the names of ours are
# on a file system that nobody else sees, and all of it goes with the last process in here.
#
# With a node's name as $2 it is already inside that node, and sets it up.
set -eu
unset LD_PRELOAD # a sanitizer is for who tests, not for these
directory=$1

if [ $# -eq 2 ]; then
  # /proc/sys/net shows whoever reads it the namespace it is in.
  while read -r name value; do
    echo "$value" >"/proc/sys/net/$name"
  done <"$directory/$2.sysctl"
  # A veth leaves checksums to a card that is not there: routers would quote probes with half-made ones.
  while read -r link; do
    ethtool -K "$link" tx off >/dev/null
  done <"$directory/$2.neighbours"
  ip -batch "$directory/$2.routes"
  [ ! -e "$directory/$2.nft" ] || nft -f "$directory/$2.nft"
  exit 0
fi

mount -t tmpfs lab /run
mkdir /run/netns
sed 's/^/netns add /' "$directory/nodes" | ip -batch -

while read -r node; do
  ip -n "$node" -batch "$directory/$node.links"
done <"$directory/nodes"

# What runs here says in a line that it does. Held open, so that the end of one's line is not the end of all.
mkfifo "$directory/listening"
exec 3<>"$directory/listening"
if [ -s "$directory/delayed" ]; then
  setpriv --pdeathsig KILL luajit "${0%.sh}_delay.lua" "$directory/delayed" >&3 3>&- &
  timeout 10 head -n 1 <&3 >/dev/null
fi

while read -r node; do
  nsenter --net="/run/netns/$node" sh "$0" "$directory" "$node"
done <"$directory/nodes"

count=0
while read -r node port; do
  setpriv --pdeathsig KILL nsenter --net="/run/netns/$node" \
    lua5.4 "${0%lab.sh}lab_listen.lua" "$port" >&3 3>&- &
  count=$((count + 1))
done <"$directory/listeners"
timeout 10 head -n "$count" <&3 >/dev/null
exec 3>&-

echo $$ >"$directory/holder.pid"
echo ready >"$directory/ready"
exec sleep infinity
