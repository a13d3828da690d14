# The catalogue: which services there are, what each needs, and how names on the command line become services.

ALL_SERVICES="kafka cassandra postgres namenode standby datanode metastore hiveserver2 spark trino"
DEFAULT_SERVICES="kafka cassandra namenode datanode metastore hiveserver2 trino"

# Reads services/NAME.sh, which sets
#   needs, ports      services that must answer first; the variables of its ports, the one that clients use first
#   fetch             puts what it runs into the cache and sets variables about it
#   configure         writes its configuration
#   start             launches it
#   answers           succeeds once it does its work
load_service() {
  service="$1"
  needs=() ports=()
  # shellcheck source=/dev/null
  . "$STACK/services/$1.sh"
}

needs_of() { (load_service "$1" && echo "${needs[*]}"); }

needed_by() { # services that need this one
  local other
  for other in $ALL_SERVICES; do
    case " $(needs_of "$other") " in *" $1 "*) echo "$other" ;; esac
  done
}

services_named() { # NAME…: known services, groups replaced by their members
  local name
  for name in "$@"; do
    case "$name" in
      hdfs) echo namenode ${NAMESERVICE:+standby} datanode ;;
      all) echo "${ALL_SERVICES/ standby/${NAMESERVICE:+ standby}}" ;;
      default) echo "$DEFAULT_SERVICES" ;;
      *)
        case " $ALL_SERVICES " in
          *" $name "*) echo "$name" ;;
          *) fail "no service is called $name; there are: $ALL_SERVICES, and the groups hdfs, default and all" ;;
        esac
        ;;
    esac
  done
}

with_needs() { # SERVICE…: these and all that they need, in the catalogue's order
  local wanted=" $* " name more
  while :; do
    more=""
    for name in $wanted; do
      for need in $(needs_of "$name"); do
        case "$wanted$more" in *" $need "*) ;; *) more+="$need " ;; esac
      done
    done
    [ -n "$more" ] || break
    wanted+="$more"
  done
  for name in $ALL_SERVICES; do
    case "$wanted" in *" $name "*) echo "$name" ;; esac
  done
}

where_they_are() { # SERVICE…: the lines of the settings that tell where these are, and what clients need beside them
  local name wanted="HADOOP_USER_NAME"
  for name in "$@"; do
    case "$name" in
      namenode) wanted+="|HDFS|HADOOP_CONF_DIR" ;;
      standby | datanode) ;;
      *) wanted+="|${name^^}" ;;
    esac
  done
  effective_env | grep -E "^($wanted)="
}
