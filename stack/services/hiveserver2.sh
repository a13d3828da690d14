# HiveServer2, with the engine mr in local mode.

needs=(metastore)
ports=(HIVESERVER2_PORT)

fetch() { fetch_hadoop; }

configure() {
  configure_hadoop
  site_xml "$DATA/conf/hiveserver2/hive-site.xml" << END
    hive.server2.transport.mode=binary
    hive.server2.thrift.bind.host=127.0.0.1
    hive.server2.thrift.port=$HIVESERVER2_PORT
    hive.server2.webui.port=0
    hive.server2.authentication=NONE
    hive.server2.enable.doAs=false
    hive.server2.thrift.min.worker.threads=2
    hive.server2.thrift.max.worker.threads=64
    hive.server2.tez.initialize.default.sessions=false
    hive.server2.materializedviews.registry.impl=DUMMY
    hive.server2.logging.operation.enabled=false
    hive.scheduled.queries.executor.enabled=false
    hive.notification.event.poll.interval=0s
    hive.security.authorization.enabled=false

    hive.metastore.uris=$METASTORE_URL
    hive.metastore.execute.setugi=false
    hive.metastore.warehouse.dir=$HDFS_URL/warehouse/managed
    hive.metastore.warehouse.external.dir=$HDFS_URL/warehouse

    # Plain Parquet tables, without Hive's transactions.
    hive.default.fileformat=Parquet
    hive.create.as.acid=false
    hive.create.as.insert.only=false
    hive.strict.managed.tables=false
    hive.txn.manager=org.apache.hadoop.hive.ql.lockmgr.DummyTxnManager
    hive.support.concurrency=false
    hive.exec.dynamic.partition=true
    hive.exec.dynamic.partition.mode=nonstrict

    # Answers come from the files, never from statistics or an earlier answer.
    hive.stats.autogather=false
    hive.stats.column.autogather=false
    hive.compute.query.using.stats=false
    hive.query.results.cache.enabled=false

    hive.execution.engine=mr
    mapreduce.framework.name=local
    mapreduce.cluster.local.dir=$DATA/tmp/mapred
    hive.exec.submitviachild=false
    hive.exec.submit.local.task.via.child=false
    hive.auto.convert.join.noconditionaltask.size=16000000
    hive.exec.scratchdir=/tmp/hive
    hive.exec.local.scratchdir=$DATA/tmp/hive
    hive.downloaded.resources.dir=$DATA/tmp/hive-resources
END
}

start() {
  hadoop_options
  launch "$JAVA17_HOME/bin/java" "$HIVESERVER2_HEAP" "$DATA/conf/hiveserver2:$HADOOP_CONF:$DATA/conf/logging:$hadoop_jars/*" \
    org.apache.hive.service.server.HiveServer2
}

answers() { sasl_answers "$HIVESERVER2_PORT"; }
