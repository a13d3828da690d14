//! Source tables that Hive, Spark and Trino made by their own SQL, read where they are.

mod bundled;
mod corpus;
mod partitions;
mod refusals;
mod stories;

use crate::services::address;
use crate::services::hive::Hive;
use crate::services::hive_project::HiveProject;

/// Where a run that reads such a table is killed and held.
pub(crate) const POINTS: [&str; 1] = ["hive-file-opened"];

/// A project over tables of a database of its own, which Hive fills.
pub(super) struct SourceTables {
    pub(super) hive: HiveProject,
    /// The database that others publish in.
    pub(super) database: String,
}

impl SourceTables {
    /// A project whose source `crm` is the database, with these tables.
    pub(super) fn new(name: &str, tables: &[&str]) -> Self {
        let hive = HiveProject::new(&format!("sources_{name}"));
        let database = format!("crm_{name}_{}", std::process::id());
        let this = Self { hive, database };
        this.declare(&tables.iter().map(|table| format!("{{name: {table}}}")).collect::<Vec<_>>().join(", "));
        this.execute(&format!("create database {}", this.database));
        this
    }

    /// Declares the tables of the source.
    pub(super) fn declare(&self, tables: &str) {
        let source = format!(
            "sources:\n  - name: crm\n    schema: {}\n    tables:\n      [{}]\n",
            self.database,
            tables.replace("}, {name:", "},\n       {name:")
        );
        self.hive.project.file("models/crm.yml", source);
    }

    /// Has Hive carry out a statement, in which `crm.` stands for the database.
    pub(super) fn execute(&self, sql: &str) {
        session().execute(&self.named(sql));
    }

    /// Has Hive carry out statements in one session, one after another.
    pub(super) fn execute_all(&self, statements: &[&str]) {
        let mut session = session();
        for sql in statements {
            session.execute(&self.named(sql));
        }
    }

    fn named(&self, sql: &str) -> String {
        sql.replace("crm.", &format!("{}.", self.database))
    }

    /// What HiveServer2 reads.
    pub(super) fn in_hive(&self, sql: &str) -> Vec<Vec<String>> {
        self.hive.hive(&self.named(sql))
    }

    /// What mep reads, of SQL in which `crm.t` stands for the source table `t`.
    pub(super) fn in_mep(&self, sql: &str) -> Vec<Vec<String>> {
        let table = regex::Regex::new(r"crm\.(\w+)").unwrap();
        self.hive.mep("hive", &table.replace_all(sql, "{{ source('crm', '$1') }}"))
    }

    /// The steps of a plan.
    pub(super) fn planned(&self) -> Vec<String> {
        let output = self.hive.call(&["plan", "--output", "json"], None);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let steps = crate::project::steps(&String::from_utf8(output.stdout).unwrap());
        steps.into_iter().map(|step| step.replace(&self.database, "[crm]")).collect()
    }
}

fn session() -> Hive {
    Hive::connect(&address("MEP_TEST_HIVESERVER2"))
}
