# Apache Cassandra: one node.

needs=()
ports=(CASSANDRA_PORT CASSANDRA_STORAGE_PORT CASSANDRA_JMX_PORT)

fetch() { jars="$(maven_jars cassandra)"; }

configure() {
  cat > "$DATA/conf/cassandra.yaml" << END
cluster_name: mep
num_tokens: 16
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
commitlog_sync: periodic
commitlog_sync_period: 10000ms
commitlog_directory: $DATA/cassandra/commitlog
saved_caches_directory: $DATA/cassandra/saved_caches
hints_directory: $DATA/cassandra/hints
cdc_raw_directory: $DATA/cassandra/cdc_raw
data_file_directories: [$DATA/cassandra/data]
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
native_transport_port: $CASSANDRA_PORT
storage_port: $CASSANDRA_STORAGE_PORT
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{seeds: "127.0.0.1:$CASSANDRA_STORAGE_PORT"}]
END
}

start() {
  local package
  mapfile -t jvm_options < <(reflection_options)
  for package in java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch java.management.rmi/com.sun.jmx.remote.internal.rmi \
    java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.sql/java.sql; do
    jvm_options+=("--add-exports=$package=ALL-UNNAMED")
  done
  for package in java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.math java.base/jdk.internal.module \
    java.base/jdk.internal.reflect java.base/jdk.internal.util.jar jdk.compiler/com.sun.tools.javac.file \
    jdk.management/com.sun.management.internal; do
    jvm_options+=("--add-opens=$package=ALL-UNNAMED")
  done
  jvm_options+=(
    -XX:+UseSerialGC
    -Djdk.attach.allowAttachSelf=true
    -javaagent:"$(echo "$jars"/jamm-*.jar)"
    -Dcassandra.config="file://$DATA/conf/cassandra.yaml"
    -Dcassandra.storagedir="$DATA/cassandra"
    -Dcassandra.jmx.local.port="$CASSANDRA_JMX_PORT"
    -Dcassandra-foreground=yes
    # One node has nobody to wait for.
    -Dcassandra.ring_delay_ms=1000
    -Dcassandra.skip_wait_for_gossip_to_settle=0
  )
  launch "$JAVA17_HOME/bin/java" "$CASSANDRA_HEAP" "$jars/*" org.apache.cassandra.service.CassandraDaemon
}

# CQL's request OPTIONS (5), which SUPPORTED (6) answers.
answers() { [ "$(ask "$CASSANDRA_PORT" '\x04\0\0\0\x05\0\0\0\0' 5 | cut -c 9-)" = 06 ]; }
