# HDFS: the NameNode.

needs=()
ports=(NAMENODE_PORT NAMENODE_HTTP_PORT)

fetch() { fetch_hadoop; }

configure() {
  local application
  configure_hadoop
  classpath="$HADOOP_CONF:$DATA/conf/logging:$hadoop_jars/*"
  # The jar lacks the web applications, without which the servers do not start: empty ones serve JMX and WebHDFS.
  for application in hdfs datanode; do
    mkdir -p "$HADOOP_CONF/webapps/$application/WEB-INF"
    echo '<web-app/>' > "$HADOOP_CONF/webapps/$application/WEB-INF/web.xml"
  done
  mkdir -p "$HADOOP_CONF/webapps/static"
  [ -e "$DATA/namenode/current/VERSION" ] || format
}

format() {
  local log="$DATA/logs/namenode-format.log" jvm_options=()
  hadoop_options
  "$JAVA17_HOME/bin/java" "${jvm_options[@]}" -Xmx256m -cp "$classpath" \
    org.apache.hadoop.hdfs.server.namenode.NameNode -format -nonInteractive -force > "$log" 2>&1 ||
    fail "namenode: its folder cannot be formatted; see $log"
}

start() {
  hadoop_options
  launch "$JAVA17_HOME/bin/java" "$NAMENODE_HEAP" "$classpath" org.apache.hadoop.hdfs.server.namenode.NameNode
}

# It serves; and with a datanode running, it knows where the blocks are.
answers() {
  port_open "$NAMENODE_PORT" && namenode_says NameNodeStatus | grep -q '"State" : "active"' || return 1
  ! runs datanode || hdfs_is_writable
}
