# bench: the comparisons of docs/performance.md. Each part writes build/bench/PART.md; bench/report.py lays
# them together. Nothing else should run meanwhile: the figures are ratios, but a busy host widens them.

bench_parts=(micro backends peers latency durable idle)

bench_part() {
  local part=$1 out=build/bench/$1.md
  case $part in
    micro) build/bench/bench_micro --benchmark_format=json >build/bench/micro.json &&
      python3 bench/report.py micro build/bench/micro.json >"$out" ;;
    backends | peers) "build/bench/bench_$part" --ringtalkd build/src/ringtalkd --limit-loop build/bench/limit_loop \
      >"$out" ;;
    latency | durable | idle) python3 "bench/$part.py" build >"$out" ;;
  esac
}

bench_command() {
  local parts=("$@") part
  [ ${#parts[@]} -gt 0 ] || parts=("${bench_parts[@]}")
  for part in "${parts[@]}"; do
    [[ " ${bench_parts[*]} " == *" $part "* ]] ||
      die "there is no benchmark '$part'; there are: ${bench_parts[*]}" 2
  done
  setup build test bench
  configure build tests=true bench=true
  compile build "release build of everything"
  link_programs
  mkdir -p build/bench
  for part in "${parts[@]}"; do
    phase "bench-$part" "part $part of docs/performance.md" bench_part "$part"
    python3 bench/report.py stamp "build/bench/$part.md"
    # The tables themselves; what only the report reads is in comments.
    grep -v '^<!--' "build/bench/$part.md" | sed 's/^/   /'
  done
  python3 bench/report.py assemble build/bench docs/performance.md
  say "== bench: wrote docs/performance.md from the parts in build/bench"
}
