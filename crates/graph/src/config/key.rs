//! The declaration of a key of config: what is known of it, and how it is read.

use mep_core::keys::{Key, Shape};

use super::model::ModelConfig;
use super::reader::ConfigReader;
use super::seed::SeedConfig;
use super::snapshot::SnapshotConfig;
use super::test::TestConfig;
use super::{NodeConfig, OwnConfig};

/// A text, or a list of texts.
pub(super) const TEXTS: Shape = Shape::OneOrMore(&Shape::Text);
/// Names of columns, or what adapters for warehouses in the cloud write: a mapping with `field`.
pub(super) const COLUMNS: Shape = Shape::Either(&[TEXTS, Shape::Mapping(&Shape::Any)]);

/// A key of config.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConfigKey {
    pub(super) key: Key,
    set: Setting,
}

/// How a value is taken over into the config of a node.
#[derive(Clone, Copy, Debug)]
enum Setting {
    Node(fn(&mut ConfigReader<'_>, &mut NodeConfig)),
    Model(fn(&mut ConfigReader<'_>, &mut ModelConfig)),
    Seed(fn(&mut ConfigReader<'_>, &mut SeedConfig)),
    Snapshot(fn(&mut ConfigReader<'_>, &mut SnapshotConfig)),
    Test(fn(&mut ConfigReader<'_>, &mut TestConfig)),
    /// It is read with the file that it stands in, or nothing comes of it.
    Elsewhere,
}

impl ConfigKey {
    /// Reads it into a config that is of the kind of node that has the key.
    pub(super) fn apply(&self, reader: &mut ConfigReader<'_>, config: &mut NodeConfig) {
        match (self.set, &mut config.own) {
            (Setting::Node(set), _) => set(reader, config),
            (Setting::Model(set), OwnConfig::Model(own)) => set(reader, own),
            (Setting::Seed(set), OwnConfig::Seed(own)) => set(reader, own),
            (Setting::Snapshot(set), OwnConfig::Snapshot(own)) => set(reader, own),
            (Setting::Test(set), OwnConfig::Test(own)) => set(reader, own),
            (
                Setting::Elsewhere
                | Setting::Model(_)
                | Setting::Seed(_)
                | Setting::Snapshot(_)
                | Setting::Test(_),
                _,
            ) => {}
        }
    }

    /// Whether a node with this config has what the key sets.
    #[cfg(test)]
    pub(super) fn is_of(&self, own: &OwnConfig) -> bool {
        match self.set {
            Setting::Node(_) | Setting::Elsewhere => true,
            Setting::Model(_) => matches!(own, OwnConfig::Model(_)),
            Setting::Seed(_) => matches!(own, OwnConfig::Seed(_)),
            Setting::Snapshot(_) => matches!(own, OwnConfig::Snapshot(_)),
            Setting::Test(_) => matches!(own, OwnConfig::Test(_)),
        }
    }
}

/// What is known of these keys.
pub(super) fn keys_of(keys: &[ConfigKey]) -> Vec<Key> {
    keys.iter().map(|key| key.key).collect()
}

/// A key that nodes of several kinds have.
pub(super) const fn of_node(key: Key, set: fn(&mut ConfigReader<'_>, &mut NodeConfig)) -> ConfigKey {
    ConfigKey { key, set: Setting::Node(set) }
}

/// A key of models.
pub(super) const fn of_model(key: Key, set: fn(&mut ConfigReader<'_>, &mut ModelConfig)) -> ConfigKey {
    ConfigKey { key, set: Setting::Model(set) }
}

/// A key of seeds.
pub(super) const fn of_seed(key: Key, set: fn(&mut ConfigReader<'_>, &mut SeedConfig)) -> ConfigKey {
    ConfigKey { key, set: Setting::Seed(set) }
}

/// A key of snapshots.
pub(super) const fn of_snapshot(key: Key, set: fn(&mut ConfigReader<'_>, &mut SnapshotConfig)) -> ConfigKey {
    ConfigKey { key, set: Setting::Snapshot(set) }
}

/// A key of tests.
pub(super) const fn of_test(key: Key, set: fn(&mut ConfigReader<'_>, &mut TestConfig)) -> ConfigKey {
    ConfigKey { key, set: Setting::Test(set) }
}

/// A key that is read with the file that it stands in, or that has no effect.
pub(super) const fn elsewhere(key: Key) -> ConfigKey {
    ConfigKey { key, set: Setting::Elsewhere }
}
