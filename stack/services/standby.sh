# HDFS: a second NameNode, which can take over where MEP_STACK_NAMESERVICE names the pair.

needs=(namenode)
ports=(STANDBY_PORT STANDBY_HTTP_PORT)

fetch() {
  [ -n "$NAMESERVICE" ] || fail "standby: HDFS has one NameNode here; MEP_STACK_NAMESERVICE=NAME makes it a pair, in an empty data folder"
  fetch_hadoop
}

configure() {
  configure_hadoop
  namenode_conf standby
  [ -e "$DATA/standby/current/VERSION" ] || namenode_tool standby-bootstrap -bootstrapStandby
}

start() {
  hadoop_options
  launch "$JAVA17_HOME/bin/java" "$NAMENODE_HEAP" "$classpath" org.apache.hadoop.hdfs.server.namenode.NameNode
}

answers() { port_open "$STANDBY_PORT" && namenode_says NameNodeStatus "$STANDBY_HTTP_PORT" | grep -q '"State" : "\(active\|standby\)"'; }
