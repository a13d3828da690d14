//! What is kept of the last message of a range, to know the topic again.

use std::fmt;
use std::fmt::Write as _;

use md5::{Digest, Md5};
use rdkafka::Message;

/// A message's offset, time and a hash of its content. A topic that was deleted, made anew and has grown past this offset
/// has another message there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub offset: i64,
    timestamp: Option<i64>,
    hash: String,
}

impl Mark {
    /// The mark of a message.
    pub(super) fn of(message: &impl Message) -> Self {
        Self::of_parts(message.offset(), message.timestamp().to_millis(), message.key(), message.payload())
    }

    /// The mark of a message that has these parts.
    pub(super) fn of_parts(
        offset: i64,
        timestamp: Option<i64>,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
    ) -> Self {
        let mut hash = Md5::new();
        for part in [key, payload] {
            // The length keeps a part's end apart from the next one's start, and nothing from an empty text.
            hash.update(part.map_or(-1, |part| part.len() as i64).to_le_bytes());
            hash.update(part.unwrap_or_default());
        }
        let hash = hash.finalize().iter().fold(String::with_capacity(32), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Self { offset, timestamp, hash }
    }

    /// Reads what [`Mark`] is displayed as.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let (offset, timestamp, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let timestamp = if timestamp == "-" { None } else { Some(timestamp.parse().ok()?) };
        Some(Self { offset: offset.parse().ok()?, timestamp, hash: hash.to_owned() })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = self.timestamp.map_or_else(|| "-".to_owned(), |timestamp| timestamp.to_string());
        write!(f, "{} {timestamp} {}", self.offset, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use rdkafka::message::OwnedMessage;

    use super::*;

    fn mark(key: Option<&str>, payload: Option<&str>, time: Timestamp) -> Mark {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        Mark::of(&OwnedMessage::new(bytes(payload), bytes(key), "t".into(), time, 0, 7, None))
    }

    #[test]
    fn a_mark_is_read_as_it_was_written_and_tells_messages_apart() {
        let time = Timestamp::CreateTime(1_541_030_400_000);
        let one = mark(Some("k"), Some("v"), time);
        assert_eq!(Mark::parse(&one.to_string()), Some(one.clone()));
        let timeless = mark(None, None, Timestamp::NotAvailable);
        assert_eq!(Mark::parse(&timeless.to_string()), Some(timeless));
        assert_ne!(one, mark(Some("kv"), Some(""), time));
        assert_ne!(one, mark(Some("k"), Some("v"), Timestamp::CreateTime(1)));
        assert_ne!(mark(None, Some(""), time), mark(None, None, time));
        assert_eq!(Mark::parse("7 x y"), None);
    }
}
