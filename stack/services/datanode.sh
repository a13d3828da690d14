# HDFS: the one DataNode.

needs=(namenode)
ports=(DATANODE_PORT DATANODE_HTTP_PORT DATANODE_IPC_PORT)

fetch() { fetch_hadoop; }

configure() { configure_hadoop; }

start() {
  hadoop_options
  launch "$JAVA17_HOME/bin/java" "$DATANODE_HEAP" "$HADOOP_CONF:$DATA/conf/logging:$hadoop_jars/*" org.apache.hadoop.hdfs.server.datanode.DataNode
}

# It has registered (the NameNode counts a killed one as live for a while, so that its word alone is not enough), and HDFS is out of safe mode.
answers() {
  http_get "http://127.0.0.1:$DATANODE_HTTP_PORT/jmx?qry=Hadoop:service=DataNode,name=DataNodeInfo" | grep -q 'ActorState\\" *: *\\"RUNNING\|ActorState":"RUNNING' &&
    hdfs_is_writable
}
