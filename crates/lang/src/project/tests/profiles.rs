//! Profiles and targets.

use super::super::{
    LoadOptions, OnLostOffsets, SourceConnection, StreamingTarget, Target, WarehouseConfig, load,
};
use super::{Folder, loaded, problems, shown};
use mep_core::connection::{AvroWire, FilesReading, MessageFormat};

const TWO: &str = "music:
  target: dev
  outputs:
    dev: {type: local, path: dev, schema: dev}
    prod: {type: local, path: \"{{ env_var('MEP_NOT_SET') }}\", schema: prod}
";

fn with(options: impl FnOnce(&mut LoadOptions), files: &[(&str, &str)]) -> Result<Target, String> {
    let folder = Folder::new(files);
    let mut chosen = folder.options();
    options(&mut chosen);
    load(&chosen).map(|project| project.target).map_err(|problems| shown(problems.iter()))
}

#[test]
fn only_the_chosen_target_is_rendered() {
    let target = loaded(&[("profiles.yml", TWO)]).target;
    assert_eq!((target.name.as_str(), target.schema.as_str(), target.threads), ("dev", "dev", 4));
    let told = with(|options| options.target = Some("prod".to_owned()), &[("profiles.yml", TWO)]);
    insta::assert_snapshot!(told.unwrap_err(), @r"
    profiles.yml:5:31: environment variable `MEP_NOT_SET` is not set
        set it, or give a default: env_var('MEP_NOT_SET', 'a default')
    ");
}

#[test]
fn everything_can_be_said() {
    let target = loaded(&[(
        "profiles.yml",
        "music:
  target: \"{{ env_var('MEP_NOT_SET', 'all') }}\"
  outputs:
    all:
      type: local
      path: \"{{ env_var('CARGO_PKG_NAME') }}/all\"
      schema: music
      threads: \"{{ env_var('MEP_NOT_SET', '8') }}\"
      memory: 1.5GiB
      retention_days: 30
      sources:
        files: {type: files, path: /data}
        events:
          {type: simulator, seed: 7, start: 2020-02-29, days: 3, users: 9, growth: 2.5, attrition: 0, duplicates: 1,
           mojibake: \"{{ env_var('MEP_NOT_SET', 'false') }}\"}
",
    )])
    .target;
    assert_eq!(target.threads, 8);
    let (memory, retention_days) = (target.memory, target.retention_days);
    let WarehouseConfig::Local { path } = target.warehouse else { panic!("not local") };
    assert_eq!((path.to_str(), memory, retention_days), (Some("mep-lang/all"), Some(3 << 29), 30));
    assert_eq!(
        target.sources["files"],
        SourceConnection::Files { path: "/data".into(), reading: FilesReading::default() }
    );
    let SourceConnection::Simulator(simulator) = &target.sources["events"] else {
        panic!("expected a simulator")
    };
    assert_eq!((simulator.seed, simulator.days, simulator.users, simulator.mojibake), (7, 3, 9, false));
    assert_eq!(simulator.start.to_string(), "2020-02-29");
    assert!((simulator.growth - 2.5).abs() < f64::EPSILON);
}

#[test]
fn the_command_line_chooses() {
    let two = "a: {outputs: {x: {type: local, path: a, schema: a}}}\n\
               b: {outputs: {y: {type: local, path: b, schema: b}, default: {type: local, path: d, schema: d}}}";
    let target = with(|options| options.profile = Some("b".to_owned()), &[("profiles.yml", two)]).unwrap();
    assert_eq!((target.profile.as_str(), target.name.as_str()), ("b", "default"));
    let chosen = |options: &mut LoadOptions| {
        (options.profile, options.target, options.threads) = (Some("b".into()), Some("y".into()), Some(2));
    };
    let target = with(chosen, &[("profiles.yml", two)]).unwrap();
    assert_eq!((target.name.as_str(), target.threads), ("y", 2));
}

#[test]
fn a_profile_that_cannot_be_chosen_is_told() {
    let two = "dev_shop: {}\nprod_shop: {}\nconfig: {}\n";
    insta::assert_snapshot!(problems(&[("profiles.yml", two)]), @r"
    profiles.yml:1:1: expected one profile, found dev_shop, prod_shop
        choose one with `profile:` in dbt_project.yml or with --profile
    ");
    insta::assert_snapshot!(problems(&[("profiles.yml", "")]), @r"
    profiles.yml:1:1: expected a profile in profiles.yml, found none
        write one: its name, `outputs:`, and below it each target
    ");
    insta::assert_snapshot!(
        problems(&[("profiles.yml", two), ("dbt_project.yml", "name: shop\nprofile: prod_shp\n")]),
        @r"
    dbt_project.yml:2:10: there is no profile `prod_shp`
        did you mean `prod_shop`? the profiles are dev_shop, prod_shop
    "
    );
    let told = with(|options| options.profile = Some("x".to_owned()), &[("profiles.yml", two)]);
    insta::assert_snapshot!(told.unwrap_err(), @r"
    there is no profile `x`
        the profiles are dev_shop, prod_shop
    ");
}

#[test]
fn a_target_that_cannot_be_chosen_is_told() {
    let told = with(|options| options.target = Some("prd".to_owned()), &[("profiles.yml", TWO)]);
    insta::assert_snapshot!(told.unwrap_err(), @r"
    profiles.yml:4:5: there is no target `prd` in the profile `music`
        did you mean `prod`? the targets are dev, prod
    ");
    insta::assert_snapshot!(problems(&[("profiles.yml", &TWO.replace("target: dev", "target: test"))]), @r"
    profiles.yml:2:11: there is no target `test` in the profile `music`
        the targets are dev, prod
    ");
    insta::assert_snapshot!(problems(&[("profiles.yml", &TWO.replace("target: dev", ""))]), @r"
    profiles.yml:3:3: expected one target, found dev, prod
        choose one with `target:` in the profile or with --target
    ");
    insta::assert_snapshot!(problems(&[("profiles.yml", "music: {target: dev}")]), @r"
    profiles.yml:1:8: the profile `music` needs `outputs`
        name each target under `outputs:`, with its type, path and schema
    ");
}

#[test]
fn a_folder_without_profiles_is_told() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_owned();
    let told = with(|options| options.profiles_dir = Some(folder), &[]).unwrap_err();
    insta::assert_snapshot!(told.replace(&empty.path().display().to_string(), "FOLDER"), @r"
    there is no profiles.yml in FOLDER
        check the folder of the profiles that mep was called with
    ");
}

#[test]
fn profiles_can_lie_elsewhere() {
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("profiles.yml"), TWO).unwrap();
    let folder = elsewhere.path().to_owned();
    let target = with(|options| options.profiles_dir = Some(folder), &[]).unwrap();
    assert_eq!(target.name, "dev");
}

#[test]
fn values_of_a_target_are_checked() {
    insta::assert_snapshot!(problems(&[(
        "profiles.yml",
        "music:
  outputs:
    dev:
      type: local
      path: ''
      schema: my-schema
      thread: 4
      threads: 0
      memory: 2 gallons
      retention_days: -1
      sources:
        a: {type: kafka}
        b: {type: file, path: x}
        c: {type: files}
        d: {type: simulator, seed: -1, start: 2018-13-01, days: 0, users: many, growth: -1, attrition: 1.5, speed: 3}
        e: files
",
    )]), @r"
    profiles.yml:5:13: `path`: expected a folder, found nothing
    profiles.yml:6:15: expected a schema of letters, digits and `_`, found `my-schema`
    profiles.yml:7:7: unknown key `thread` in a target of type `local`
        did you mean `threads`?
    profiles.yml:8:16: `threads`: expected a whole number from 1 to 256, found `0`
    profiles.yml:9:15: `memory`: expected bytes, or a text such as 2GiB or 512MB, found `2 gallons`
    profiles.yml:10:23: `retention_days`: expected a whole number from 0 to 36500, found `-1`
    profiles.yml:12:12: a connection of type `kafka` needs `brokers`
        such as `brokers: kafka-1:9092, kafka-2:9092`
    profiles.yml:13:19: unknown type `file` of a connection
        did you mean `files`?
    profiles.yml:14:12: a connection needs `path`
    profiles.yml:15:36: `seed`: expected a whole number, found `-1`
    profiles.yml:15:47: `start`: expected a day such as 2018-11-01, found `2018-13-01`
    profiles.yml:15:65: `days`: expected a whole number from 1 to 36525, found `0`
    profiles.yml:15:75: `users`: expected a whole number from 1 to 1000000000, found `many`
    profiles.yml:15:89: `growth`: expected a number of at least 0, found `-1`
    profiles.yml:15:104: `attrition`: expected a number from 0 to 1, found `1.5`
    profiles.yml:15:109: unknown key `speed` in a connection of type `simulator`
        did you mean `seed`?
    profiles.yml:16:12: `e`: expected a mapping, found `files`
    ");
    insta::assert_snapshot!(problems(&[("profiles.yml", "music: {outputs: {dev: {type: postgres}}}")]), @r"
    profiles.yml:1:31: unknown type `postgres` of a target
        the types are local, hive
    ");
    insta::assert_snapshot!(problems(&[("profiles.yml", "music: {outputs: {dev: {type: hive, path: x, schema: s, metastore: 'a:9083', location: /w, timeout: 0}}}")]), @r"
    profiles.yml:1:37: unknown key `path` in a target of type `hive`
        the keys are type, schema, threads, memory, retention_days, dialect, sources, streaming, openlineage, metastore, location, hadoop_conf_dir, trino_catalog, timeout
    profiles.yml:1:68: `metastore`: expected thrift://host:port, found `a:9083`
        several addresses stand with commas between them
    profiles.yml:1:88: `location`: expected a folder such as hdfs://namenode:8020/warehouse, found `/w`
    profiles.yml:1:101: `timeout`: expected a whole number from 1 to 3600, found `0`
    ");
    insta::assert_snapshot!(problems(&[("profiles.yml", "music: {outputs: {dev: {path: x}}}")]), @r"profiles.yml:1:24: a target needs `type`");
    insta::assert_snapshot!(problems(&[("profiles.yml", "music: {outputs: {dev: {type: local}}}")]), @r"
    profiles.yml:1:24: a target needs `path`
    profiles.yml:1:24: a target needs `schema`
    ");
}

fn kafka(connection: &str) -> String {
    format!(
        "music:
  outputs:
    dev: {{type: local, path: x, schema: x, sources: {{events: {{type: kafka, {connection}}}}}}}
"
    )
}

#[test]
fn a_kafka_connection_says_brokers_format_and_security() {
    let profile = kafka(
        "brokers: [a:9092, 'b, [::1]:9093'], topic_prefix: dev., format: avro, schemas: avro, wire: confluent, \
         on_lost_offsets: accept, timeout: 3, security_protocol: sasl_ssl, sasl_mechanism: PLAIN, sasl_username: u, \
         sasl_password: \"{{ env_var('MEP_NOT_SET', 'hush') }}\", properties: {socket.keepalive.enable: true, retries: 3}",
    );
    let target = loaded(&[("profiles.yml", &profile)]).target;
    let SourceConnection::Kafka(config) = &target.sources["events"] else { panic!("expected Kafka") };
    assert_eq!(config.connection.brokers, ["a:9092", "b", "[::1]:9093"]);
    assert_eq!((config.topic_prefix.as_str(), config.connection.timeout.as_secs()), ("dev.", 3));
    assert_eq!(config.format, MessageFormat::Avro { schemas: "avro".into(), wire: AvroWire::Confluent });
    assert_eq!(config.on_lost_offsets, OnLostOffsets::Accept);
    assert_eq!(config.connection.properties.0["sasl.password"], "hush");
    // Secrets stay out of whatever is printed for finding a defect.
    insta::assert_snapshot!(format!("{:?}", config.connection.properties), @r#"{"retries", "sasl.mechanism", "sasl.password", "sasl.username", "security.protocol", "socket.keepalive.enable"}"#);
}

#[test]
fn values_of_a_kafka_connection_are_checked() {
    let told = |connection: &str| problems(&[("profiles.yml", &kafka(connection))]);
    insta::assert_snapshot!(told("broker: a"), @r"
    profiles.yml:3:62: a connection of type `kafka` needs `brokers`
        such as `brokers: kafka-1:9092, kafka-2:9092`
    profiles.yml:3:76: unknown key `broker` in a connection of type `kafka`
        did you mean `brokers`?
    ");
    insta::assert_snapshot!(told("brokers: [kafka://a:9092]"), @r"
    profiles.yml:3:86: `brokers`: expected a host with a port, found `kafka://a:9092` (it is no URL; the protocol is said by `security_protocol`)
        such as kafka-1:9092
    ");
    insta::assert_snapshot!(told("brokers: 'a:9092, b:port'"), @r"
    profiles.yml:3:85: `brokers`: expected a host with a port, found `b:port` (its port is no number up to 65535)
        such as kafka-1:9092
    ");
    insta::assert_snapshot!(told("brokers: 'a:9092,'"), @r"
    profiles.yml:3:85: `brokers`: expected a host with a port, found `` (it is empty)
        such as kafka-1:9092
    ");
    insta::assert_snapshot!(told("brokers: a, format: csv"), @"profiles.yml:3:96: `format`: expected json or avro, found `csv`");
    insta::assert_snapshot!(told("brokers: a, format: avro"), @r"
    profiles.yml:3:62: messages of `format: avro` need `schemas`
        the folder in the project that holds <table>.avsc
    ");
    insta::assert_snapshot!(told("brokers: a, format: avro, schemas: s, wire: apicurio"), @"profiles.yml:3:120: `wire`: expected plain or confluent, found `apicurio`");
    insta::assert_snapshot!(told("brokers: a, schemas: s"), @r"
    profiles.yml:3:97: `schemas` is for messages of `format: avro`
        say `format: avro`, or leave it out
    ");
    insta::assert_snapshot!(told("brokers: a, on_lost_offsets: ignore, timeout: 0"), @r"
    profiles.yml:3:105: `on_lost_offsets`: expected fail or accept, found `ignore`
    profiles.yml:3:122: `timeout`: expected a whole number from 1 to 3600, found `0`
    ");
    insta::assert_snapshot!(told("brokers: a, security_protocol: tls, sasl_password: [hush]"), @r"
    profiles.yml:3:107: `security_protocol`: expected one of plaintext, ssl, sasl_plaintext, sasl_ssl, found `tls`
    profiles.yml:3:127: `sasl_password`: expected a text, a number, true or false, found a list
    ");
    insta::assert_snapshot!(
        told("brokers: a, sasl_username: u, properties: {group.id: mine, isolation.level: x, sasl.username: v, linger: []}"),
        @r"
    profiles.yml:3:119: the property `group.id` is set by mep
        mep keeps the offsets beside the rows that it landed, and uses no consumer group
    profiles.yml:3:135: the property `isolation.level` is set by mep
        mep reads what is committed
    profiles.yml:3:155: the property `sasl.username` is given twice
        it stands beside `properties` too, as `sasl_username`
    profiles.yml:3:181: `linger`: expected a text, a number, true or false, found a list
    "
    );
}

fn streaming(block: &str) -> String {
    format!(
        "music:
  outputs:
    dev:
      type: local
      path: x
      schema: x
      streaming: {{{block}}}
"
    )
}

#[test]
fn a_streaming_target_says_where_cassandra_is() {
    let config = |block: &str| {
        let target = loaded(&[("profiles.yml", &streaming(block))]).target;
        let Some(StreamingTarget::Cassandra(config)) = target.streaming else { panic!("expected Cassandra") };
        config
    };
    insta::assert_snapshot!(format!("{:#?}", config("type: cassandra, contact_points: '127.0.0.1:9042', keyspace: music")), @r#"
    CassandraConnection {
        contact_points: [
            "127.0.0.1:9042",
        ],
        keyspace: "music",
        replication: Simple(
            1,
        ),
        consistency: LocalQuorum,
        local_dc: None,
        login: None,
        tls: None,
        timeout: 10s,
        concurrency: 64,
        settles_after: 30s,
    }
    "#);
    let all = config(
        "type: cassandra, contact_points: [a:9042, 'b, [::1]:9042'], keyspace: music_speed, \
         replication: {class: NetworkTopologyStrategy, dc1: 3, dc2: 2}, consistency: EACH_QUORUM, local_dc: dc1, username: u, \
         password: \"{{ env_var('MEP_NOT_SET', 'hush') }}\", ssl_ca_location: ca.pem, ssl_certificate_location: mep.pem, \
         ssl_key_location: mep.key, ssl_endpoint_identification_algorithm: none, timeout: 3, concurrency: 8",
    );
    assert_eq!(all.login.as_ref().map(|login| login.password.as_str()), Some("hush"));
    // The password stays out of whatever is printed for finding a defect.
    insta::assert_snapshot!(format!("{all:?}"), @r#"CassandraConnection { contact_points: ["a:9042", "b", "[::1]:9042"], keyspace: "music_speed", replication: PerDatacenter([("dc1", 3), ("dc2", 2)]), consistency: EachQuorum, local_dc: Some("dc1"), login: Some(CassandraLogin { username: "u", .. }), tls: Some(CassandraTls { ca: Some("ca.pem"), certificate: Some("mep.pem"), key: Some("mep.key"), verifies_address: false }), timeout: 3s, concurrency: 8, settles_after: 30s }"#);
    let no_login = config("type: cassandra, contact_points: a, keyspace: k, username: '', password: ''");
    assert_eq!(no_login.login, None);
    assert_eq!(loaded(&[("profiles.yml", TWO)]).target.streaming, None);
}

#[test]
fn values_of_a_streaming_target_are_checked() {
    let told = |block: &str| problems(&[("profiles.yml", &streaming(block))]);
    let with = |more: &str| told(&format!("type: cassandra, contact_points: a, keyspace: k, {more}"));
    insta::assert_snapshot!(told("keyspace: k"), @"profiles.yml:7:18: `streaming` needs `type`");
    insta::assert_snapshot!(told("type: casandra"), @r"
    profiles.yml:7:25: unknown type `casandra` of a streaming target
        did you mean `cassandra`?
    ");
    insta::assert_snapshot!(told("type: cassandra, contact_point: a"), @r"
    profiles.yml:7:18: `streaming` of type `cassandra` needs `contact_points`
        such as `contact_points: cassandra-1:9042, cassandra-2:9042`
    profiles.yml:7:18: `streaming` of type `cassandra` needs `keyspace`
    profiles.yml:7:36: unknown key `contact_point` in `streaming` of type `cassandra`
        did you mean `contact_points`?
    ");
    insta::assert_snapshot!(told("type: cassandra, contact_points: 'a:9042, cql://b', keyspace: my-music"), @r"
    profiles.yml:7:52: `contact_points`: expected a host with a port, found `cql://b` (it is no URL)
        such as cassandra-1:9042
    profiles.yml:7:81: `keyspace`: expected 1 to 48 letters, digits and `_`, found `my-music`
    ");
    insta::assert_snapshot!(with("replication: {replication_factor: 1}"), @"profiles.yml:7:81: `replication` needs `class`");
    insta::assert_snapshot!(with("replication: {class: SimpleStrategy, dc1: 0, replication_factor: 0}"), @r"
    profiles.yml:7:105: unknown key `dc1` in `replication` of class `SimpleStrategy`
        the keys are class, replication_factor
    profiles.yml:7:133: `replication_factor`: expected a whole number from 1 to 100, found `0`
    ");
    insta::assert_snapshot!(with("replication: {class: NetworkTopologyStrategy}"), @r"
    profiles.yml:7:81: `replication` of class `NetworkTopologyStrategy` needs a datacenter
        name each with its number of replicas, such as `dc1: 3`
    ");
    insta::assert_snapshot!(with("replication: {class: NetworkTopologyStrategy, dc1: many}"), @"profiles.yml:7:119: `dc1`: expected a whole number from 1 to 100, found `many`");
    insta::assert_snapshot!(with("replication: {class: Simple}, consistency: any, timeout: 0"), @r"
    profiles.yml:7:89: `class`: expected SimpleStrategy or NetworkTopologyStrategy, found `Simple`
    profiles.yml:7:111: `consistency`: expected one of local_quorum, local_one, one, two, three, quorum, each_quorum, all, found `any`
    profiles.yml:7:125: `timeout`: expected a whole number from 1 to 3600, found `0`
    ");
    insta::assert_snapshot!(with("password: hush"), @"profiles.yml:7:18: `streaming` needs `username` beside `password`");
    insta::assert_snapshot!(with("username: u, password: [hush]"), @"profiles.yml:7:91: `password`: expected a text");
    insta::assert_snapshot!(
        with("ssl_certificate_location: c, ssl_endpoint_identification_algorithm: hush"),
        @r"
    profiles.yml:7:18: `ssl_certificate_location` and `ssl_key_location` belong together, found one of them
    profiles.yml:7:136: `ssl_endpoint_identification_algorithm`: expected https or none, found `hush`
    "
    );
}
