# fuzz: libFuzzer over every parser that bytes of a peer reach. Found inputs gather in build-fuzz;
# the corpus of the repository, which the unit tests replay, is only read.

fuzz_one() {
  local name=$1 seconds=$2 found=$root/build-fuzz/found/$1
  mkdir -p "$found"
  phase "fuzz-$name" "$seconds s" "$root/build-fuzz/tests/fuzz/$name" -max_total_time="$seconds" \
    -artifact_prefix="$found/" -print_final_stats=1 -timeout=10 "$found" "$root/tests/fuzz/corpus" || {
    complain "== fuzz: the input that failed is under ${found#"$root"/}; again: build-fuzz/tests/fuzz/$name FILE"
    return 1
  }
  grep -E 'number_of_executed_units|new_units_added' "$log_dir/fuzz-$name.log" | sed 's/^/   /' || true
}

fuzz_command() {
  local seconds=60 name='' argument target known=()
  for argument in "$@"; do
    if [[ $argument =~ ^[0-9]+$ ]]; then seconds=$argument; else name=$argument; fi
  done
  setup build test fuzz
  if [ ! -e build-fuzz/build.ninja ]; then export CXX=clang++; fi
  configure build-fuzz tests=true fuzz=true
  for target in tests/fuzz/*_fuzz.cc; do
    target=${target##*/}
    known+=("${target%.cc}")
  done
  [ -z "$name" ] || [[ " ${known[*]} " == *" $name "* ]] || die "there is no '$name'; fuzzers: ${known[*]}" 2
  for target in ${name:-"${known[@]}"}; do
    compile build-fuzz "libFuzzer with clang" "tests/fuzz/$target"
    fuzz_one "$target" "$seconds"
  done
}
