//! `surrogate_key(a, b, ...) -> BIGINT`: the hash of several columns' texts, without making the texts' columns.
//!
//! It gives what `hash_key(concat(coalesce(cast(a as varchar), chr(0)), chr(31), ...))` gives.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::functions::hash_key;

/// Stands between columns, as `chr(31)` does.
const SEPARATOR: u8 = 31;
/// Stands for NULL, as `chr(0)` does.
const NULL: u8 = 0;

/// The function.
#[derive(Debug)]
pub(super) struct SurrogateKey {
    signature: Signature,
}

impl SurrogateKey {
    pub(super) fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl PartialEq for SurrogateKey {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for SurrogateKey {}

impl Hash for SurrogateKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl ScalarUDFImpl for SurrogateKey {
    fn name(&self) -> &'static str {
        "surrogate_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if let Some(other) = types.iter().find(|data_type| !has_one_text(data_type)) {
            return plan_err!(
                "surrogate_key takes integers, texts, booleans and dates, found {other}: engines print it differently, so cast it first"
            );
        }
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if arguments.args.is_empty() {
            return exec_err!("surrogate_key takes at least one column");
        }
        let is_scalar = arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { arguments.number_rows };
        let columns: Vec<KeyColumn> = arguments
            .args
            .iter()
            .map(|argument| KeyColumn::new(&argument.to_array(rows)?))
            .collect::<Result<_>>()?;
        let keys: ArrayRef = Arc::new(keys(&columns, rows));
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&keys, 0)?));
        }
        Ok(ColumnarValue::Array(keys))
    }
}

/// Whether every engine gives the same text for values of a type.
fn has_one_text(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_string()
        || matches!(data_type, DataType::Boolean | DataType::Date32 | DataType::Null)
        || matches!(data_type, DataType::Decimal128(_, 0))
}

enum KeyColumn {
    Whole(Int64Array),
    Text(StringViewArray),
}

impl KeyColumn {
    fn new(values: &ArrayRef) -> Result<Self> {
        let fits = values.data_type().is_integer() && *values.data_type() != DataType::UInt64;
        Ok(if fits {
            Self::Whole(cast(values, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
        } else {
            Self::Text(cast(values, &DataType::Utf8View)?.as_string_view().clone())
        })
    }

    fn write(&self, row: usize, text: &mut Vec<u8>, digits: &mut itoa::Buffer) {
        match self {
            Self::Whole(values) if values.is_valid(row) => {
                text.extend_from_slice(digits.format(values.value(row)).as_bytes());
            }
            Self::Text(values) if values.is_valid(row) => {
                text.extend_from_slice(values.value(row).as_bytes());
            }
            Self::Whole(_) | Self::Text(_) => text.push(NULL),
        }
    }
}

fn keys(columns: &[KeyColumn], rows: usize) -> Int64Array {
    let mut text = Vec::with_capacity(256);
    let mut digits = itoa::Buffer::new();
    let mut recent = Recent::new();
    let key = |row| {
        text.clear();
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                text.push(SEPARATOR);
            }
            column.write(row, &mut text, &mut digits);
        }
        recent.key(&text)
    };
    Int64Array::from_iter_values((0..rows).map(key))
}

/// Texts that were hashed a moment ago: the same user, song or place comes many times in a batch, an event once.
struct Recent {
    slots: Vec<(Vec<u8>, i64)>,
    looked_up: usize,
    found: usize,
}

impl Recent {
    const SLOTS: usize = 1024;
    /// After so many look-ups it is known whether keeping texts is worth it.
    const TRIAL: usize = 1024;

    fn new() -> Self {
        Self { slots: vec![(Vec::new(), hash_key(b"")); Self::SLOTS], looked_up: 0, found: 0 }
    }

    fn key(&mut self, text: &[u8]) -> i64 {
        if self.looked_up >= Self::TRIAL && self.found < self.looked_up / 16 {
            return hash_key(text);
        }
        self.looked_up += 1;
        let (kept, key) = &mut self.slots[slot(text)];
        if kept == text {
            self.found += 1;
        } else {
            *key = hash_key(text);
            kept.clear();
            kept.extend_from_slice(text);
        }
        *key
    }
}

/// A number below [`Recent::SLOTS`] that similar texts seldom share (multiplication and rotation, eight bytes at a time).
fn slot(text: &[u8]) -> usize {
    let mut hash = text.len() as u64;
    for word in text.chunks(8) {
        let mut bytes = [0; 8];
        bytes[..word.len()].copy_from_slice(word);
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(bytes)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    (hash >> 54) as usize
}

#[cfg(test)]
mod tests {
    use datafusion::common::DataFusionError;

    use crate::Scope;

    #[test]
    fn it_gives_what_the_hash_of_the_concatenated_texts_gives() -> Result<(), DataFusionError> {
        let scope = Scope::for_planning();
        let texts = |column: &str| format!("coalesce(cast({column} as varchar), chr(0))");
        let portable = format!(
            "hash_key(concat({}, chr(31), {}, chr(31), {}, chr(31), {}))",
            texts("n"),
            texts("t"),
            texts("b"),
            texts("d")
        );
        // The same rows many times over, so that kept texts are found again.
        let sql = format!(
            "select count(*) as n from (values (1, 'a', true, date '2018-11-03'), (-5, 'Björk', false, null), (null, '', null, date '1969-12-31'), (null, null, null, null)) as v(n, t, b, d) cross join unnest(range(0, 3000)) where surrogate_key(n, t, b, d) <> {portable}"
        );
        let plan = scope.plan(&sql).map_err(|problem| DataFusionError::Plan(problem.message))?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let rows = runtime.block_on(async {
            scope.context().execute_logical_plan(plan.into_plan()).await?.collect().await
        })?;
        assert_eq!(arrow::util::pretty::pretty_format_batches(&rows)?.to_string().matches("| 0 ").count(), 1);
        Ok(())
    }

    #[test]
    fn a_double_has_more_than_one_text() {
        let problem = Scope::for_planning().plan("select surrogate_key(1.5e0)").unwrap_err();
        insta::assert_snapshot!(problem.message, @"surrogate_key takes integers, texts, booleans and dates, found double: engines print it differently, so cast it first");
    }
}
