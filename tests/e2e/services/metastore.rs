//! The Hive Metastore, for entries that no SQL makes.

use std::net::ToSocketAddrs;

use hive_metastore::{
    FieldSchema, SerDeInfo, StorageDescriptor, Table, ThriftHiveMetastoreClient,
    ThriftHiveMetastoreClientBuilder,
};
use mep_sql::dialect::{PrestoView, TranslatedView};
use pilota::{AHashMap, FastStr};
use volo_thrift::MaybeException;

/// A connection.
pub(crate) struct Metastore {
    client: ThriftHiveMetastoreClient,
}

impl Metastore {
    /// The metastore at `thrift://host:port`.
    pub(crate) fn connect(uri: &str) -> Self {
        let address = uri.trim_start_matches("thrift://").to_socket_addrs().unwrap().next().unwrap();
        let client = ThriftHiveMetastoreClientBuilder::new("hms")
            .address(address)
            .make_codec(volo_thrift::codec::default::DefaultMakeCodec::buffered())
            .build();
        Self { client }
    }

    /// Makes a view: one entry from which Hive, Spark and Trino read it.
    pub(crate) async fn create_view(&self, schema: &str, name: &str, view: &TranslatedView) {
        let text = |text: &str| FastStr::new(text);
        let columns = view.columns.iter().map(|column| FieldSchema {
            name: Some(text(&column.name)),
            r#type: Some(text(&column.hive_type)),
            comment: None,
        });
        let parameters: AHashMap<FastStr, FastStr> =
            PrestoView::PARAMETERS.iter().map(|(key, value)| (text(key), text(value))).collect();
        let table = Table {
            table_name: Some(text(name)),
            db_name: Some(text(schema)),
            owner: Some(text("mep")),
            sd: Some(StorageDescriptor {
                cols: Some(columns.collect()),
                serde_info: Some(SerDeInfo::default()),
                ..StorageDescriptor::default()
            }),
            partition_keys: Some(Vec::new()),
            parameters: Some(parameters),
            view_original_text: Some(view.presto_view("hive", schema).into()),
            view_expanded_text: Some(view.hive.clone().into()),
            table_type: Some(text("VIRTUAL_VIEW")),
            ..Table::default()
        };
        match self.client.create_table(table).await.unwrap() {
            MaybeException::Ok(()) => {}
            MaybeException::Exception(exception) => panic!("the metastore refuses {name}: {exception:?}"),
        }
    }
}
