//! What an error of the driver means: whether the same call may succeed later.

use scylla::errors::{
    BrokenConnectionError, BrokenConnectionErrorKind, ConnectionError, ConnectionPoolError,
    ConnectionSetupRequestErrorKind, DbError, ExecutionError, MetadataError, NewSessionError, PrepareError,
    RequestAttemptError,
};

use mep_contract::sink::SinkError;
use mep_core::os_error::plain;

/// An error of a statement; `doing` says what it was to do.
pub(super) fn executing(doing: &str, error: &ExecutionError) -> SinkError {
    sorted(execution_passes(error), &format!("cassandra: cannot {doing}: {error}"))
}

/// An error of preparing a statement.
pub(super) fn preparing(doing: &str, error: &PrepareError) -> SinkError {
    sorted(prepare_passes(error), &format!("cassandra: cannot {doing}: {error}"))
}

/// Whether a statement does not fit the schema, or does not yet.
pub(super) fn is_of_schema(error: &PrepareError) -> bool {
    matches!(
        error,
        PrepareError::AllAttemptsFailed { first_attempt: RequestAttemptError::DbError(DbError::Invalid, _) }
    )
}

/// An error of connecting; `cluster` says to what.
pub(super) fn connecting(cluster: &str, error: &NewSessionError) -> SinkError {
    let passes = match error {
        // Names of hosts may come to be known, in an environment that is just starting.
        NewSessionError::FailedToResolveAnyHostname(_) => true,
        NewSessionError::MetadataError(error) => metadata_passes(error) && !is_of_encryption(error),
        _ => false,
    };
    sorted(passes, &format!("{cluster} cannot be reached: {error}"))
}

/// Whether a connection ended, or was not taken, as where the process at its other side has ended: not for want of an answer.
pub(super) fn is_of_an_end(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::ConnectionPoolError(ConnectionPoolError::Broken { last_connection_error }) => {
            connection_ended(last_connection_error)
        }
        ExecutionError::LastAttemptError(RequestAttemptError::BrokenConnectionError(error)) => {
            broken_by_an_end(error)
        }
        _ => false,
    }
}

fn connection_ended(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::IoError(_) => true,
        ConnectionError::BrokenConnection(error) => broken_by_an_end(error),
        ConnectionError::ConnectionSetupRequestError(error) => match &error.error {
            ConnectionSetupRequestErrorKind::BrokenConnection(error) => broken_by_an_end(error),
            _ => false,
        },
        _ => false,
    }
}

fn broken_by_an_end(error: &BrokenConnectionError) -> bool {
    matches!(
        error.downcast_ref(),
        Some(BrokenConnectionErrorKind::FrameHeaderParseError(_) | BrokenConnectionErrorKind::WriteError(_))
    )
}

/// Whether both sides do not agree how to encrypt, or a certificate is not trusted: no later call will do better.
fn is_of_encryption(error: &MetadataError) -> bool {
    let MetadataError::ConnectionPoolError(ConnectionPoolError::Broken {
        last_connection_error: ConnectionError::IoError(error),
    }) = error
    else {
        return false;
    };
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<openssl::ssl::Error>());
    inner.is_some_and(|error| error.ssl_error().is_some())
}

/// An answer that is not what Cassandra 3 to 5 gives.
pub(super) fn answer(doing: &str, error: &dyn std::fmt::Display) -> SinkError {
    SinkError::Refused(format!("cassandra: cannot {doing}: unexpected answer: {error}"))
}

fn sorted(passes: bool, message: &str) -> SinkError {
    let message = plain(message).into_owned();
    if passes { SinkError::Passing(message) } else { SinkError::Refused(message) }
}

fn execution_passes(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::EmptyPlan
        | ExecutionError::RequestTimeout(_)
        | ExecutionError::SchemaAgreementError(_) => true,
        ExecutionError::PrepareError(error) => prepare_passes(error),
        ExecutionError::ConnectionPoolError(error) => pool_passes(error),
        ExecutionError::LastAttemptError(error) => attempt_passes(error),
        ExecutionError::MetadataError(error) => metadata_passes(error),
        _ => false,
    }
}

fn prepare_passes(error: &PrepareError) -> bool {
    match error {
        PrepareError::ConnectionPoolError(error) => pool_passes(error),
        PrepareError::AllAttemptsFailed { first_attempt } => attempt_passes(first_attempt),
        _ => true,
    }
}

fn metadata_passes(error: &MetadataError) -> bool {
    match error {
        MetadataError::ConnectionPoolError(error) => pool_passes(error),
        _ => true,
    }
}

fn pool_passes(error: &ConnectionPoolError) -> bool {
    let ConnectionPoolError::Broken {
        last_connection_error: ConnectionError::ConnectionSetupRequestError(error),
    } = error
    else {
        return true;
    };
    match &error.error {
        ConnectionSetupRequestErrorKind::DbError(error, _) => database_passes(error),
        ConnectionSetupRequestErrorKind::MissingAuthentication => false,
        _ => true,
    }
}

fn attempt_passes(error: &RequestAttemptError) -> bool {
    match error {
        RequestAttemptError::UnableToAllocStreamId | RequestAttemptError::BrokenConnectionError(_) => true,
        RequestAttemptError::DbError(error, _) => database_passes(error),
        _ => false,
    }
}

fn database_passes(error: &DbError) -> bool {
    matches!(
        error,
        DbError::Unavailable { .. }
            | DbError::Overloaded
            | DbError::IsBootstrapping
            | DbError::TruncateError
            | DbError::ReadTimeout { .. }
            | DbError::WriteTimeout { .. }
            | DbError::ReadFailure { .. }
            | DbError::WriteFailure { .. }
            | DbError::Unprepared { .. }
            | DbError::ServerError
            | DbError::RateLimitReached { .. }
            // What newer protocols tell of conditional updates and of caches.
            | DbError::Other(_)
    )
}
