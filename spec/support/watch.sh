# Runs a command for as long as the process that started it lives: $1 is the private directory, the
# rest the command. The end of standard input, a line on it or a signal ends the command and removes
# the directory. "failed" goes to the directory's fifo `ready` when the command ends by itself.

directory=$1
shift
exec 3<>"$directory/ready" 4<&0
echo $$ >"$directory/watch.pid"

finish() {
  trap '' TERM INT HUP
  kill -TERM "$child" 2>/dev/null
  wait "$child" 2>/dev/null
  rm -rf "$directory"
  exit 0
}
trap finish TERM INT HUP

setpriv --pdeathsig TERM "$@" 3>&- 4<&- >"$directory/output.log" 2>&1 &
child=$!
{
  read -r _ <&4
  # This shell may be gone and its number another's: only a parent is told.
  read -r _ _ _ parent _ </proc/self/stat
  [ "$parent" = $$ ] && kill -TERM $$
} 3>&- &
reader=$!
wait "$child"
echo failed >&3
wait "$reader"
finish
