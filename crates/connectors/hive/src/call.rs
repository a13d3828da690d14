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

/// A call that was not sent is made again this often: the next one finds a connection.
const MORE_UNSENT: usize = 8;

/// What the library says where it lost the place of one that waited for a connection, by numbers that it gives twice
/// (volo-thrift 0.10, `transport/pool`).
const LOST_ITS_PLACE: &str = "wait a idle connection error";

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

    /// Whether it may be made again after this failure, which is the `times`th of its kind.
    pub(super) fn again(self, failure: &CallFailure, times: usize) -> bool {
        match failure {
            CallFailure::Unsent(_) => times <= MORE_UNSENT,
            CallFailure::Lost(_) => times < self.attempts(),
            CallFailure::Refused(_) | CallFailure::Unclear(_) | CallFailure::Silent(_) => false,
        }
    }

    /// How often it is made, at most: whether a change was carried out is not known once the connection is lost.
    fn attempts(self) -> usize {
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
    /// It was not made, for want of a connection that would have been free.
    Unsent(String),
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
            ClientError::Transport(_) if said.contains(LOST_ITS_PLACE) => Self::Unsent(said.to_owned()),
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
                CallFailure::Unsent(reason) | CallFailure::Lost(reason) => {
                    return WarehouseError::Lost { action, object, service, reason };
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(words: &str) -> CallFailure {
        let error = std::io::Error::other(words.to_owned());
        CallFailure::from(ClientError::Transport(volo_thrift::TransportException::from(error)))
    }

    #[test]
    fn a_change_is_made_again_where_it_was_not_sent_and_only_there() {
        let unsent = transport("wait a idle connection error: RecvError(())");
        assert!(matches!(unsent, CallFailure::Unsent(_)), "{unsent:?}");
        assert!(CallKind::Change.again(&unsent, 1));
        assert!(CallKind::Change.again(&unsent, MORE_UNSENT));
        assert!(!CallKind::Change.again(&unsent, MORE_UNSENT + 1));
        let lost = transport("early eof");
        assert!(matches!(lost, CallFailure::Lost(_)), "{lost:?}");
        assert!(!CallKind::Change.again(&lost, 1));
        assert!(CallKind::Question.again(&lost, 1));
        assert!(!CallKind::Question.again(&lost, 2));
    }
}
