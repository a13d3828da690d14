# Apache Kafka: one broker in KRaft mode, which is its own controller.

needs=()
ports=(KAFKA_PORT KAFKA_CONTROLLER_PORT)

fetch() { jars="$(maven_jars kafka)"; }

configure() {
  local id
  properties="$DATA/conf/kafka.properties"
  cat > "$properties" << END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$KAFKA_CONTROLLER_PORT
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT,CONTROLLER://127.0.0.1:$KAFKA_CONTROLLER_PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT
log.dirs=$DATA/kafka
num.partitions=4
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.backoff.ms=500
END
  [ -e "$DATA/kafka/meta.properties" ] || format
}

format() {
  local log="$DATA/logs/kafka-format.log" id
  # Kafka writes its ids as 16 bytes in URL-safe Base64.
  id="$(head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | tr -d '=')"
  "$JAVA17_HOME/bin/java" -Xmx128m -cp "$jars/*" kafka.tools.StorageTool format -t "$id" -c "$properties" > "$log" 2>&1 ||
    fail "kafka: its folder cannot be formatted; see $log"
}

start() {
  jvm_options+=(-XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.log.kafka.server=info
    -Dorg.slf4j.simpleLogger.showDateTime=true "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS")
  launch "$JAVA17_HOME/bin/java" "$KAFKA_HEAP" "$jars/*" kafka.Kafka "$properties"
}

# A request ApiVersions with correlation id 7, which the answer repeats.
answers() { [ "$(ask "$KAFKA_PORT" '\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff' 8 | cut -c 9-)" = 00000007 ]; }
