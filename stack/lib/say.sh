# Messages: progress goes to stderr, so that stdout holds only what a caller may evaluate.

say() { printf '%s\n' "$*" >&2 || true; }

fail() {
  printf 'stack: %s\n' "$*" >&2
  exit 1
}
