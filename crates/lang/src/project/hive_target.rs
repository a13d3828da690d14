//! The part of a target that says where a Hive warehouse is.

use std::path::PathBuf;

use super::item::Mapping;
use super::{HiveConfig, Located, Problem, Problems};

const METASTORE_PORT: &str = "9083";
/// Seconds that a service may take to answer.
const TIMEOUT: u64 = 30;

/// Reads the keys that a target of type `hive` has of its own.
pub(super) fn read_hive(output: Mapping<'_>, problems: &mut Problems) -> Option<HiveConfig> {
    let metastore = output.required("metastore", "a target of type `hive`", problems)?;
    let location = output.required("location", "a target of type `hive`", problems)?;
    let location = checked_location(&location, problems);
    let hadoop_conf_dir = output.get("hadoop_conf_dir").and_then(|item| item.as_text()).map(PathBuf::from);
    let timeout = output.get("timeout").and_then(|item| item.whole(1..=3_600, problems));
    let addresses: Vec<Option<String>> = metastore.value.split(',').map(address).collect();
    let Some(metastore_addresses) = addresses.into_iter().collect::<Option<Vec<String>>>() else {
        let found = format!("`metastore`: expected thrift://host:port, found `{}`", metastore.value);
        let help = "several addresses stand with commas between them";
        problems.push(Problem::new(found).help(help).at(&metastore.place));
        return None;
    };
    let catalog = output.get("trino_catalog").and_then(|item| item.as_text());
    let trino_catalog = catalog.unwrap_or("hive").to_owned();
    Some(HiveConfig {
        metastore: metastore_addresses,
        location: location?,
        hadoop_conf_dir,
        trino_catalog,
        timeout: timeout.unwrap_or(TIMEOUT),
    })
}

/// `thrift://host:port` as `host:port`.
fn address(text: &str) -> Option<String> {
    let rest = text.trim().strip_prefix("thrift://")?.trim_end_matches('/');
    let (host, port) = rest.rsplit_once(':').unwrap_or((rest, METASTORE_PORT));
    let fits = !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok();
    fits.then(|| format!("{host}:{port}"))
}

fn checked_location(location: &Located<String>, problems: &mut Problems) -> Option<String> {
    let text = location.value.trim().trim_end_matches('/');
    let path = text.strip_prefix("hdfs://").and_then(|rest| rest.split_once('/'));
    if path.is_some_and(|(host, path)| !host.is_empty() && !path.is_empty()) {
        return Some(text.to_owned());
    }
    let found =
        format!("`location`: expected a folder such as hdfs://namenode:8020/warehouse, found `{text}`");
    problems.push(Problem::new(found).at(&location.place));
    None
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        assert_eq!(address(" thrift://a:9083/ ").as_deref(), Some("a:9083"));
        assert_eq!(address("thrift://a").as_deref(), Some("a:9083"));
        assert_eq!(address("a:9083"), None);
        assert_eq!(address("thrift://a:b"), None);
    }
}
