# Configuring and building. One build directory for each kind of build, all under build* at the root.

jobs=$(nproc)
programs=(src/ringtalkd loadgen/loadgen tools/ringtalk/ringtalk)

# option DIR NAME: the value of a meson option in a configured directory.
option() {
  python3 - "$1/meson-info/intro-buildoptions.json" "$2" <<'PY'
import json, sys
def text(v): return " ".join(v) if isinstance(v, list) else str(v).lower() if isinstance(v, bool) else str(v)
print(next((text(o["value"]) for o in json.load(open(sys.argv[1])) if o["name"] == sys.argv[2]), ""))
PY
}

# configure DIR OPTION=VALUE...: makes the directory, or changes the options that differ.
configure() {
  local dir=$1 wanted change=()
  shift
  mkdir -p "$log_dir"
  if [ ! -e "$root/$dir/build.ninja" ]; then
    phase "configure-$dir" "meson setup $dir $*" meson setup "$root/$dir" "$root" "${@/#/-D}"
    return
  fi
  # What meson knows of the tests must be as new as the build files.
  ninja -C "$root/$dir" build.ninja >"$log_dir/regenerate.log" 2>&1 ||
    { tail -n 20 "$log_dir/regenerate.log" >&2; return 1; }
  for wanted in "$@"; do
    [ "$(option "$root/$dir" "${wanted%%=*}")" = "${wanted#*=}" ] || change+=("-D$wanted")
  done
  [ ${#change[@]} -eq 0 ] ||
    phase "configure-$dir" "meson configure $dir ${change[*]}" meson configure "$root/$dir" "${change[@]}"
}

# compile DIR TEXT TARGET...: all that is built by default without targets.
compile() {
  local dir=$1 text=$2
  shift 2
  phase "compile-$dir" "$text, $jobs jobs" env NINJA_STATUS='[%f/%t] ' ninja -C "$root/$dir" -j "$jobs" "$@"
}

# The programs at one place whatever folder builds them.
link_programs() {
  local program
  mkdir -p "$root/build/bin"
  for program in "${programs[@]}"; do
    [ ! -x "$root/build/$program" ] || ln -sfn "../$program" "$root/build/bin/${program##*/}"
  done
}

# What CI compiles has no warnings; elsewhere a newer compiler's new warning stops nobody.
strictness() { if [ "${CI:-}" = true ]; then echo werror=true; fi; }

build_command() {
  [ $# -eq 0 ] || die "usage: ./tools/dev build" 2
  setup build
  [ -e build/build.ninja ] || configure build tests=false
  compile build "release build"
  link_programs
  say "programs: build/bin/{$(cd build/bin && echo * | tr ' ' ',')}"
}
