# Hadoop's configuration files.

# site_xml FILE: lines of `name=value` on stdin become a configuration file; empty lines and comments (#) are left out.
site_xml() {
  local partial="$1.$BASHPID"
  mkdir -p "$(dirname "$1")"
  {
    echo '<configuration>'
    sed -E -e '/^[[:space:]]*(#|$)/d' -e 's/&/\&amp;/g; s/</\&lt;/g' \
      -e 's|^[[:space:]]*([^=]+)=(.*)$| <property><name>\1</name><value>\2</value></property>|'
    echo '</configuration>'
  } > "$partial"
  mv "$partial" "$1"
}
