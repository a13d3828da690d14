# The schedule: carries out an action on services concurrently, each after those that come before it.

# run_in_order ACTION BEFORE SERVICE…: BEFORE prints the services to wait for. Ends the script when one action failed; it must be called
# on its own, not in a condition, or the actions would go on after errors.
run_in_order() {
  local action="$1" before="$2" waiting="${*:3}" name other pid blocked still
  local failed=" "
  local -A job=() predecessors=()
  for name in $waiting; do predecessors[$name]="$($before "$name" | tr '\n' ' ')"; done
  # Background jobs of a script do not hear Ctrl-C; they must not outlive it.
  trap 'kill "${!job[@]}" 2>/dev/null || true' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  while [ -n "${waiting// /}" ] || [ ${#job[@]} -gt 0 ]; do
    still=""
    for name in $waiting; do
      blocked=""
      for other in ${predecessors[$name]}; do
        case "$failed" in *" $other "*) blocked=failed; break ;; esac
        case " $waiting ${job[*]} " in *" $other "*) blocked=waiting ;; esac
      done
      case "$blocked" in
        failed)
          say "$name: left alone, since $other failed"
          failed+="$name "
          ;;
        waiting) still+=" $name" ;;
        *)
          ("$action" "$name") &
          job[$!]="$name"
          ;;
      esac
    done
    waiting="$still"
    [ ${#job[@]} -gt 0 ] || continue
    pid=""
    if ! wait -n -p pid "${!job[@]}"; then failed+="${job[$pid]} "; fi
    unset "job[$pid]"
  done
  trap - EXIT INT TERM
  [ "$failed" = " " ] || fail "failed:${failed% }"
}
