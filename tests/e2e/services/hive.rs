//! HiveServer2, and the Spark Thrift Server, which speaks its protocol.

use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use hive::service::rpc::thrift::transport::{
    TSaslClientReadTransport, TSaslClientTransport, TSaslClientWriteTransport,
};
use hive::service::rpc::thrift::{
    TBinaryColumn, TCLIServiceSyncClient, TCloseOperationReq, TColumn, TColumnDesc, TExecuteStatementReq,
    TFetchOrientation, TFetchResultsReq, TGetOperationStatusReq, TGetResultSetMetadataReq, TOpenSessionReq,
    TOperationHandle, TOperationState, TProtocolVersion, TSessionHandle, TStatus, TStatusCode,
    TTCLIServiceSyncClient, TTypeEntry, TTypeId,
};
use thrift::protocol::{TBinaryInputProtocol, TBinaryOutputProtocol};
use thrift::transport::TTcpChannel;

use super::{NULL, double, timestamp};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

type Client = TCLIServiceSyncClient<
    TBinaryInputProtocol<TSaslClientReadTransport>,
    TBinaryOutputProtocol<TSaslClientWriteTransport>,
>;

/// A session.
pub(crate) struct Hive {
    client: Client,
    session: TSessionHandle,
}

impl Hive {
    /// Opens a session at `host:port`.
    pub(crate) fn connect(address: &str) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("no HiveServer2 at {address}: {error}"))
    }

    /// Opens a session at `host:port`, or says why not.
    pub(crate) fn try_connect(address: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        let channel = TTcpChannel::with_stream(stream);
        let transport = TSaslClientTransport::new(channel, "mep".to_owned(), b"mep".to_vec())
            .open()
            .map_err(|error| error.to_string())?;
        let (read, write) = transport.split().map_err(|error| error.to_string())?;
        let mut client =
            Client::new(TBinaryInputProtocol::new(read, true), TBinaryOutputProtocol::new(write, true));
        let version = TProtocolVersion::HIVE_CLI_SERVICE_PROTOCOL_V8;
        let request = TOpenSessionReq::new(version, "mep".to_owned(), "mep".to_owned(), None);
        let opened = client.open_session(request).map_err(|error| error.to_string())?;
        check(&opened.status)?;
        let session = opened.session_handle.ok_or("no handle of the session")?;
        Ok(Self { client, session })
    }

    /// Carries out a statement; what it gives is not looked at.
    pub(crate) fn execute(&mut self, sql: &str) {
        let _alone = alone();
        let operation = self.run(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
        self.close(operation);
    }

    /// The rows of a query as text.
    pub(crate) fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        self.try_rows(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// The rows of a query as text, or the server's message.
    pub(crate) fn try_rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let _alone = alone();
        let operation = self.run(sql)?;
        let request = TGetResultSetMetadataReq::new(operation.clone());
        let metadata = self.client.get_result_set_metadata(request).map_err(|error| error.to_string())?;
        check(&metadata.status)?;
        let types: Vec<TTypeId> =
            metadata.schema.map(|schema| schema.columns.iter().map(type_of).collect()).unwrap_or_default();
        let mut rows: Vec<Vec<String>> = Vec::new();
        loop {
            let request =
                TFetchResultsReq::new(operation.clone(), TFetchOrientation::FETCH_NEXT, 10_000, None);
            let fetched = self.client.fetch_results(request).map_err(|error| error.to_string())?;
            check(&fetched.status)?;
            let columns = fetched.results.and_then(|results| results.columns).unwrap_or_default();
            let texts: Vec<Vec<String>> =
                columns.into_iter().zip(&types).map(|(column, of)| texts(column, *of)).collect();
            let count = texts.first().map_or(0, Vec::len);
            if count == 0 {
                break;
            }
            rows.extend((0..count).map(|row| texts.iter().map(|column| column[row].clone()).collect()));
        }
        self.close(operation);
        Ok(rows)
    }

    fn run(&mut self, sql: &str) -> Result<TOperationHandle, String> {
        let request = TExecuteStatementReq::new(self.session.clone(), sql.to_owned(), None, true, None);
        let started = self.client.execute_statement(request).map_err(|error| error.to_string())?;
        check(&started.status)?;
        let operation = started.operation_handle.ok_or("no handle of the statement")?;
        loop {
            let request = TGetOperationStatusReq::new(operation.clone(), None);
            let status = self.client.get_operation_status(request).map_err(|error| error.to_string())?;
            check(&status.status)?;
            match status.operation_state {
                Some(TOperationState::FINISHED_STATE) => return Ok(operation),
                Some(
                    TOperationState::INITIALIZED_STATE
                    | TOperationState::PENDING_STATE
                    | TOperationState::RUNNING_STATE,
                ) => sleep(Duration::from_millis(10)),
                state => {
                    self.close(operation);
                    return Err(status
                        .error_message
                        .unwrap_or_else(|| format!("the statement is {state:?}")));
                }
            }
        }
    }

    fn close(&mut self, operation: TOperationHandle) {
        // A statement that cannot be closed ends with its session.
        let _ = self.client.close_operation(TCloseOperationReq::new(operation));
    }
}

/// One statement at a time: HiveServer2 runs its jobs in its own process, where one that has read enough (`ExecMapper.done`, a static
/// field) can end what another one reads, which then gives no rows.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check(status: &TStatus) -> Result<(), String> {
    match status.status_code {
        TStatusCode::SUCCESS_STATUS | TStatusCode::SUCCESS_WITH_INFO_STATUS => Ok(()),
        _ => Err(status.error_message.clone().unwrap_or_else(|| format!("{status:?}"))),
    }
}

fn type_of(column: &TColumnDesc) -> TTypeId {
    match column.type_desc.types.first() {
        Some(TTypeEntry::PrimitiveEntry(entry)) => entry.type_,
        _ => TTypeId::STRING_TYPE,
    }
}

fn texts(column: TColumn, of: TTypeId) -> Vec<String> {
    let each = |nulls: &[u8], texts: Vec<String>| -> Vec<String> {
        let is_null = |row: usize| nulls.get(row / 8).is_some_and(|byte| byte & (1 << (row % 8)) != 0);
        let or_null = |(row, text): (usize, String)| if is_null(row) { NULL.to_owned() } else { text };
        texts.into_iter().enumerate().map(or_null).collect()
    };
    match column {
        TColumn::BoolVal(column) => {
            each(&column.nulls, column.values.iter().map(ToString::to_string).collect())
        }
        TColumn::ByteVal(column) => {
            each(&column.nulls, column.values.iter().map(ToString::to_string).collect())
        }
        TColumn::I16Val(column) => {
            each(&column.nulls, column.values.iter().map(ToString::to_string).collect())
        }
        TColumn::I32Val(column) => {
            each(&column.nulls, column.values.iter().map(ToString::to_string).collect())
        }
        TColumn::I64Val(column) => {
            each(&column.nulls, column.values.iter().map(ToString::to_string).collect())
        }
        TColumn::DoubleVal(column) => {
            each(&column.nulls, column.values.iter().map(|value| double(value.0)).collect())
        }
        TColumn::StringVal(column) if of == TTypeId::TIMESTAMP_TYPE => {
            each(&column.nulls, column.values.iter().map(|text| timestamp(text)).collect())
        }
        TColumn::StringVal(column) => each(&column.nulls, column.values),
        TColumn::BinaryVal(TBinaryColumn { values, nulls }) => {
            each(&nulls, values.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect())
        }
    }
}
