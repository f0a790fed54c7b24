# Every package the repository needs, in one place, and `setup`, which installs those that are missing.
#
# group, package (alternatives separated by |), how it is recognised where there is no dpkg:
# a command, a pkg-config module or a header.
package_table='
build  g++                                 command:g++
build  meson                               command:meson
build  ninja-build                         command:ninja
build  pkgconf                             command:pkg-config
build  ccache                              command:ccache
build  liburing-dev                        module:liburing
build  flatbuffers-compiler                command:flatc
build  libflatbuffers-dev                  module:flatbuffers
build  libsqlite3-dev                      module:sqlite3
build  libsodium-dev                       module:libsodium
build  libboost1.81-dev|libboost1.83-dev   header:boost/unordered/unordered_flat_map.hpp
build  libspdlog-dev                       module:spdlog
build  libfmt-dev                          module:fmt
build  libcli11-dev                        header:CLI/CLI.hpp
build  libtomlplusplus-dev                 header:toml++/toml.h
build  nlohmann-json3-dev                  header:nlohmann/json.hpp
build  libutf8proc-dev                     module:libutf8proc
build  zlib1g-dev                          module:zlib
test   libgtest-dev                        module:gtest
test   libgmock-dev                        module:gmock
test   libseccomp-dev                      module:libseccomp
test   strace                              command:strace
test   util-linux                          command:setarch
test   procps                              command:ps
lint   clang-format                        command:clang-format
lint   python3                             command:python3
test   libbenchmark-dev                    module:benchmark
bench  redis-server                        command:redis-server
bench  nats-server                         command:nats-server
fuzz   clang                               command:clang++
'
# Packages that would start a service when they are installed: we want the program, not the service.
service_packages='redis-server nats-server'

on_debian() { command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; }

# probe KIND:NAME: is it there, on a system without dpkg?
probe() {
  local name=${1#*:}
  case "$1" in
    command:*) command -v "$name" >/dev/null ;;
    module:*) pkg-config --exists "$name" 2>/dev/null ;;
    header:*) printf '#include <%s>\n' "$name" | g++ -std=c++20 -E -x c++ - >/dev/null 2>&1 ;;
  esac
}

# missing_packages GROUP...: one line for each entry of the table that is not installed.
missing_packages() {
  local wanted=" $* " installed='' group package recognised name found
  on_debian && installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 2>/dev/null | sed -n 's/^.i //p')
  while read -r group package recognised; do
    [ -n "$group" ] && [[ $wanted == *" $group "* ]] || continue
    if on_debian; then
      found=
      for name in ${package//|/ }; do
        [[ $'\n'$installed$'\n' == *$'\n'"$name"$'\n'* ]] && found=1
      done
      [ -n "$found" ] || printf "%s\n" "$package"
    else
      probe "$recognised" || printf '%s (%s)\n' "${package%%|*}" "${recognised/:/ }"
    fi
  done <<<"$package_table"
}

# The first alternative that the package manager knows.
choose_package() {
  local name
  for name in ${1//|/ }; do
    if apt-cache show "$name" >/dev/null 2>&1; then printf '%s\n' "$name"; return; fi
  done
  printf '%s\n' "${1%%|*}"
}

# Forbids packages to start services while they are installed, unless the host has its own policy.
forbid_service_start() {
  [ ! -e /usr/sbin/policy-rc.d ] || return 0
  at_exit allow_service_start
  printf '#!/bin/sh\n# written by tools/dev setup, removed when it ends\nexit 101\n' |
    "${as_root[@]}" tee /usr/sbin/policy-rc.d >/dev/null
  "${as_root[@]}" chmod 755 /usr/sbin/policy-rc.d
}
allow_service_start() {
  if grep -q 'written by tools/dev setup' /usr/sbin/policy-rc.d 2>/dev/null; then
    "${as_root[@]}" rm -f /usr/sbin/policy-rc.d
  fi
}

# A freshly installed service is neither running nor started at the next boot, whether that boot
# is systemd's or not, and whether systemd is there now or not (a container, a chroot).
disable_service() {
  [ ! -d /run/systemd/system ] || "${as_root[@]}" systemctl --quiet disable --now "$1.service"
  # What maintainer scripts call; it wants to know for which package.
  ! command -v deb-systemd-helper ||
    "${as_root[@]}" env DPKG_MAINTSCRIPT_PACKAGE="$1" deb-systemd-helper disable "$1.service"
  [ ! -e "/etc/init.d/$1" ] || "${as_root[@]}" update-rc.d "$1" disable
}

install_packages() {
  local package services=()
  export DEBIAN_FRONTEND=noninteractive
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0)
  phase packages-index "asking the package manager what it has" "${apt[@]}" update
  local chosen=()
  for package in "$@"; do chosen+=("$(choose_package "$package")"); done
  for package in "${chosen[@]}"; do
    if [[ " $service_packages " == *" $package "* ]]; then services+=("$package"); fi
  done
  [ ${#services[@]} -eq 0 ] || forbid_service_start
  phase packages "installing ${#chosen[@]} packages and what they need, nothing recommended" \
    "${apt[@]}" install --no-install-recommends "${chosen[@]}"
  for package in "${services[@]}"; do disable_service "$package"; done >>"$log_dir/packages.log" 2>&1
  [ ${#services[@]} -eq 0 ] || allow_service_start
}

# setup GROUP...: silent but for one line when nothing is missing; then it needs no root either.
setup() {
  local missing as_root=()
  missing=$(missing_packages "$@")
  if [ -z "$missing" ]; then
    say "== setup: all packages for $* are installed"
    return
  fi
  say "== setup: missing for $*:"
  sed 's/|.*//' <<<"$missing" | tr '\n' ' ' | fold -s -w 90 | sed 's/^/   /;$a\'
  on_debian || die "== setup: this is neither Debian nor Ubuntu: install these (or what they are called here), then run the command again"
  local command
  command="apt-get install --no-install-recommends $(sed 's/|.*//' <<<"$missing" | tr '\n' ' ')"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "== setup: installing needs root and there is no sudo; as root: $command"
    say "== setup: installing with sudo"
    sudo -v || die "== setup: sudo was refused; as root: $command"
    as_root=(sudo)
  fi
  # shellcheck disable=SC2086
  install_packages $missing
}

setup_command() {
  local group known
  known=$(awk 'NF { print $1 }' <<<"$package_table" | sort -u | tr '\n' ' ')
  [ $# -gt 0 ] || set -- build test lint
  for group in "$@"; do
    [[ " $known" == *" $group "* ]] || die "there is no group '$group'; groups: $known" 2
  done
  setup "$@"
}
