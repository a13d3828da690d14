# Spark Thrift Server: Spark SQL over HiveServer2's protocol, on the same metastore.

needs=(metastore)
ports=(SPARK_PORT)

PYSPARK=4.3.0

fetch() {
  # Spark reads Hive 4's metastore with Hive's own jars; its own come with PySpark.
  fetch_hadoop
  jars="$(python_package pyspark "$PYSPARK" unpack_jars)"
}

unpack_jars() { # ARCHIVE FOLDER
  tar xzf "$1" -C "$2" --strip-components=3 --wildcards "pyspark-$PYSPARK/deps/jars/*"
}

configure() {
  configure_hadoop
  conf="$DATA/conf/spark"
  site_xml "$conf/hive-site.xml" << END
    hive.metastore.uris=$METASTORE_URL
    hive.metastore.execute.setugi=false
    hive.server2.thrift.bind.host=127.0.0.1
    hive.server2.thrift.port=$SPARK_PORT
    hive.server2.authentication=NONE
    hive.server2.enable.doAs=false
    hive.exec.scratchdir=/tmp/hive
    hive.exec.dynamic.partition.mode=nonstrict
END
  cat > "$conf/spark-defaults.conf" << END
spark.ui.enabled false
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.local.dir $DATA/tmp/spark
spark.sql.session.timeZone UTC
spark.sql.shuffle.partitions 4
spark.sql.catalogImplementation hive
spark.sql.warehouse.dir $HDFS_URL/warehouse
spark.sql.hive.metastore.version 4.0.1
spark.sql.hive.metastore.jars path
spark.sql.hive.metastore.jars.path file://$hadoop_jars/*.jar
END
  write_whole "$conf/log4j2.properties" sed -e 's/^rootLogger.level = .*/rootLogger.level = warn/' "$STACK/conf/log4j2.properties"
  mkdir -p "$DATA/tmp/spark"
}

start() {
  hadoop_options
  jvm_options+=(-Djdk.reflect.useDirectMethodHandle=false -Dio.netty.tryReflectionSetAccessible=true)
  export SPARK_CONF_DIR="$conf" SPARK_HOME="$jars" SPARK_LOCAL_IP=127.0.0.1
  launch "$JAVA17_HOME/bin/java" "$SPARK_HEAP" "$conf:$HADOOP_CONF:$jars/*" org.apache.spark.deploy.SparkSubmit \
    --class org.apache.spark.sql.hive.thriftserver.HiveThriftServer2 --master 'local[2]' --properties-file "$conf/spark-defaults.conf" spark-internal
}

answers() { sasl_answers "$SPARK_PORT"; }
