# Installing what is missing on the machine: `missing` is to print the packages (names as in Debian and Ubuntu).

# install_missing [HINT]: installs what `missing` prints, or says what to install and exits 1.
install_missing() {
  local packages as_root
  packages="$(missing | tr '\n' ' ')"
  [ -n "$packages" ] || return 0

  if [ "$(id -u)" = 0 ]; then
    as_root=(env)
  elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n env)
  else
    fail "please install (names as in Debian and Ubuntu): $packages"
  fi
  command -v apt-get > /dev/null || fail "please install (names as in Debian and Ubuntu): $packages"

  say "installing $packages"
  # shellcheck disable=SC2086
  if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages; } >&2; then
    fail "apt-get could not install: $packages${1:+; $1}"
  fi
  [ -z "$(missing)" ] || fail "still missing after the installation: $(missing | tr '\n' ' ')"
}
