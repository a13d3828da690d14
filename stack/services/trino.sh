# Trino: one server, with the catalogs hive and cassandra.

needs=(namenode datanode metastore)
ports=(TRINO_PORT)

fetch() {
  server="$(maven_archive trino unpack_server)"
  java24="$(find_java24)"
}

unpack_server() { # ARCHIVE FOLDER
  local plugin
  # Plugins share their jars by hard links: what is not used can go only when all is unpacked.
  tar xzf "$1" -C "$2" --strip-components=1 || return
  for plugin in "$2"/plugin/*; do
    case "${plugin##*/}" in
      cassandra | hive | memory | tpch) ;;
      *) rm -rf "$plugin" ;;
    esac
  done
}

configure() {
  conf="$DATA/conf/trino"
  mkdir -p "$conf/catalog" "$DATA/trino"
  cat > "$conf/config.properties" << END
node.environment=mep
node.id=mep
node.internal-address=127.0.0.1
node.bind-ip=127.0.0.1
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port=$TRINO_PORT
discovery.uri=http://127.0.0.1:$TRINO_PORT
plugin.dir=$server/plugin
catalog.config-dir=$conf/catalog
query.max-memory=1GB
END
  cat > "$conf/catalog/hive.properties" << END
connector.name=hive
hive.metastore.uri=$METASTORE_URL
hive.hive-views.enabled=true
hive.non-managed-table-writes-enabled=true
hive.parquet.time-zone=UTC
fs.hadoop.enabled=true
hive.config.resources=$HADOOP_CONF/core-site.xml,$HADOOP_CONF/hdfs-site.xml
END
  cat > "$conf/catalog/cassandra.properties" << END
connector.name=cassandra
cassandra.contact-points=127.0.0.1
cassandra.native-protocol-port=$CASSANDRA_PORT
cassandra.load-policy.dc-aware.local-dc=datacenter1
END
}

start() {
  jvm_options+=(-server -XX:+UseG1GC -Djdk.attach.allowAttachSelf=true -Dfile.encoding=UTF-8 --enable-native-access=ALL-UNNAMED
    --sun-misc-unsafe-memory-access=allow -Dnode.data-dir="$DATA/trino" -Dconfig="$conf/config.properties" -Dlog.enable-console=true)
  launch "$java24/bin/java" "$TRINO_HEAP" "$server/lib/*" io.trino.server.TrinoServer
}

# Until it has started, it says that it is starting, or does not answer.
answers() { http_get "http://127.0.0.1:$TRINO_PORT/v1/info" | grep -q '"starting":false'; }
