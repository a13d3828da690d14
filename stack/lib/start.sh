# Starting and stopping one service.

bring_up() { # SERVICE
  local began=$SECONDS
  load_service "$1"
  lock_service "$1"
  if runs "$1"; then
    until_it_answers "$1"
    return
  fi
  fetch
  check_ports
  configure
  jvm_options=()
  began=$SECONDS
  start
  until_it_answers "$1"
  say "$1: up in $((SECONDS - began)) s"
}

check_ports() {
  local port
  for port in "${ports[@]}"; do
    if port_open "${!port}"; then
      fail "$service: port ${!port} is taken by another process; free it, or set $port or MEP_STACK_PORT_OFFSET"
    fi
  done
}

until_it_answers() { # SERVICE
  local deadline=$((SECONDS + START_TIMEOUT))
  until answers; do
    runs "$1" || fail_with_log "$1 has ended"
    ((SECONDS < deadline)) || fail_with_log "$1 has not answered for $START_TIMEOUT s (it still runs; MEP_STACK_TIMEOUT sets the limit)"
    sleep 0.25
  done
}

fail_with_log() { fail_with_lines "$1" "$DATA/logs/$service.log"; }

fail_with_lines() { # MESSAGE LOG
  {
    echo "stack: $1; the last lines of $2:"
    tail -n 20 "$2" | cut -c -400 | sed 's/^/    /'
  } >&2
  exit 1
}

bring_down() { # SERVICE
  lock_service "$1"
  if runs "$1"; then
    end_process "$1" TERM 30 || end_process "$1" KILL 10 || fail "$1: cannot be ended"
    say "$1: down"
  fi
  rm -f "$DATA/pids/$1"
}
