# The cache of downloads. A folder in it is named by what it was made from, and is put in place whole; it is made once, by whoever comes first.

MAVEN="${MEP_STACK_MAVEN:-mvn}"

# cached NAME KEY COMMAND…: prints the folder NAME-KEY, which `COMMAND… FOLDER` fills when it is not there.
# Bash does not stop at errors in a command whose failure is looked at, so the steps of such a COMMAND are joined by `&&`.
cached() {
  local folder="$CACHE/$1-$2" lock
  if [ ! -d "$folder" ]; then
    exec {lock}> "$CACHE/.$1.lock"
    flock "$lock"
    if [ ! -d "$folder" ]; then
      say "fetching $1 (once, into $CACHE)"
      rm -rf "$folder.partial"
      mkdir "$folder.partial"
      "${@:3}" "$folder.partial" >&2 || fail "$1 could not be fetched"
      mv -T "$folder.partial" "$folder"
    fi
    exec {lock}>&-
  fi
  echo "$folder"
}

maven_jars() { # POM: the folder with all that poms/POM.xml names
  cached "$1" "$(pom_hash "$1")" copy_dependencies "$1"
}

pom_hash() { sha256sum "$STACK/poms/$1.xml" | cut -c -16; }

copy_dependencies() { # POM FOLDER
  local lock
  # Maven's own repository does not stand several writers.
  exec {lock}> "$CACHE/.maven.lock"
  flock "$lock"
  JAVA_HOME="$JAVA17_HOME" "$MAVEN" -B -ntp -q -Dstyle.color=never -f "$STACK/poms/$1.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$2"
}

maven_archive() { # POM COMMAND…: the folder that `COMMAND… ARCHIVE FOLDER` makes of the one archive that poms/POM.xml names
  cached "$1" "$(pom_hash "$1")" unpack_archive "$@"
}

unpack_archive() { # POM COMMAND… FOLDER
  local folder="${*: -1}"
  copy_dependencies "$1" "$folder.archive" &&
    "${@:2:$#-2}" "$folder.archive"/* "$folder" &&
    rm -rf "$folder.archive"
}

python_package() { # NAME VERSION COMMAND…: the folder that `COMMAND… ARCHIVE FOLDER` makes of a package's archive from PyPI
  cached "$1" "$2" unpack_package "$@"
}

unpack_package() { # NAME VERSION COMMAND… FOLDER
  local folder="${*: -1}"
  rm -rf "$folder.archive"
  python3 -m pip download -q --disable-pip-version-check --no-deps -d "$folder.archive" "$1==$2" &&
    "${@:3:$#-3}" "$folder.archive"/* "$folder" &&
    rm -rf "$folder.archive"
}
