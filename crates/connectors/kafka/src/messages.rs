//! Messages of a partition, and how they become rows.

use std::sync::Arc;

use super::avro::AvroDecoder;
use mep_contract::source::tail::{self, Undecoded, UnreadableEvent};
use mep_contract::source::{MessagePlace, Piece, RowReceiver, SourceError, SourceItem};
use mep_decode::rows::{BadRow, Chunk, Decoded, Decoder, LineNumbers};

/// How a message is read.
pub(super) enum Reading {
    /// As a JSON object.
    Json(Decoder),
    /// As an Avro record.
    Avro(AvroDecoder),
}

/// Some messages, one after another, that can be worked out on any thread.
pub(super) struct Messages {
    unit: Arc<str>,
    topic: Arc<str>,
    partition: i32,
    reading: Arc<Reading>,
    /// The values, each followed by a line feed where they are JSON.
    values: Vec<u8>,
    /// Where each value ends.
    ends: Vec<usize>,
    /// The offset of each value.
    offsets: Vec<i64>,
    /// Messages that hold nothing to decode.
    empty: Vec<(i64, &'static str)>,
}

impl Messages {
    /// None yet, with room for so many bytes.
    pub(super) fn new(
        unit: Arc<str>,
        topic: Arc<str>,
        partition: i32,
        reading: Arc<Reading>,
        capacity: usize,
    ) -> Self {
        let values = Vec::with_capacity(capacity + capacity / 16);
        let (ends, offsets, empty) = (Vec::new(), Vec::new(), Vec::new());
        Self { unit, topic, partition, reading, values, ends, offsets, empty }
    }

    /// How many bytes their values have.
    pub(super) fn bytes(&self) -> usize {
        self.values.len()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.offsets.len() + self.empty.len()
    }

    /// Adds a message.
    pub(super) fn push(&mut self, offset: i64, value: Option<&[u8]>) {
        let Some(value) = value else {
            self.empty.push((offset, "the message has no value (a tombstone)"));
            return;
        };
        match &*self.reading {
            Reading::Avro(_) => {
                self.values.extend_from_slice(value);
            }
            // The decoder passes over blank lines, which would lose the message.
            Reading::Json(_) if value.trim_ascii_start().is_empty() => {
                self.empty.push((offset, "the message is empty"));
                return;
            }
            Reading::Json(_) => {
                let start = self.values.len();
                self.values.extend_from_slice(value);
                // Within a message a line feed is white space; a carriage return is too, and ends no line.
                let mut from = start;
                while let Some(feed) = memchr::memchr(b'\n', &self.values[from..]) {
                    self.values[from + feed] = b'\r';
                    from += feed + 1;
                }
                self.values.push(b'\n');
            }
        }
        self.ends.push(self.values.len());
        self.offsets.push(offset);
    }

    fn decode(&mut self) -> Result<Decoded, SourceError> {
        match &*self.reading {
            Reading::Json(decoder) => {
                let chunk = Chunk { lines: LineNumbers::From(1), bytes: std::mem::take(&mut self.values) };
                let decoded = decoder.decode(&chunk);
                self.values = chunk.bytes;
                decoded
            }
            Reading::Avro(decoder) => decoder.decode(&self.values, &self.ends),
        }
        .map_err(|error| SourceError::unreadable(error.to_string()))
    }

    /// The value of a message, by its index.
    fn value(&self, index: usize) -> Option<&[u8]> {
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)?,
        };
        self.values.get(start..*self.ends.get(index)?)
    }
}

