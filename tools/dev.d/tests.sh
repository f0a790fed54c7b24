# test, lint, sanitize, ci. tools/run_tests.py runs and counts; here is what is built, and how.
# These functions are also called where `set -e` does not reach, so each step says `|| return`.

# Without address space randomisation where the host lets us: sanitizers map fixed addresses.
fixed_addresses() { if setarch -R true 2>/dev/null; then setarch -R "$@"; else "$@"; fi; }

is_binary() {
  [ -n "$2" ] && python3 - "$1/meson-info/intro-tests.json" "$2" <<'PY'
import json, sys
sys.exit(sys.argv[2] not in {test["name"] for test in json.load(open(sys.argv[1]))})
PY
}

# run_suite DIR TEXT NAME RUNNER-OPTION...: builds what these tests need, then runs them.
run_suite() {
  local dir=$1 text=$2 name=$3 targets=() began
  shift 3
  # The release build is built whole, unless one binary is asked for.
  if [ "$dir" != build ] || is_binary "$dir" "$name"; then
    mapfile -t targets < <(python3 tools/run_tests.py "$dir" ${name:+"$name"} --targets "$@")
    [ ${#targets[@]} -eq 0 ] || compile "$dir" "$text" "${targets[@]}" || return
  else
    compile "$dir" "$text" || return
    link_programs
  fi
  say "== test: ${name:-all} in $dir"
  began=$(now_ms)
  fixed_addresses python3 tools/run_tests.py "$dir" ${name:+"$name"} "$@" || return
  [ -z "${counts_file:-}" ] || say "== test: $dir took $(took "$began")"
}

counting() { [ -z "${counts_file:-}" ] || printf '%s\n' --counts "$counts_file"; }

# shellcheck disable=SC2046
test_release() {
  configure build tests=true bench=true $(strictness) || return
  run_suite build "release build of everything" "${1:-}" $(counting)
}

test_command() {
  [ $# -le 1 ] || die "usage: ./tools/dev test [NAME]" 2
  setup build test lint
  test_release "$@"
}

lint_command() {
  setup lint
  python3 tools/lint/lint.py "$@"
}

# configure_sanitizer DIR SANITIZERS
configure_sanitizer() {
  configure "$1" tests=true "b_sanitize=$2" optimization=1 debug=false unity=on \
    'cpp_args=-g1 -fno-omit-frame-pointer -fno-sanitize-recover=all'
}

# shellcheck disable=SC2046
test_asan() {
  configure_sanitizer build-asan address,undefined || return
  ASAN_OPTIONS=strict_string_checks=1:detect_stack_use_after_return=1:check_initialization_order=1 \
    UBSAN_OPTIONS=print_stacktrace=1 RINGTALK_SIM_SEEDS=60 \
    run_suite build-asan "AddressSanitizer and UndefinedBehaviorSanitizer" "${1:-}" \
    --suite unit,contract,sim,corpus --timeout-factor 5 --repeat './tools/dev sanitize asan' $(counting)
}

# shellcheck disable=SC2046
test_tsan() {
  configure_sanitizer build-tsan thread || return
  TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
    run_suite build-tsan "ThreadSanitizer" "${1:-}" \
    --suite threads --timeout-factor 5 --repeat './tools/dev sanitize tsan' $(counting)
}

sanitize_command() {
  local which=both
  case "${1:-}" in asan | tsan) which=$1; shift ;; esac
  [ $# -le 1 ] || die "usage: ./tools/dev sanitize [asan|tsan] [NAME]" 2
  setup build test
  [ "$which" = tsan ] || test_asan "$@"
  [ "$which" = asan ] || test_tsan "$@"
}

# More seeds than the tests take, without their time limit.
sim_command() {
  local seeds=${1:-5000}
  [ $# -le 1 ] && [[ $seeds =~ ^[0-9]+$ ]] || die "usage: ./tools/dev sim [SEEDS]" 2
  setup build test
  configure build tests=true
  RINGTALK_SIM_SEEDS=$seeds run_suite build "the simulation" simulation --timeout-factor 100
}

# A build of the epoll back end on a machine that does not have liburing, as far as it can tell:
# pkg-config does not know it and its header does not compile.
# shellcheck disable=SC2046
test_epoll() {
  local hidden=$root/build/hidden path file
  rm -rf "$hidden"
  mkdir -p "$hidden/pkgconfig" "$hidden/include"
  for path in $(pkg-config --variable pc_path pkg-config | tr ':' ' '); do
    for file in "$path"/*.pc; do
      case "$file" in */liburing*.pc | *'/*.pc') ;; *) ln -sf "$file" "$hidden/pkgconfig/" ;; esac
    done
  done
  echo '#error "liburing is hidden from this build"' >"$hidden/include/liburing.h"
  (
    export PKG_CONFIG_LIBDIR=$hidden/pkgconfig
    ! pkg-config --exists liburing || die "liburing is not hidden"
    configure build-epoll tests=true proactor=epoll unity=on "cpp_args=-I$hidden/include" || exit
    run_suite build-epoll "epoll alone, liburing hidden" "" --suite contract \
      --repeat 'PKG_CONFIG_LIBDIR=build/hidden/pkgconfig ./tools/run_tests.py build-epoll' $(counting)
  )
}

test_headers() {
  if phase headers "compiling each header alone" ninja -C "$root/build" headers; then
    echo '1 passed, 0 failed, 0 skipped' >>"$counts_file"
  else
    return 1
  fi
}

# stage NAME FUNCTION: a stage that ends without having counted (its build failed) counts as failed.
stage() {
  local name=$1 before after began status=0
  began=$(now_ms)
  before=$(wc -l <"$counts_file")
  say ""
  say "==== $name"
  "$2" || status=$?
  after=$(wc -l <"$counts_file")
  if [ "$after" = "$before" ]; then echo '0 passed, 1 failed, 0 skipped' >>"$counts_file"; fi
  [ "$status" -eq 0 ] || failed_stages+=("$name")
  stage_times+=("$name $(took "$began")")
}

ci_command() {
  [ $# -eq 0 ] || die "usage: ./tools/dev ci" 2
  local counts_file=$log_dir/ci-counts failed_stages=() stage_times=() began
  began=$(now_ms)
  export CI=true
  setup build test lint
  mkdir -p "$log_dir"
  : >"$counts_file"
  stage "release" test_release
  stage "headers" test_headers
  stage "asan" test_asan
  stage "tsan" test_tsan
  stage "epoll without liburing" test_epoll
  say ""
  say "==== all of it took $(took "$began") ($(printf '%s, ' "${stage_times[@]}" | sed 's/, $//'))"
  [ ${#failed_stages[@]} -eq 0 ] || say "==== failed: $(printf '%s, ' "${failed_stages[@]}" | sed 's/, $//')"
  awk '{ p += $1; f += $3; s += $5 } END { print p " passed, " f " failed, " s " skipped" }' "$counts_file"
  [ ${#failed_stages[@]} -eq 0 ]
}
