# Settings: folders, ports and heaps, each with a default and a variable. README.md lists them.
# A port comes from its own variable, else from MEP_STACK_PORT_OFFSET, else from what the data folder's last `up` used, else from the default.

PROJECT="$(dirname "$STACK")"
CACHE="${MEP_STACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mep-stack}"
DATA="${MEP_STACK_DATA:-$PROJECT/.mep/stack}"
mkdir -p "$CACHE" "$DATA"/{conf,logs,pids,tmp,run}
CACHE="$(cd "$CACHE" && pwd -P)"
DATA="$(cd "$DATA" && pwd -P)"
case "$CACHE$DATA" in
  *[[:space:]]*) fail "the folders of the stack may hold no white space: $CACHE, $DATA" ;;
esac

PORT_DEFAULTS="
  KAFKA_PORT=9092             KAFKA_CONTROLLER_PORT=9093
  CASSANDRA_PORT=9042         CASSANDRA_STORAGE_PORT=7000   CASSANDRA_JMX_PORT=7199
  NAMENODE_PORT=9000          NAMENODE_HTTP_PORT=9870
  STANDBY_PORT=9001           STANDBY_HTTP_PORT=9871
  DATANODE_PORT=9866          DATANODE_HTTP_PORT=9864       DATANODE_IPC_PORT=9867
  METASTORE_PORT=9083         HIVESERVER2_PORT=10000        SPARK_PORT=10010
  TRINO_PORT=8080             METRICS_PORT=9464             POSTGRES_PORT=5432"

recorded_port() { sed -n "s/^$1=//p" "$DATA/ports" 2>/dev/null || true; }

set_port() { # VARIABLE DEFAULT
  local value="${!1:-}"
  if [ -z "$value" ]; then
    [ -n "${MEP_STACK_PORT_OFFSET:-}" ] || value="$(recorded_port "$1")"
    [ -n "$value" ] || value=$(($2 + ${MEP_STACK_PORT_OFFSET:-0}))
  fi
  if ! [[ "$value" =~ ^[0-9]+$ ]] || ((value < 1 || value > 65535)); then fail "$1 is not a port: $value"; fi
  printf -v "$1" '%s' "$value"
}

for setting in $PORT_DEFAULTS; do
  set_port "${setting%=*}" "${setting#*=}"
done

effective_ports() {
  local setting name
  for setting in $PORT_DEFAULTS; do
    name="${setting%=*}"
    printf '%s=%s\n' "$name" "${!name}"
  done
}

KAFKA_HEAP="${KAFKA_HEAP:-256m}"
CASSANDRA_HEAP="${CASSANDRA_HEAP:-512m}"
NAMENODE_HEAP="${NAMENODE_HEAP:-256m}"
DATANODE_HEAP="${DATANODE_HEAP:-256m}"
METASTORE_HEAP="${METASTORE_HEAP:-512m}"
HIVESERVER2_HEAP="${HIVESERVER2_HEAP:-1g}"
SPARK_HEAP="${SPARK_HEAP:-1g}"
TRINO_HEAP="${TRINO_HEAP:-2g}"

# Seconds that a service may take to answer. Loaded machines are slow: Kafka, usually up in 3 s, once took 73 s.
START_TIMEOUT="${MEP_STACK_TIMEOUT:-180}"
# Seconds after which the metastore drops a lock that sends no heartbeat.
METASTORE_LOCK_TIMEOUT="${METASTORE_LOCK_TIMEOUT:-300}"

export TZ=UTC
export HADOOP_USER_NAME="${HADOOP_USER_NAME:-$(id -un)}"

# With a name, HDFS is two NameNodes behind it, for as long as the data folder is there.
NAMESERVICE="${MEP_STACK_NAMESERVICE:-$(cat "$DATA/nameservice" 2>/dev/null || true)}"
HDFS_URL="hdfs://${NAMESERVICE:-127.0.0.1:$NAMENODE_PORT}"
METASTORE_URL="thrift://127.0.0.1:$METASTORE_PORT"
HADOOP_CONF="$DATA/conf/hadoop"

# Where clients find the services, for a shell to evaluate.
effective_env() {
  printf '%s=%q\n' \
    KAFKA "127.0.0.1:$KAFKA_PORT" \
    CASSANDRA "127.0.0.1:$CASSANDRA_PORT" \
    HDFS "$HDFS_URL" \
    METASTORE "$METASTORE_URL" \
    HIVESERVER2 "127.0.0.1:$HIVESERVER2_PORT" \
    SPARK "127.0.0.1:$SPARK_PORT" \
    TRINO "http://127.0.0.1:$TRINO_PORT" \
    POSTGRES "127.0.0.1:$POSTGRES_PORT" \
    HADOOP_CONF_DIR "$HADOOP_CONF" \
    HADOOP_USER_NAME "$HADOOP_USER_NAME"
}

record_settings() {
  [ -z "$NAMESERVICE" ] || write_whole "$DATA/nameservice" echo "$NAMESERVICE"
  write_whole "$DATA/ports" effective_ports
  write_whole "$DATA/env" effective_env
}

write_whole() { # FILE COMMAND…: the output of the command, in place all at once
  local partial="$1.$BASHPID"
  "${@:2}" > "$partial"
  mv "$partial" "$1"
}
