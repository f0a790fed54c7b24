# How tools/dev speaks: one line when a phase begins, one when it ends, and a sign of life between.
# A phase runs in the foreground with its output in a log (so that Ctrl-C reaches it); the sign of
# life comes from a background ticker that reads the last line of that log.

log_dir=$root/build/log
ticker=
exit_actions=()

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }
die() { complain "$1"; exit "${2:-1}"; }

# Runs a command when the script ends, however it ends; the last one added runs first.
at_exit() { exit_actions+=("$1"); }
run_exit_actions() {
  local status=$? i
  trap '' INT TERM
  for ((i = ${#exit_actions[@]} - 1; i >= 0; i--)); do eval "${exit_actions[i]}" || true; done
  exit "$status"
}
trap run_exit_actions EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

now_ms() { local t=${EPOCHREALTIME/[.,]/}; printf '%s' "${t%???}"; }
# "4.2 s" below ten seconds, "83 s" above.
took() {
  local ms=$(($(now_ms) - $1))
  if ((ms < 10000)); then printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100)); else printf '%d s' $((ms / 1000)); fi
}

stop_ticker() {
  [ -n "$ticker" ] || return 0
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  ticker=
  [ ! -t 1 ] || printf '\r\033[K'
}

# start_ticker NAME LOG: a line that is rewritten on a terminal, a new line every 10 s elsewhere.
start_ticker() {
  local name=$1 log=$2 owner=$BASHPID
  (
    trap - EXIT
    trap 'exit 0' TERM
    began=$SECONDS
    # A pipe nobody writes to is a sleep without a process to leave behind.
    exec {never}<> <(:)
    while kill -0 "$owner" 2>/dev/null; do
      read -r -t 1 -u "$never" || true
      [ -t 1 ] || (((SECONDS - began) % 10 == 0)) || continue
      last=$(tail -c 400 "$log" 2>/dev/null | tr '\r' '\n' | tail -n 1 | cut -c 1-60) || last=
      if [ -t 1 ]; then
        printf '\r\033[K   %s: %d s  %s' "$name" $((SECONDS - began)) "$last"
      else
        printf '   %s: %d s  %s\n' "$name" $((SECONDS - began)) "$last"
      fi
    done
  ) &
  ticker=$!
}
at_exit stop_ticker

# phase NAME TEXT COMMAND...: runs the command quietly; its output is shown when it fails.
phase() {
  local name=$1 text=$2 began status=0
  shift 2
  mkdir -p "$log_dir"
  local log=$log_dir/$name.log
  say "== $name: $text"
  began=$(now_ms)
  : >"$log"
  start_ticker "$name" "$log"
  "$@" >>"$log" 2>&1 || status=$?
  stop_ticker
  if [ "$status" -ne 0 ]; then
    # A compiler's error stands above what other jobs printed after it.
    complain "== $name: failed (exit $status) after $(took "$began"); the end of ${log#"$root"/}:"
    { grep -n -m 20 -E 'error:|FAILED:|^E:' "$log" || true; echo '   ...'; tail -n 25 "$log"; } | cut -c 1-400 >&2
    return "$status"
  fi
  say "== $name: done in $(took "$began")"
}
