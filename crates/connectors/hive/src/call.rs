//! What a call of the metastore is like, and what can come of it.
//!
//! Owns the words of the metastore's failures. Must not know: the calls.

use std::time::Duration;

use volo_thrift::ClientError;

use super::limits::Limits;
use super::refusal::{MetastoreRefusal, RefusalKind};
use mep_contract::warehouse::error::WarehouseError;

/// A call that may be made twice is made again this often where the connection was lost.
const MORE_ATTEMPTS: usize = 1;

/// What a call is like: how long it may take, and whether it may be made again where the connection was lost.
#[derive(Clone, Copy)]
pub(super) enum CallKind {
    /// Reads one thing.
    Question,
    /// Reads as many things as there are.
    Listing,
    /// Changes something, however much that is.
    Change,
    /// Asks for the lease.
    Lock,
    /// Keeps the lease or gives it back: twice is as good as once.
    SignOfLife,
}

impl CallKind {
    /// How long it may take.
    pub(super) fn limit(self, limits: Limits) -> Duration {
        match self {
            Self::Question | Self::Lock => limits.answer(),
            Self::Listing | Self::Change => limits.many(),
            Self::SignOfLife => limits.sign_of_life(),
        }
    }

    /// How often it is made, at most: whether a change was carried out is not known once the connection is lost.
    pub(super) fn attempts(self) -> usize {
        match self {
            Self::Change | Self::Lock => 1,
            Self::Question | Self::Listing | Self::SignOfLife => 1 + MORE_ATTEMPTS,
        }
    }
}

/// Why a call did not give what was asked for.
#[derive(Debug)]
pub(super) enum CallFailure {
    /// The metastore said no.
    Refused(MetastoreRefusal),
    /// An answer that cannot be understood: whether the call was carried out is not known.
    Unclear(String),
    /// The connection was lost, or could not be had: whether the call was carried out is not known.
    Lost(String),
    /// No answer for this long: whether the call was carried out is not known.
    Silent(Duration),
}

impl From<ClientError> for CallFailure {
    fn from(error: ClientError) -> Self {
        // The library lets its whole context follow, in hundreds of words.
        let said = error.to_string();
        let end =
            [", cx: ", ", rpc_info: ", ", rpcinfo: "].into_iter().filter_map(|words| said.find(words)).min();
        let said = &said[..end.unwrap_or(said.len())];
        match error {
            ClientError::Transport(_) => {
                Self::Lost(said.strip_prefix("transport exception: ").unwrap_or(said).to_owned())
            }
            _ => Self::Unclear(said.to_owned()),
        }
    }
}

/// What a call gave, with what it was about.
pub(super) struct CallResult<T> {
    /// What was tried.
    pub(super) action: &'static str,
    /// On what.
    pub(super) object: String,
    /// Who was asked.
    pub(super) service: String,
    /// What came of it.
    pub(super) outcome: Result<T, CallFailure>,
}

impl<T> CallResult<T> {
    /// What was asked for; all else is an error.
    pub(super) fn must(self) -> Result<T, WarehouseError> {
        let Self { action, object, service, outcome } = self;
        outcome.map_err(|failure| {
            let reason = match failure {
                CallFailure::Refused(refusal) => refusal.to_string(),
                CallFailure::Unclear(reason) => reason,
                CallFailure::Lost(reason) => return WarehouseError::Lost { action, object, service, reason },
                CallFailure::Silent(limit) => {
                    return WarehouseError::Silent { action, object, service, seconds: limit.as_secs() };
                }
            };
            WarehouseError::Metastore { action, object, reason }
        })
    }

    /// What was asked for; `None` where the metastore refused it with an exception of this kind.
    pub(super) fn unless(self, kind: RefusalKind) -> Result<Option<T>, WarehouseError> {
        match &self.outcome {
            Err(CallFailure::Refused(refusal)) if refusal.kind == kind => Ok(None),
            _ => self.must().map(Some),
        }
    }
}
