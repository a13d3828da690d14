//! `mep_leases`: which instance streams a model now. A row ends by itself where its holder does not renew it.

use chrono::{DateTime, Utc};

use super::client::Decision;
use super::connection::CassandraSession;
use super::shape::quoted;
use super::stream_row::words;
use mep_contract::sink::{LEASE_LIFE, SinkError};

/// The table's name.
pub(super) const LEASES: &str = "mep_leases";

/// How often the row is read anew because it ended or came in between.
const ATTEMPTS: u32 = 5;

/// The lease of a model, as one instance sees it.
pub(super) struct ModelLease<'a> {
    pub(super) session: &'a CassandraSession,
    pub(super) keyspace: &'a str,
    pub(super) model: &'a str,
    pub(super) holder: &'a str,
    pub(super) since: DateTime<Utc>,
}

/// `CREATE TABLE`.
pub(super) fn create(keyspace: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {}.{LEASES} (
    model text PRIMARY KEY,
    holder text,
    since timestamp
) WITH comment = 'which instance of mep streams a model; changed by mep alone'",
        quoted(keyspace)
    )
}

/// The process and the machine that a holder's name begins with: `process 7 on host (…)`.
fn process_of(holder: &str) -> Option<(&str, &str)> {
    let (process, _) = holder.rsplit_once(" (")?;
    process.strip_prefix("process ")?.split_once(" on ")
}

/// What became of renewing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Renewed {
    /// It is still held.
    Kept,
    /// It had ended and was taken again: another instance may have had the model in between.
    TakenAgain,
    /// Another instance has it, in words.
    Lost(String),
}

impl ModelLease<'_> {
    fn table(&self) -> String {
        format!("{}.{LEASES}", quoted(self.keyspace))
    }

    /// Takes it, where nobody has it or this instance has it already.
    ///
    /// # Errors
    /// [`SinkError::Held`] where another one has it.
    pub(super) async fn take(&self) -> Result<(), SinkError> {
        match self.renew().await? {
            Renewed::Kept | Renewed::TakenAgain => Ok(()),
            Renewed::Lost(holder) => {
                if self.end_of_dead().await?
                    && matches!(self.renew().await?, Renewed::Kept | Renewed::TakenAgain)
                {
                    return Ok(());
                }
                Err(SinkError::Held { model: self.model.to_owned(), holder })
            }
        }
    }

    /// Ends the lease of a process of this very machine that is no more: nobody need wait for it.
    async fn end_of_dead(&self) -> Result<bool, SinkError> {
        let Some((holder, _)) = self.read().await? else { return Ok(true) };
        let is_dead = match (process_of(&holder), process_of(self.holder)) {
            (Some((pid, host)), Some((_, here))) => {
                let processes = std::path::Path::new("/proc");
                host == here && processes.join("self").exists() && !processes.join(pid).exists()
            }
            _ => false,
        };
        if !is_dead {
            return Ok(false);
        }
        let delete = format!("DELETE FROM {} WHERE model = ? IF holder = ?", self.table());
        match self.session.decide("end the lease of a dead process", &delete, (self.model, &holder)).await? {
            Decision::Applied | Decision::Declined => Ok(true),
            Decision::Unknown(error) => Err(error),
        }
    }

    /// Makes it last from now on.
    pub(super) async fn renew(&self) -> Result<Renewed, SinkError> {
        for _ in 0..ATTEMPTS {
            let update = format!(
                "UPDATE {} USING TTL {} SET holder = ?, since = ? WHERE model = ? IF holder = ?",
                self.table(),
                LEASE_LIFE.as_secs()
            );
            let values = (self.holder, self.since, self.model, self.holder);
            match self.session.decide("renew the lease", &update, values).await? {
                Decision::Applied => return Ok(Renewed::Kept),
                Decision::Declined => {}
                Decision::Unknown(error) => return Err(error),
            }
            let insert = format!(
                "INSERT INTO {} (model, holder, since) VALUES (?, ?, ?) IF NOT EXISTS USING TTL {}",
                self.table(),
                LEASE_LIFE.as_secs()
            );
            let values = (self.model, self.holder, self.since);
            match self.session.decide("take the lease", &insert, values).await? {
                Decision::Applied => return Ok(Renewed::TakenAgain),
                Decision::Declined => {}
                Decision::Unknown(error) => return Err(error),
            }
            if let Some((holder, since)) = self.read().await?
                && holder != self.holder
            {
                return Ok(Renewed::Lost(words(&holder, since)));
            }
        }
        Err(SinkError::Passing(format!("cassandra: the lease of {} comes and goes", self.model)))
    }

    /// Gives it back, where it is this instance's.
    pub(super) async fn release(&self) -> Result<(), SinkError> {
        let delete = format!("DELETE FROM {} WHERE model = ? IF holder = ?", self.table());
        match self.session.decide("give the lease back", &delete, (self.model, self.holder)).await? {
            Decision::Applied | Decision::Declined => Ok(()),
            Decision::Unknown(error) => Err(error),
        }
    }

    async fn read(&self) -> Result<Option<(String, DateTime<Utc>)>, SinkError> {
        let select = format!("SELECT holder, since FROM {} WHERE model = ?", self.table());
        let consistency = self.session.serial_read();
        let rows: Vec<(Option<String>, Option<DateTime<Utc>>)> =
            self.session.rows("read the lease", &select, (self.model,), consistency).await?;
        // Parts of a row end one by one.
        Ok(rows.into_iter().next().and_then(|(holder, since)| Some((holder?, since?))))
    }
}

#[cfg(test)]
mod tests {
    use super::process_of;

    #[test]
    fn a_holder_begins_with_its_process_and_its_machine() {
        assert_eq!(process_of("process 7 on a.b (0190)"), Some(("7", "a.b")));
        assert_eq!(process_of("somebody"), None);
    }
}
