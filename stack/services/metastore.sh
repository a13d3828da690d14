# Hive Metastore, with its database in Derby in the same process.

needs=(namenode datanode)
ports=(METASTORE_PORT)

fetch() {
  fetch_hadoop
  schema="$(maven_archive metastore-schema unpack_schema)"
}

unpack_schema() { # ARCHIVE FOLDER
  tar xzf "$1" -C "$2" --strip-components=1 --wildcards '*/scripts/metastore/upgrade/derby/*'
}

configure() {
  configure_hadoop
  site_xml "$DATA/conf/metastore/metastore-site.xml" << END
    metastore.thrift.bind.host=127.0.0.1
    metastore.thrift.port=$METASTORE_PORT
    metastore.server.min.threads=4
    metastore.server.max.threads=100
    metastore.warehouse.dir=$HDFS_URL/warehouse/managed
    metastore.warehouse.external.dir=$HDFS_URL/warehouse
    hive.metastore.warehouse.dir=$HDFS_URL/warehouse/managed
    metastore.execute.setugi=false
    metastore.event.db.notification.api.auth=false
    hive.metastore.event.db.notification.api.auth=false
    metastore.stats.autogather=false
    metastore.disallow.incompatible.col.type.changes=false

    javax.jdo.option.ConnectionURL=jdbc:derby:;databaseName=$DATA/metastore;create=true
    javax.jdo.option.ConnectionDriverName=org.apache.derby.jdbc.EmbeddedDriver
    datanucleus.schema.autoCreateAll=false
    datanucleus.autoStartMechanismMode=ignored
    metastore.schema.verification=false

    # Of the background tasks only the one that drops locks without a heartbeat.
    metastore.housekeeping.threads.on=true
    metastore.task.threads.remote=org.apache.hadoop.hive.metastore.txn.service.AcidHouseKeeperService
    metastore.txn.timeout=${METASTORE_LOCK_TIMEOUT}s
    metastore.acid.housekeeper.interval=10s
    metastore.compactor.initiator.on=false
    metastore.compactor.cleaner.on=false
END
  classpath="$DATA/conf/metastore:$HADOOP_CONF:$DATA/conf/logging:$hadoop_jars/*"
  [ -d "$DATA/metastore" ] || create_schema
}

# The official scripts create all tables, also those of locks and transactions, which the metastore would not create by itself.
create_schema() {
  local log="$DATA/logs/metastore-schema.log" jvm_options=()
  hadoop_options
  if ! METASTORE_HOME="$schema" "$JAVA17_HOME/bin/java" "${jvm_options[@]}" -Xmx256m -Djava.io.tmpdir="$DATA/tmp" \
    -Dderby.stream.error.file="$DATA/logs/metastore-schema-derby.log" -cp "$classpath" \
    org.apache.hadoop.hive.metastore.tools.schematool.MetastoreSchemaTool -dbType derby -initSchema > "$log" 2>&1; then
    rm -rf "$DATA/metastore"
    fail "metastore: its schema cannot be created; see $log"
  fi
}

start() {
  hadoop_options
  jvm_options+=(-Dderby.stream.error.file="$DATA/logs/metastore-derby.log")
  launch "$JAVA17_HOME/bin/java" "$METASTORE_HEAP" "$classpath" org.apache.hadoop.hive.metastore.HiveMetaStore -p "$METASTORE_PORT"
}

# Thrift's call get_all_databases, which reads the database; a reply (2) with a list of strings (0f) as its result is a success.
answers() {
  local reply
  reply="$(ask "$METASTORE_PORT" '\x80\x01\0\x01\0\0\0\x11get_all_databases\0\0\0\x07\0' 32)"
  [ "${reply:0:8}" = 80010002 ] && [ "${reply:58:6}" = 0f0000 ]
}
