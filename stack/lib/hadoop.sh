# What the services on Hadoop's libraries share: jars, logging, client configuration, JVM options.

fetch_hadoop() { hadoop_jars="$(maven_jars hive)"; }

configure_hadoop() {
  local name
  mkdir -p "$DATA/conf/logging" "$HADOOP_CONF"
  for name in log4j2 hive-log4j2 metastore-log4j2; do
    write_whole "$DATA/conf/logging/$name.properties" cat "$STACK/conf/log4j2.properties"
  done
  write_whole "$DATA/conf/logging/log4j.properties" cat "$STACK/conf/log4j.properties"
  site_xml "$HADOOP_CONF/core-site.xml" << END
    fs.defaultFS=$HDFS_URL
    hadoop.tmp.dir=$DATA/tmp/hadoop
    hadoop.proxyuser.$HADOOP_USER_NAME.hosts=*
    hadoop.proxyuser.$HADOOP_USER_NAME.groups=*
    hadoop.http.staticuser.user=$HADOOP_USER_NAME
END
  hdfs_properties | site_xml "$HADOOP_CONF/hdfs-site.xml"
}

hdfs_properties() {
  if [ -n "$NAMESERVICE" ]; then pair_properties; else alone_properties; fi
  cat << END
    dfs.replication=1
    dfs.permissions.enabled=false
    dfs.webhdfs.enabled=true
    dfs.namenode.fs-limits.min-block-size=65536

    dfs.datanode.data.dir=file://$DATA/datanode
    dfs.datanode.address=127.0.0.1:$DATANODE_PORT
    dfs.datanode.http.address=127.0.0.1:$DATANODE_HTTP_PORT
    dfs.datanode.ipc.address=127.0.0.1:$DATANODE_IPC_PORT
    dfs.datanode.hostname=127.0.0.1
    dfs.namenode.datanode.registration.ip-hostname-check=false

    # Faults are seen soon: a lost datanode after 20 s (2 rechecks and 10 heartbeats), and the safe mode ends with its last block.
    dfs.heartbeat.interval=1
    dfs.namenode.heartbeat.recheck-interval=5000
    dfs.namenode.safemode.extension=0

    # With one datanode there is no other to replace it by.
    dfs.client.use.datanode.hostname=false
    dfs.client.block.write.replace-datanode-on-failure.enable=false
    dfs.client.block.write.replace-datanode-on-failure.policy=NEVER
END
}

alone_properties() {
  cat << END
    dfs.namenode.name.dir=file://$DATA/namenode
    dfs.namenode.rpc-address=127.0.0.1:$NAMENODE_PORT
    dfs.namenode.http-address=127.0.0.1:$NAMENODE_HTTP_PORT
END
}

# Both write their edits to one folder, so that neither a quorum of journals nor ZooKeeper is needed; `stack/hdfs haadmin` says which is active.
pair_properties() {
  cat << END
    dfs.nameservices=$NAMESERVICE
    dfs.ha.namenodes.$NAMESERVICE=namenode,standby
    dfs.namenode.name.dir.$NAMESERVICE.namenode=file://$DATA/namenode
    dfs.namenode.rpc-address.$NAMESERVICE.namenode=127.0.0.1:$NAMENODE_PORT
    dfs.namenode.http-address.$NAMESERVICE.namenode=127.0.0.1:$NAMENODE_HTTP_PORT
    dfs.namenode.name.dir.$NAMESERVICE.standby=file://$DATA/standby
    dfs.namenode.rpc-address.$NAMESERVICE.standby=127.0.0.1:$STANDBY_PORT
    dfs.namenode.http-address.$NAMESERVICE.standby=127.0.0.1:$STANDBY_HTTP_PORT
    dfs.namenode.shared.edits.dir=file://$DATA/edits
    dfs.client.failover.proxy.provider.$NAMESERVICE=org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider
    dfs.ha.fencing.methods=shell(/bin/true)
    dfs.ha.tail-edits.period=1s
END
}

# The configuration of one NameNode of a pair, which has to say which one it is.
namenode_conf() { # NAME: sets classpath
  local folder="$DATA/conf/$1"
  mkdir -p "$folder"
  {
    hdfs_properties
    [ -z "$NAMESERVICE" ] || echo "dfs.ha.namenode.id=$1"
  } | site_xml "$folder/hdfs-site.xml"
  classpath="$folder:$HADOOP_CONF:$DATA/conf/logging:$hadoop_jars/*"
}

namenode_tool() { # LOG ARGUMENT…: the NameNode's program with its own commands
  local jvm_options=()
  hadoop_options
  "$JAVA17_HOME/bin/java" "${jvm_options[@]}" -Xmx256m -cp "$classpath" \
    org.apache.hadoop.hdfs.server.namenode.NameNode "${@:2}" -nonInteractive -force > "$DATA/logs/$1.log" 2>&1 ||
    fail "$service: its folder cannot be prepared; see $DATA/logs/$1.log"
}

hadoop_options() {
  mapfile -t -O "${#jvm_options[@]}" jvm_options < <(reflection_options)
  jvm_options+=(-XX:+UseSerialGC -Xms64m)
}

namenode_says() { # BEAN [PORT]
  http_get "http://127.0.0.1:${2:-$NAMENODE_HTTP_PORT}/jmx?qry=Hadoop:service=NameNode,name=$1"
}

is_active() { namenode_says NameNodeStatus "$1" | grep -q '"State" : "active"'; } # PORT

# The web port of the NameNode that is asked.
active_port() {
  if [ -n "$NAMESERVICE" ] && is_active "$STANDBY_HTTP_PORT"; then echo "$STANDBY_HTTP_PORT"; else echo "$NAMENODE_HTTP_PORT"; fi
}

hdfs_is_writable() {
  local state
  state="$(namenode_says FSNamesystemState "$(active_port)")" || return 1
  grep -q '"FSState" : "Operational"' <<< "$state" && grep -q '"NumLiveDataNodes" : 1' <<< "$state"
}

hadoop_java() { # MAIN ARGUMENT…: a client with the stack's configuration, in place of this shell
  JAVA17_HOME="$(find_java17)" || fail "no JDK 17; stack/prepare installs it"
  fetch_hadoop
  configure_hadoop
  jvm_options=()
  hadoop_options
  exec "$JAVA17_HOME/bin/java" "${jvm_options[@]}" -XX:TieredStopAtLevel=1 -Xmx256m -Duser.timezone=UTC -Djava.net.preferIPv4Stack=true \
    -Dlog4j2.level=error -Dlog4j.rootLogger=ERROR -cp "$HADOOP_CONF:$hadoop_jars/*" "$@"
}
