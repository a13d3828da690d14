//! Encrypted connections, by each of libpq's modes.

use std::time::{Duration, Instant};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

use super::{Database, orders, place};

/// A certificate of its own authority, and its key.
fn certificate(names: impl Fn(&mut SubjectAlternativeName)) -> (String, String) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "mep").unwrap();
    let name = name.build();
    let mut made = X509::builder().unwrap();
    made.set_version(2).unwrap();
    made.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
    made.set_subject_name(&name).unwrap();
    made.set_issuer_name(&name).unwrap();
    made.set_pubkey(&key).unwrap();
    made.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    made.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    made.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    let mut alternative = SubjectAlternativeName::new();
    names(&mut alternative);
    let alternative = alternative.build(&made.x509v3_context(None, None)).unwrap();
    made.append_extension(alternative).unwrap();
    made.sign(&key, MessageDigest::sha256()).unwrap();
    let text = |pem: Vec<u8>| String::from_utf8(pem).unwrap();
    (text(made.build().to_pem().unwrap()), text(key.private_key_to_pem_pkcs8().unwrap()))
}

/// Has the server use a certificate from now on.
fn use_certificate(database: &Database, certificate: &str, key: &str) {
    for (file, text) in [("mep.crt", certificate), ("mep.key", key)] {
        database.execute(&format!(
            "copy (select unnest(string_to_array('{}', E'\\n'))) to program 'umask 077; cat > {file}'",
            text.trim_end()
        ));
    }
    for setting in ["ssl_cert_file = 'mep.crt'", "ssl_key_file = 'mep.key'", "ssl = on"] {
        database.execute_alone(&format!("alter system set {setting}"));
    }
    database.execute_alone("select pg_reload_conf()");
}

#[test]
fn connections_are_encrypted_and_certificates_checked_as_sslmode_says() {
    let database = orders();
    let project = &database.project;
    let profiles = std::fs::read_to_string(project.path("profiles.yml")).unwrap();
    let with = |said: &str| {
        project.file("profiles.yml", profiles.replace("user: mep,", &format!("user: mep, {said},")));
    };
    with("sslmode: require");
    insta::assert_snapshot!(database.shown(&project.fail(1, &["run"])), @r#"
       error  source shop.orders  [time]
        plan  1 table
     skipped  table by_day  (because of shop.orders)

    what failed:
      source shop.orders
          postgres: postgres at [postgres] cannot be reached: server does not support TLS
    failed in [time]: 1 in error, 1 skipped
    "#);

    let (host, _) = place();
    let (own, key) = certificate(|names| _ = names.ip(&host));
    let (other, other_key) = certificate(|names| _ = names.dns("elsewhere.example"));
    project.file("own.pem", &own).file("other.pem", &other);
    use_certificate(&database, &own, &key);
    let began = Instant::now();
    while project.run(&["run"]).code != Some(0) {
        assert!(began.elapsed() < Duration::from_secs(30), "the server did not take the certificate");
    }
    with("sslmode: verify-full, sslrootcert: own.pem");
    project.succeed(&["run"]);
    with("sslmode: verify-ca, sslrootcert: other.pem");
    assert!(project.fail(1, &["run"]).contains("certificate verify failed"));
    with("sslmode: disable");
    project.succeed(&["run"]);

    use_certificate(&database, &other, &other_key);
    with("sslmode: verify-ca, sslrootcert: other.pem");
    while project.run(&["run"]).code != Some(0) {
        assert!(began.elapsed() < Duration::from_mins(1), "the server did not take the other certificate");
    }
    with("sslmode: verify-full, sslrootcert: other.pem");
    assert!(project.fail(1, &["run"]).contains("certificate verify failed"));
}
