//! Tasks as a Python file that Airflow reads, formatted as Python's formatters leave it.

use std::fmt::Write as _;

use super::shell::command_line;
use super::tasks::{Task, TaskCommand, Tasks};

/// How many seconds a task waits for a run that holds the warehouse and is none of its DAG's. Airflow's own retries, which
/// take up no worker, wait for longer ones.
const PATIENCE: u32 = 60;

/// A file with one DAG.
#[derive(Clone, Debug)]
pub struct DagFile {
    /// The project's name.
    pub project: String,
    /// The DAG's name.
    pub dag: String,
    /// When it runs, as cron says it.
    pub schedule: String,
    /// The words of every call that do not depend on the task, such as the target.
    pub options: Vec<String>,
    /// The command that makes the file.
    pub made_by: String,
    /// The tasks.
    pub tasks: Tasks,
}

impl DagFile {
    /// The file's text.
    pub fn text(&self) -> String {
        let mut text = format!("{DOC}{}", include_str!("head.py"));
        text.push_str("\n\n# What each task calls, and the tasks that come before it.\nTASKS = {\n");
        for task in &self.tasks.0 {
            self.push_task(&mut text, task);
        }
        text.push_str("}\n\n");
        let dag = literal(&self.dag);
        let description = literal(&format!(
            "Land what is new in the sources of {}, and build what it touches",
            self.project
        ));
        let doc = literal(&format!("Made by `{}`: make it anew once the graph has changed.", self.made_by));
        let schedule = literal(&self.schedule);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            r#"with DAG(
    {dag},
    description={description},
    doc_md={doc},
    # A run's date is the day that its interval begins with: every night, the day before.
    schedule=CronDataIntervalTimetable({schedule}, timezone="UTC"),
    start_date=datetime(2000, 1, 1),
    # A run lands all that came up to its date, so it makes up for those that were missed.
    catchup=False,
    # One call of mep at a time writes to a warehouse: more would wait for each other.
    max_active_runs=1,
    max_active_tasks=1,
    # Airflow's default_task_retry_delay (five minutes) lies between two tries.
    default_args={{"retries": 5, "do_xcom_push": False}},
    tags=["mep"],
):
    tasks = {{
        name: Mep(task_id=name, bash_command=command)
        for name, (command, _) in TASKS.items()
    }}
    for name, (_, before) in TASKS.items():
        tasks[name] << [tasks[other] for other in before]
"#
        );
        text
    }

    fn push_task(&self, text: &mut String, task: &Task) {
        let _ = write!(text, "    {}: (\n        {},\n", literal(&task.id), literal(&self.command(task)));
        if task.after.is_empty() {
            text.push_str("        [],\n");
        } else {
            text.push_str("        [\n");
            for other in &task.after {
                let _ = writeln!(text, "            {},", literal(other));
            }
            text.push_str("        ],\n");
        }
        text.push_str("    ),\n");
    }

    fn command(&self, task: &Task) -> String {
        let selectors = task.selectors.iter().map(String::as_str);
        let options = self.options.iter().map(String::as_str);
        let words = ["mep", task.call.word(), "--select"].into_iter().chain(selectors).chain(options);
        let dated = format!("{} --date {{{{ ds }}}}", command_line(words));
        match task.call {
            TaskCommand::Run | TaskCommand::Seed | TaskCommand::Snapshot => {
                format!("{dated} --wait {PATIENCE}")
            }
            TaskCommand::Test => dated,
        }
    }
}

const DOC: &str = r#""""A DAG of calls of mep, which needs to be on the path of Airflow's workers.

Without --project-dir in the calls, the workers' MEP_PROJECT_DIR says where the project is.
"""

"#;

/// The text as a string of Python, in the quotes that need fewer escapes.
fn literal(text: &str) -> String {
    let quote = if text.matches('"').count() > text.matches('\'').count() { '\'' } else { '"' };
    let mut literal = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => literal.push_str(r"\\"),
            '\n' => literal.push_str(r"\n"),
            c if c == quote => {
                literal.push('\\');
                literal.push(c);
            }
            c if c.is_control() => {
                let _ = write!(literal, "\\u{:04x}", u32::from(c));
            }
            c => literal.push(c),
        }
    }
    literal.push(quote);
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, call: TaskCommand, selectors: &[&str], after: &[&str]) -> Task {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Task { id: id.to_owned(), call, selectors: owned(selectors), after: owned(after) }
    }

    #[test]
    fn a_dag_file_calls_mep_for_each_task_in_the_order_of_the_graph() {
        let file = DagFile {
            project: "songs".to_owned(),
            dag: "songs_nightly".to_owned(),
            schedule: "30 1 * * *".to_owned(),
            options: ["--target", "lambda", "--vars", "{country: 'SE'}"].map(str::to_owned).to_vec(),
            made_by: r#"mep airflow export --vars '{country: "SE"}'"#.to_owned(),
            tasks: Tasks(vec![
                task("land.events.listens", TaskCommand::Run, &["source:events.listens"], &[]),
                task("seed.people", TaskCommand::Seed, &["people"], &[]),
                task("plays", TaskCommand::Run, &["plays"], &["land.events.listens", "seed.people"]),
                task("plays.test", TaskCommand::Test, &["unique_plays", "path:tests/it?s"], &["plays"]),
            ]),
        };
        insta::assert_snapshot!(file.text());
    }

    #[test]
    fn strings_are_pythons_in_the_quotes_that_need_fewer_escapes() {
        let texts = ["a", r#"say "hi""#, "it's", r#"'"\n"#, "a\nb\t\u{7f}", "Björk"];
        let literals: Vec<String> = texts.into_iter().map(literal).collect();
        insta::assert_snapshot!(literals.join("\n"), @r#"
        "a"
        'say "hi"'
        "it's"
        "'\"\\n"
        "a\nb\u0009\u007f"
        "Björk"
        "#);
    }

    #[test]
    fn the_bundled_dags_call_mep_as_exported_ones_do() {
        let bundled = include_str!("../../../../airflow/dags/music_events.py");
        let head = include_str!("head.py");
        let (_, class) = head.split_once("class Mep").unwrap();
        assert!(bundled.contains(class));
    }
}
