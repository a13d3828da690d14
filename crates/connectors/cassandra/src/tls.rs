//! How connections to Cassandra are encrypted.

use std::path::Path;

use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslFiletype, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;

use mep_contract::sink::SinkError;
use mep_core::connection::CassandraTls;

/// X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL.
const OTHER_ADDRESS: i32 = 64;

/// What a session encrypts with.
///
/// # Errors
/// [`SinkError::Refused`] where a file cannot be read.
pub(super) fn context(tls: &CassandraTls) -> Result<SslConnectorBuilder, SinkError> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(|error| wrong("tls", &error))?;
    if let Some(ca) = &tls.ca {
        // These authorities alone are trusted, and not those of the system too.
        let pem = std::fs::read(ca)
            .map_err(|error| SinkError::Refused(format!("cannot read {}: {error}", ca.display())))?;
        let certificates =
            X509::stack_from_pem(&pem).map_err(|error| wrong(&named("ssl_ca_location", ca), &error))?;
        if certificates.is_empty() {
            return Err(SinkError::Refused(format!(
                "{}: expected certificates, found none",
                named("ssl_ca_location", ca)
            )));
        }
        let store =
            authorities(certificates).map_err(|error| wrong(&named("ssl_ca_location", ca), &error))?;
        builder.set_cert_store(store.build());
    }
    if let Some(certificate) = &tls.certificate {
        let set = builder.set_certificate_chain_file(certificate);
        set.map_err(|error| wrong(&named("ssl_certificate_location", certificate), &error))?;
    }
    if let Some(key) = &tls.key {
        let set = builder.set_private_key_file(key, SslFiletype::PEM);
        let set = set.and_then(|()| builder.check_private_key());
        set.map_err(|error| wrong(&named("ssl_key_location", key), &error))?;
    }
    if !tls.verifies_address {
        // The driver has OpenSSL compare the address always; nothing else that is wrong is let pass.
        builder.set_verify_callback(SslVerifyMode::PEER, |is_good, context| {
            is_good || context.error().as_raw() == OTHER_ADDRESS
        });
    }
    Ok(builder)
}

fn authorities(certificates: Vec<X509>) -> Result<X509StoreBuilder, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for certificate in certificates {
        store.add_cert(certificate)?;
    }
    Ok(store)
}

fn named(key: &str, path: &Path) -> String {
    format!("`{key}`: {}", path.display())
}

fn wrong(what: &str, error: &ErrorStack) -> SinkError {
    SinkError::Refused(format!("cannot encrypt connections to cassandra: {what}: {error}"))
}
