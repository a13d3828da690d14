# HDFS: the NameNode.

needs=()
ports=(NAMENODE_PORT NAMENODE_HTTP_PORT)

fetch() { fetch_hadoop; }

configure() {
  local application
  configure_hadoop
  namenode_conf namenode
  # The jar lacks the web applications, without which the servers do not start: empty ones serve JMX and WebHDFS.
  for application in hdfs datanode; do
    mkdir -p "$HADOOP_CONF/webapps/$application/WEB-INF"
    echo '<web-app/>' > "$HADOOP_CONF/webapps/$application/WEB-INF/web.xml"
  done
  mkdir -p "$HADOOP_CONF/webapps/static"
  [ -e "$DATA/namenode/current/VERSION" ] || namenode_tool namenode-format -format
}

start() {
  hadoop_options
  launch "$JAVA17_HOME/bin/java" "$NAMENODE_HEAP" "$classpath" org.apache.hadoop.hdfs.server.namenode.NameNode
}

# It serves; and with a datanode running, it knows where the blocks are. Of a pair, it is the active one unless the other one is.
answers() {
  port_open "$NAMENODE_PORT" && namenode_says NameNodeStatus > /dev/null || return 1
  if ! is_active "$NAMENODE_HTTP_PORT"; then
    [ -n "$NAMESERVICE" ] || return 1
    is_active "$STANDBY_HTTP_PORT" || { "$STACK/hdfs" haadmin -transitionToActive --forceactive namenode 2> /dev/null && return 1; } || return 1
  fi
  ! runs datanode || hdfs_is_writable
}