impl Undecoded for Messages {
    fn decode(mut self: Box<Self>) -> Result<tail::DecodedEvents, SourceError> {
        let decoded = Messages::decode(&mut self)?;
        let mut unreadable = Vec::new();
        let mut offsets = Vec::with_capacity(self.offsets.len());
        let mut bad = decoded.rejects.into_iter().peekable();
        for (index, offset) in self.offsets.iter().enumerate() {
            // Lines count from 1, and each is a message.
            match bad.next_if(|bad| bad.line == index as u64 + 1) {
                Some(bad) => {
                    let payload =
                        self.value(index).map(|value| value.strip_suffix(b"\n").unwrap_or(value).to_vec());
                    unreadable.push(UnreadableEvent { offset: *offset, reason: bad.reason, payload });
                }
                None => offsets.push(*offset),
            }
        }
        let empty = self.empty.iter();
        unreadable.extend(empty.map(|(offset, reason)| UnreadableEvent {
            offset: *offset,
            reason: (*reason).to_owned(),
            payload: None,
        }));
        let mut offsets = offsets.into_iter();
        let with_offsets = |batch: arrow::array::RecordBatch| {
            let offsets: Vec<i64> = offsets.by_ref().take(batch.num_rows()).collect();
            (batch, offsets)
        };
        let batches: Vec<_> = decoded.batches.into_iter().map(with_offsets).collect();
        // A row without a message, or a message without a row, would be taken for another one.
        if batches.iter().any(|(batch, offsets)| batch.num_rows() != offsets.len())
            || offsets.next().is_some()
        {
            return Err(SourceError::unreadable(format!(
                "the rows of {} are not those of its messages",
                self.unit
            )));
        }
        Ok(tail::DecodedEvents { batches, unreadable, read: self.count() as u64 })
    }
}

impl Piece for Messages {
    fn read(mut self: Box<Self>, sink: &mut RowReceiver<'_>) -> Result<u64, SourceError> {
        let decoded = Messages::decode(&mut self)?;
        for batch in decoded.batches {
            sink(SourceItem::Rows(batch))?;
        }
        let place = |offset| MessagePlace { topic: self.topic.clone(), partition: self.partition, offset };
        for bad in decoded.rejects {
            // Lines count from 1, and each is a message.
            let offset =
                usize::try_from(bad.line).ok().and_then(|line| self.offsets.get(line.checked_sub(1)?));
            let place = place(offset.copied().unwrap_or(-1));
            sink(SourceItem::Reject(bad.into_message_reject(&self.unit, place)))?;
        }
        for (offset, reason) in &self.empty {
            let bad = BadRow::new(0, *reason, b"");
            sink(SourceItem::Reject(bad.into_message_reject(&self.unit, place(*offset))))?;
        }
        // Counted here and not by the decoder: a message that it passed over would show.
        Ok(self.count() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mep_contract::source::{Reject, RowSchema};

    fn read(values: &[Option<&str>]) -> (u64, u64, Vec<Reject>) {
        let schema =
            RowSchema::new([("ts", "bigint", true), ("song", "varchar", false)], Some("ts")).unwrap();
        let reading = Arc::new(Reading::Json(Decoder::new(&schema).unwrap()));
        let mut messages = Messages::new("t/3@10-99".into(), "t".into(), 3, reading, 64);
        for (offset, value) in (10..).step_by(2).zip(values) {
            messages.push(offset, value.map(str::as_bytes));
        }
        let (mut rows, mut rejects) = (0, Vec::new());
        let read = Box::new(messages)
            .read(&mut |item| {
                match item {
                    SourceItem::Rows(batch) => rows += batch.num_rows() as u64,
                    SourceItem::Reject(reject) => rejects.push(reject),
                }
                Ok(())
            })
            .unwrap();
        (read, rows, rejects)
    }

    #[test]
    fn each_message_is_a_row_or_a_reject_with_its_offset() {
        let (read, rows, rejects) = read(&[
            Some("{\"ts\": 1}"),
            None,
            Some("{\"ts\":\n 2,\n\"song\": \"a\"}\n"),
            Some(""),
            Some(" \n\r\n"),
            Some("{\"ts\": 3}\n{\"ts\": 4}"),
            Some("{\"ts\": 5, \"song\": \"a\nb\"}"),
            Some("{\"ts\": 6}"),
            Some("\n"),
        ]);
        assert_eq!((read, rows), (9, 3));
        let shown: Vec<String> = rejects
            .iter()
            .map(|reject| format!("{}: {}", reject.message.as_ref().unwrap().offset, reject.reason))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        20: more than one JSON value on the line
        22: no JSON: expected the string's end, found the control character U+000D at column 21
        12: the message has no value (a tombstone)
        16: the message is empty
        18: the message is empty
        26: the message is empty
        ");
    }
}
