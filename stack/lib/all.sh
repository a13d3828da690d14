# All of the library, for the commands of the stack.
shopt -s inherit_errexit
for part in say settings services schedule fetch java hadoop xml probe process start mep; do
  # shellcheck source=/dev/null
  . "$STACK/lib/$part.sh"
done
unset part
