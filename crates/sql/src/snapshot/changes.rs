//! The SQL of what a look at the source changes.
//!
//! The source is read once: its rows and the current versions are joined in full by the key, in which NULL equals NULL,
//! and each pair gives up to two rows, the version that ends and the one that begins. A key that the source gives twice
//! always gives rows, so that it is found among them.

use super::super::names::quoted;
use super::{Change, HardDeletes, SnapshotQuery, StoredVersions};

pub(super) struct Changes<'a> {
    pub(super) query: &'a SnapshotQuery,
    pub(super) stored: StoredVersions<'a>,
    pub(super) now: String,
}

impl Changes<'_> {
    pub(super) fn sql(&self) -> String {
        let new_records = self.query.hard_deletes == HardDeletes::NewRecord;
        let begin =
            if new_records { "'new', 'doubled', 'changed', 'gone'" } else { "'new', 'doubled', 'changed'" };
        format!(
            "with {},
__mep_current as (
    select *, true as __mep_stored from {} where {}
),
__mep_pairs as (
    select {}
    from __mep_current s full join __mep_source n on {}
),
__mep_decided as (
    select *, {} as __mep_begins_at, {} as __mep_what from __mep_pairs
)
select
    {}
from __mep_decided cross join (values ('ends'), ('begins')) as sides (__mep_side)
where __mep_side = 'ends' and __mep_what in ('changed', 'gone')
    or __mep_side = 'begins' and __mep_what in ({begin})",
            self.query.with_source(&self.now),
            self.stored.table,
            self.query.is_current(""),
            self.pairs().join(", "),
            self.query.is_same(),
            self.begins_at(),
            self.what(),
            self.select().join(",\n    "),
        )
    }

    fn is_stored(&self, column: &str) -> bool {
        self.stored.columns.iter().any(|known| known == column)
    }

    fn is_given(&self, column: &str) -> bool {
        self.query.columns.iter().any(|known| known == column)
    }

    fn says_deleted(&self) -> bool {
        self.is_stored(&self.query.names.is_deleted)
    }

    /// The columns of the source, and those that it had and has no more.
    fn columns(&self) -> Vec<&String> {
        let names = &self.query.names;
        let added = [&names.scd_id, &names.updated_at, &names.valid_from, &names.valid_to, &names.is_deleted];
        let is_gone = |column: &&String| !self.is_given(column) && !added.contains(column);
        self.query.columns.iter().chain(self.stored.columns.iter().filter(is_gone)).collect()
    }

    /// A column as it is stored.
    fn kept(&self, column: &str) -> String {
        if self.is_stored(column) { quoted(&format!("s_{column}")) } else { "null".to_owned() }
    }

    /// A column as the source gives it.
    fn given(&self, column: &str) -> String {
        if self.is_given(column) { quoted(&format!("n_{column}")) } else { "null".to_owned() }
    }

    fn pairs(&self) -> Vec<String> {
        let names = &self.query.names;
        let mut pairs: Vec<String> = Vec::new();
        for column in self.columns() {
            if self.is_stored(column) {
                pairs.push(format!("s.{} as {}", quoted(column), self.kept(column)));
            }
            if self.is_given(column) {
                pairs.push(format!("n.{} as {}", quoted(column), self.given(column)));
            }
        }
        let kept =
            [(&names.scd_id, "scd_id"), (&names.updated_at, "old_at"), (&names.valid_from, "valid_from")];
        pairs.extend(kept.map(|(column, name)| format!("s.{} as __mep_{name}", quoted(column))));
        let deleted = if self.says_deleted() {
            format!("coalesce(s.{}, 'False')", quoted(&names.is_deleted))
        } else {
            "'False'".to_owned()
        };
        pairs.push(format!("{deleted} as __mep_deleted"));
        pairs.push("s.__mep_stored, n.__mep_updated_at, n.__mep_copies".to_owned());
        pairs
    }

    /// From when the version holds that a row of the source begins. A key that comes back was not there when it was found
    /// to be deleted, whatever the time of its last change: then it is there from now on.
    fn begins_at(&self) -> String {
        match self.query.hard_deletes {
            HardDeletes::Ignore | HardDeletes::Invalidate => "__mep_updated_at".to_owned(),
            HardDeletes::NewRecord => format!(
                "case when __mep_deleted = 'True' and __mep_updated_at <= __mep_valid_from then {} else __mep_updated_at end",
                self.now
            ),
        }
    }

    /// What became of the row.
    fn what(&self) -> String {
        let (is_gone, is_back) = match self.query.hard_deletes {
            HardDeletes::Ignore => ("false", "false"),
            HardDeletes::Invalidate => ("true", "false"),
            HardDeletes::NewRecord => ("__mep_deleted <> 'True'", "__mep_deleted = 'True'"),
        };
        format!(
            "case
        when __mep_copies > 1 then 'doubled'
        when __mep_stored is null then 'new'
        when __mep_copies is null then case when {is_gone} then 'gone' else 'same' end
        when {is_back} or {} then 'changed'
        else 'same'
        end",
            self.is_changed()
        )
    }

    fn is_changed(&self) -> String {
        match &self.query.change {
            Change::Later { .. } => "coalesce(__mep_valid_from < __mep_updated_at, false)".to_owned(),
            Change::Differs { columns, .. } => {
                // In brackets: all that follows DISTINCT FROM would be taken for its operand.
                let differs = |column: &String| {
                    format!("({} is distinct from {})", self.given(column), self.kept(column))
                };
                let differs: Vec<String> = columns.iter().map(differs).collect();
                format!("({})", differs.join(" or "))
            }
        }
    }

    fn select(&self) -> Vec<String> {
        let names = &self.query.names;
        let value = |column: &str| {
            let (old, new) = (self.kept(column), self.given(column));
            format!("case when __mep_side = 'ends' or __mep_what = 'gone' then {old} else {new} end")
        };
        let mut select: Vec<String> =
            self.columns().iter().map(|column| format!("{} as {}", value(column), quoted(column))).collect();
        let side =
            |ends: &str, begins: &str| format!("case when __mep_side = 'ends' then {ends} else {begins} end");
        let at = format!("case when __mep_what = 'gone' then {} else __mep_begins_at end", self.now);
        select.extend(self.query.added_as([
            &side("__mep_scd_id", &self.query.scd_id(value, &at)),
            &side("__mep_old_at", &at),
            &side("__mep_valid_from", &at),
            &side(&at, &self.query.end()),
            &side("__mep_deleted", "case when __mep_what = 'gone' then 'True' else 'False' end"),
        ]));
        if self.says_deleted() && self.query.hard_deletes != HardDeletes::NewRecord {
            select.push(format!("{} as {}", side("__mep_deleted", "null"), quoted(&names.is_deleted)));
        }
        select
    }
}
