# Processes of mep that go on in the background. Each carries a mark of its name and data folder in its environment, so that no other process is ever
# taken for it.

METRICS_URL="http://127.0.0.1:$METRICS_PORT/metrics"

# Prints the binary: that of MEP, or else the project's, which is built where its sources are newer.
find_mep() {
  local mep
  if [ -n "${MEP:-}" ]; then
    mep="$(command -v "$MEP")" || fail "MEP=$MEP is no program; unset it, and mep is built"
    realpath "$mep"
    return
  fi
  mep="${CARGO_TARGET_DIR:-$PROJECT/target}/release/mep"
  if command -v cargo > /dev/null; then
    say "building mep (the first time takes about 15 minutes)"
    (cd "$PROJECT" && cargo build --release --locked --quiet) >&2 || fail "mep cannot be built; MEP names a binary to use in its place"
  fi
  [ -x "$mep" ] || fail "there is no $mep, and no cargo to build it with; install Rust, or name a binary by MEP"
  realpath "$mep"
}

# What puts mep on the path and tells its target lambda where the services are, for a shell to evaluate.
mep_settings() {
  printf 'export PATH=%q:"$PATH"\n' "$(dirname "$mep")"
  printf 'export %s=%q\n' \
    MEP_PROJECT_DIR "$PROJECT" \
    MEP_TARGET lambda \
    MEP_BROKERS "127.0.0.1:$KAFKA_PORT" \
    MEP_CASSANDRA "127.0.0.1:$CASSANDRA_PORT" \
    MEP_METASTORE "$METASTORE_URL" \
    MEP_LOCATION "$HDFS_URL/warehouse/mep" \
    MEP_STACK_DATA "$DATA" \
    HADOOP_CONF_DIR "$HADOOP_CONF" \
    HADOOP_USER_NAME "$HADOOP_USER_NAME"
}

mep_mark() { echo "MEP_STACK_PROCESS=$1:$DATA"; }

is_mep() { # NAME PID
  [ -n "$2" ] && { tr '\0' '\n' < "/proc/$2/environ"; } 2>/dev/null | grep -Fxq -e "$(mep_mark "$1")"
}

mep_pid() { # NAME: its pid, when it runs
  local pid
  pid="$(cat "$DATA/demo/$1.pid" 2>/dev/null)" || return 1
  is_mep "$1" "$pid" && echo "$pid"
}

mep_log() { echo "$DATA/logs/$1.log"; }

# launch_mep NAME WORD…: starts it, unless it runs; one earlier log is kept.
launch_mep() {
  local name="$1" log pid
  shift
  if mep_pid "$name" > /dev/null; then return; fi
  log="$(mep_log "$name")"
  [ ! -e "$log" ] || mv "$log" "$log.1"
  (
    close_files
    exec env "$(mep_mark "$name")" setsid nohup "$mep" "$@"
  ) > "$log" 2>&1 < /dev/null &
  pid=$!
  echo "$pid" > "$DATA/demo/$name.pid"
  # Until mep is there, the pid is a shell's.
  while kill -0 "$pid" 2>/dev/null && ! is_mep "$name" "$pid"; do sleep 0.05; done
}

end_mep() { # NAME
  local name="$1" pid deadline signal
  for signal in TERM KILL; do
    pid="$(mep_pid "$name")" || break
    kill "-$signal" "$pid" 2>/dev/null || true
    deadline=$((SECONDS + 30))
    while is_mep "$name" "$pid" && ((SECONDS < deadline)); do sleep 0.1; done
  done
  ! mep_pid "$name" > /dev/null || fail "$name: cannot be ended"
  [ ! -e "$DATA/demo/$name.pid" ] || say "$name: down"
  rm -f "$DATA/demo/$name.pid"
}

# until_mep NAME WHAT CONDITION…: waits until the condition holds; fails when the process ends before.
until_mep() {
  local name="$1" what="$2" deadline=$((SECONDS + START_TIMEOUT)) log
  log="$(mep_log "$name")"
  shift 2
  until "$@"; do
    if ! mep_pid "$name" > /dev/null; then
      fail_with_lines "mep $name has ended" "$log"
    fi
    ((SECONDS < deadline)) || fail_with_lines "mep $name: $what for $START_TIMEOUT s (MEP_STACK_TIMEOUT sets the limit)" "$log"
    sleep 0.25
  done
}
