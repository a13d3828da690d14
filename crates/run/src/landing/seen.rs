//! What a unit holds, found without landing it.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::Date32Type;

use super::LandingError;
use mep_contract::source::{LandingTable, ReceiveError, RejectedRows, Source, SourceItem, Unit};
use mep_plan::UnitContent;

/// What a unit holds, for a plan that must name what it touches without landing it.
///
/// # Errors
/// Where the source cannot be read.
pub fn content_of(
    table: &LandingTable,
    source: &dyn Source,
    unit: &Unit,
) -> Result<UnitContent, LandingError> {
    let mut days = BTreeSet::new();
    let (mut rejected, mut rejects, mut read) = (RejectedRows::default(), 0, 0);
    let mut reader = source.open(unit)?;
    while let Some(piece) = reader.next()? {
        read += piece.read(&mut |item| {
            match item {
                SourceItem::Rows(rows) => {
                    let dates = table.schema.event_dates(&rows);
                    let dates = dates.map_err(|error| ReceiveError(Box::new(error)))?;
                    if let Some(dates) = dates {
                        days.extend(dates.as_primitive::<Date32Type>().iter().flatten());
                    }
                }
                SourceItem::Reject(reject) => {
                    rejected.add(&reject);
                    rejects += 1;
                }
            }
            Ok(())
        })?;
    }
    let days = days.into_iter().filter_map(Date32Type::to_naive_date_opt).collect();
    Ok(UnitContent { days, rejected, rejects, read, schemas: reader.schemas() })
}
