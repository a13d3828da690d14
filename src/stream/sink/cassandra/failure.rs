//! What an error of the driver means: whether the same call may succeed later.

use scylla::errors::{
    ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError, ExecutionError,
    MetadataError, NewSessionError, PrepareError, RequestAttemptError,
};

use crate::stream::sink::SinkError;

/// An error of a statement; `doing` says what it was to do.
pub(super) fn executing(doing: &str, error: &ExecutionError) -> SinkError {
    sorted(execution_passes(error), format!("cassandra: cannot {doing}: {error}"))
}

/// An error of preparing a statement.
pub(super) fn preparing(doing: &str, error: &PrepareError) -> SinkError {
    sorted(prepare_passes(error), format!("cassandra: cannot {doing}: {error}"))
}

/// An error of connecting; `cluster` says to what.
pub(super) fn connecting(cluster: &str, error: &NewSessionError) -> SinkError {
    let passes = match error {
        // Names of hosts may come to be known, in an environment that is just starting.
        NewSessionError::FailedToResolveAnyHostname(_) => true,
        NewSessionError::MetadataError(error) => metadata_passes(error),
        _ => false,
    };
    sorted(passes, format!("{cluster} cannot be reached: {error}"))
}

/// An answer that is not what Cassandra 3 to 5 gives.
pub(super) fn answer(doing: &str, error: &dyn std::fmt::Display) -> SinkError {
    SinkError::Refused(format!("cassandra: cannot {doing}: unexpected answer: {error}"))
}

fn sorted(passes: bool, message: String) -> SinkError {
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
