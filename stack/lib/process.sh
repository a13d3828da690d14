# Processes: each service is one process (a JVM, but for PostgreSQL) that carries a mark of its service and data folder, so that no other process is
# ever taken for it.

# The mark is a property of the JVM; to PostgreSQL a setting of a name that it does not know.
marker() {
  case "$1" in
    postgres) echo "mep.stack=$1:$DATA" ;;
    *) echo "-Dmep.stack=$1:$DATA" ;;
  esac
}

pid_of() { # SERVICE: its pid, when it runs
  local pid
  pid="$(cat "$DATA/pids/$1" 2>/dev/null)" || return 1
  is_marked "$1" "$pid" && echo "$pid"
}

is_marked() { # SERVICE PID
  [ -n "$2" ] && { tr '\0' '\n' < "/proc/$2/cmdline"; } 2>/dev/null | grep -Fxq -e "$(marker "$1")"
}

runs() { pid_of "$1" > /dev/null; }

memory_of() { # PID: resident memory in MB
  awk '/^VmRSS:/ { printf "%d", $2 / 1024 }' "/proc/$1/status" 2>/dev/null || true
}

# launch JAVA HEAP CLASSPATH MAIN ARGUMENT…: starts the service's JVM with the options in jvm_options.
launch() {
  local java="$1" heap="$2" classpath="$3"
  shift 3
  launch_program "$java" "$(marker "$service")" "-Xmx$heap" -Djava.io.tmpdir="$DATA/tmp" -Djava.net.preferIPv4Stack=true \
    -Duser.timezone=UTC "${jvm_options[@]}" -cp "$classpath" "$@"
}

# launch_program COMMAND…: starts the service, whose command has its marker; one earlier log is kept.
launch_program() {
  local log="$DATA/logs/$service.log" pid
  mkdir -p "$DATA/run/$service"
  [ ! -e "$log" ] || mv "$log" "$log.1"
  (
    cd "$DATA/run/$service" || exit
    close_files
    exec setsid nohup "$@"
  ) > "$log" 2>&1 < /dev/null &
  pid=$!
  echo "$pid" > "$DATA/pids/$service"
  # Until the program is there, the pid is a shell's.
  while kill -0 "$pid" 2>/dev/null && ! is_marked "$service" "$pid"; do sleep 0.05; done
}

# Closes what was inherited beside stdin, stdout and stderr: a service would hold an open lock for as long as it runs.
close_files() {
  local file
  for file in "/proc/$BASHPID/fd"/*; do
    file="${file##*/}"
    ((file <= 2)) || exec {file}>&-
  done
}

end_process() { # SERVICE SIGNAL SECONDS: fails when it still runs after that
  local pid deadline
  pid="$(pid_of "$1")" || return 0
  kill "-$2" "$pid" 2>/dev/null || true
  deadline=$((SECONDS + $3))
  while is_marked "$1" "$pid"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# Takes the lock of the service, so that two commands do not start or stop it at once. It is free again when the shell ends.
lock_service() { # SERVICE
  exec {service_lock}> "$DATA/pids/$1.lock"
  flock -w $((START_TIMEOUT + 30)) "$service_lock" || fail "$1: another command has been starting or stopping it for too long"
}
