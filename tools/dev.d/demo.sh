# demo: a real server on its embedded store, real clients over TCP, and what the harness measured.
# Whatever it starts it ends, however it ends itself.

demo_clients=10000
demo_rate=1500
demo_seconds=20
demo_ramp_seconds=60
demo_dir=$root/build/demo
demo_lock=
server_pid=
load_pid=

# `wait` and `kill -0` do not tell that a child has ended while bash is in a trap.
has_ended() { [ ! -e "/proc/$1" ] || grep -qs '^State:.Z' "/proc/$1/status"; }

# stop_process PID: asks, and insists after five seconds.
stop_process() {
  local i
  kill -TERM "$1" 2>/dev/null || return 0
  exec {never}<> <(:)
  for ((i = 0; i < 100; i++)); do
    ! has_ended "$1" || break
    read -r -t 0.05 -u "$never" || true
  done
  kill -KILL "$1" 2>/dev/null || true
}
stop_server() {
  [ -z "$server_pid" ] || stop_process "$server_pid"
  server_pid=
}
# Who interrupts a demo does not wait for its report.
stop_load() {
  [ -n "$load_pid" ] || return 0
  disown "$load_pid"
  kill -KILL "$load_pid" 2>/dev/null || true
  load_pid=
}

# A key of the ports file.
port_of() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1]))
for key in sys.argv[2].split("."): d = d[key]
print(d)' "$demo_dir/ports.json" "$1"; }

# One demo at a time in a tree: the directory of the other one is in use.
lock_demo() {
  mkdir -p "$root/build"
  exec {demo_lock}>>"$root/build/demo.lock"
  flock -n "$demo_lock" ||
    die "another demo runs in this tree (pid $(cat "$root/build/demo.lock")): wait until it has ended"
  echo $$ >"$root/build/demo.lock"
}

start_server() {
  local i began
  began=$(now_ms)
  say "== server: starting ringtalkd on a free port, store and keys in ${demo_dir#"$root"/}"
  rm -rf "$demo_dir"
  mkdir -p "$demo_dir/data"
  (umask 077 && head -c 32 /dev/urandom >"$demo_dir/token.key")
  # A session of its own: Ctrl-C is for this script, which ends the two in order.
  setsid "$root/build/bin/ringtalkd" --listen 127.0.0.1:0 --data-dir "$demo_dir/data" \
    --token-key "$demo_dir/token.key" --ports-file "$demo_dir/ports.json" \
    --set heartbeat.interval_ms=2000 >"$demo_dir/server.log" 2>&1 {demo_lock}>&- &
  server_pid=$!
  at_exit stop_server
  exec {never}<> <(:)
  for ((i = 0; i < 100; i++)); do
    [ ! -e "$demo_dir/ports.json" ] || break
    kill -0 "$server_pid" 2>/dev/null || break
    read -r -t 0.1 -u "$never" || true
  done
  [ -e "$demo_dir/ports.json" ] || {
    complain "== server: did not come up; it said:"
    die "$(tail -n 20 "$demo_dir/server.log")"
  }
  # Why it runs on epoll, if it had to: the server's one line with cause and remedy.
  sed -n 's/.*"level":"warn","message":"\(.*\)"}$/   \1/p' "$demo_dir/server.log"
  # The ready line tells how many this host lets it hold; the harness takes one place for itself.
  local room
  room=$(sed -n 's/^ready .*room for \([0-9,]*\),.*/\1/p' "$demo_dir/server.log" | tr -d ,)
  if [ -n "$room" ] && [ "$((room - 1))" -lt "$demo_clients" ]; then
    say "== server: this host allows it $room connections (ulimit -n): $((room - 1)) clients, not $demo_clients"
    demo_clients=$((room - 1))
  fi
  say "== server: serving on 127.0.0.1:$(port_of client.port) over $(port_of backend) after $(took "$began")"
}

# Verdicts are results here; only what is no verdict (usage, unreachable, interrupted) is an error.
load_status=0
run_load() {
  load_status=0
  at_exit stop_load
  # Who did not come in by then does not come: the report says so.
  setsid "$root/build/bin/loadgen" run mixed --target "127.0.0.1:$(port_of client.port)" \
    --connections "$demo_clients" --rate "$demo_rate" --duration "$demo_seconds" \
    --set "ramp.timeout=$demo_ramp_seconds" \
    --token-key "$demo_dir/token.key" --out "$demo_dir/run" {demo_lock}>&- &
  load_pid=$!
  wait "$load_pid" || load_status=$?
  load_pid=
  case $load_status in 0 | 98 | 99) ;; *) return "$load_status" ;; esac
}

demo_command() {
  [ $# -eq 0 ] || die "usage: ./tools/dev demo" 2
  local began
  began=$(now_ms)
  setup build
  lock_demo
  [ -e build/build.ninja ] || configure build tests=false
  compile build "server, harness and client (release)" "${programs[@]}"
  link_programs
  start_server
  phase load "$demo_clients clients log in, then $demo_seconds s of rooms and one-to-one messages" run_load
  stop_server
  say "== demo: $(took "$began") in all"
  say ""
  python3 tools/demo_report.py "$demo_dir" "$root"
  return "$load_status"
}
