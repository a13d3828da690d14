# PostgreSQL, whose only user may do anything and needs no password.

needs=()
ports=(POSTGRES_PORT)

fetch() { binaries="$(maven_archive postgres python3 "$STACK/lib/unpack_postgres.py")"; }

# PostgreSQL does not run as root, and another user can read neither root's folders nor, perhaps, the data folder: there it lives below /tmp.
configure() {
  home="$DATA/postgres" as_user=()
  if [ "$(id -u)" = 0 ]; then
    home="${TMPDIR:-/tmp}/mep-stack-$(echo "$DATA" | sha256sum | cut -c -12)"
    as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  fi
  if [ ! -e "$DATA/conf/postgres" ]; then
    rm -rf "$home"
    mkdir -p "$home"
    cp -r "$binaries" "$home/binaries"
    [ ${#as_user[@]} = 0 ] || chown 65534:65534 "$home"
    "${as_user[@]}" "$home/binaries/bin/initdb" -D "$home/data" -U mep --auth=trust --encoding=UTF8 --locale=C --no-sync > "$DATA/logs/postgres-init.log" 2>&1 ||
      fail "postgres: its folder cannot be made; see $DATA/logs/postgres-init.log"
    echo "$home" > "$DATA/conf/postgres"
  fi
}

start() {
  launch_program "${as_user[@]}" "$home/binaries/bin/postgres" -D "$home/data" -c "$(marker postgres)" -p "$POSTGRES_PORT" -c listen_addresses=127.0.0.1 \
    -c "unix_socket_directories=$home" -c fsync=off -c max_connections=200 -c timezone=UTC
}

# A request for encryption, which N declines and S accepts.
answers() { ask "$POSTGRES_PORT" '\0\0\0\x08\x04\xd2\x16\x2f' 1 | grep -q -e 4e -e 53; }
