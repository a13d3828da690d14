//! The docs for people: every command that they show is run, what it is shown to print is what it prints, and links lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::postgres::Database;
use crate::project::Project;
use crate::python_environment::programs;
use crate::services::address;

mod elsewhere;
mod links;
mod page;
mod picture;
mod shell;

use elsewhere::{By, ELSEWHERE};
use page::{Page, ROOT};
use shell::{Shell, Start};

/// The pages whose commands the tests below run.
const READ: [&str; 19] = [
    "README.md",
    "docs/airflow.md",
    "docs/bundled.md",
    "docs/dbt.md",
    "docs/editors.md",
    "docs/files.md",
    "docs/history.md",
    "docs/hive.md",
    "docs/incremental.md",
    "docs/kafka.md",
    "docs/postgres.md",
    "docs/promise.md",
    "docs/publishing.md",
    "docs/selecting.md",
    "docs/site.md",
    "docs/streams.md",
    "docs/superset.md",
    "docs/tutorial.md",
    "stack/README.md",
];

/// A shell in the bundled project, in which the services are those of the tests, and topics, schema and keyspace are its own.
fn with_services(name: &str) -> Shell {
    let schema = format!("mep_{name}_{}", std::process::id());
    let kafka = address("MEP_TEST_KAFKA");
    let prefix = format!("{schema}_");
    Shell::new(Start::Bundled)
        .with_environment(&[
            ("HADOOP_USER_NAME", "root"),
            ("MEP_STACK_DATA", &address("MEP_TEST_STACK")),
            ("MEP_METASTORE", &address("MEP_TEST_METASTORE")),
            ("MEP_LOCATION", &format!("{}/warehouse/tests", address("MEP_TEST_HDFS"))),
            ("MEP_BROKERS", &kafka),
            ("MEP_CASSANDRA", &address("MEP_TEST_CASSANDRA")),
            ("MEP_KEYSPACE", &schema),
            ("MEP_SCHEMA", &schema),
            ("MEP_TOPIC_PREFIX", &prefix),
        ])
        .replacing(&[
            ("--brokers 127.0.0.1:9092", &format!("--brokers {kafka} --topic-prefix {prefix}")),
            ("localhost:9092", &kafka),
            ("--topic-prefix music.", &format!("--topic-prefix {schema}.")),
            (" music.", &format!(" {schema}.")),
            // Fewer events than a month of a thousand users.
            ("--to kafka", "--to kafka --days 1 --users 40"),
            ("127.0.0.1:9464", "127.0.0.1:0"),
        ])
}

/// The text of every file of Rust.
fn sources() -> Vec<String> {
    ["tests", "src", "crates"]
        .iter()
        .flat_map(|folder| walkdir::WalkDir::new(Path::new(ROOT).join(folder)))
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

#[test]
fn the_readme_runs_as_written() {
    Shell::new(Start::Bundled).read("README.md");
}

#[test]
fn the_tutorial_runs_as_written() {
    Shell::new(Start::Empty).read("docs/tutorial.md");
}

#[test]
fn the_page_about_dbt_runs_as_written() {
    Shell::new(Start::Example("docs/examples/coffee_shop")).read("docs/dbt.md");
}

#[test]
fn the_page_about_files_runs_as_written() {
    Shell::new(Start::Empty).read("docs/files.md");
}

#[test]
fn the_page_about_postgres_runs_as_written() {
    let database = Database::new("");
    database.execute(
        "create table orders (id bigint primary key, placed timestamptz not null, total numeric(9,2), note text);
         insert into orders values (1, '2026-05-01 10:00+00', 10, 'a'), (2, '2026-05-01 23:30+00', 20, 'b'), (3, '2026-05-02 00:30+00', 30, null)",
    );
    let variables = database.variables();
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Shell::new(Start::Empty).with_environment(&variables).read("docs/postgres.md");
}

#[test]
fn the_page_about_the_promise_runs_as_written() {
    Shell::new(Start::Empty).read("docs/promise.md");
}

#[test]
#[ignore = "nightly: DuckDB"]
fn duckdb_reads_a_table_as_the_page_says() {
    let shell = Shell::new(Start::Bundled);
    shell.succeed("mep run");
    let page = Page::open("docs/reading.md");
    let sql = page.blocks().iter().find(|block| block.language == "sql").unwrap().lines.join("\n");
    let python = programs("dbt").join("python");
    let script = format!("import duckdb; print(duckdb.sql({}).fetchall())", serde_json::json!(sql));
    let theirs = shell.succeed(&format!("{} -c '{}'", python.display(), script.replace('\'', "'\\''")));
    let ours = shell.succeed(
        "mep show --limit -1 --output json --inline \"select event_date, count(*) as n from {{ ref('fact_listen') }} group by 1 order by 1\" 2> /dev/null",
    );
    let ours: Vec<Json> = serde_json::from_str(&ours).unwrap();
    let days: Vec<String> = ours
        .iter()
        .map(|row| {
            let day: Vec<u32> =
                row["event_date"].as_str().unwrap().split('-').map(|part| part.parse().unwrap()).collect();
            format!("(datetime.date({}, {}, {}), {})", day[0], day[1], day[2], row["n"])
        })
        .collect();
    assert_eq!(theirs, format!("[{}]", days.join(", ")));
}

/// The rows of the example's tables, by both tools.
const COMPARED: [&str; 3] = [
    "select order_id, customer_id, order_date, status, card_amount, cash_amount, gift_card_amount, amount from main.orders order by order_id",
    "select customer_id, first_name, last_name, first_order, latest_order, orders, round(amount, 2) as amount from main.customers order by customer_id",
    "select order_id, status, dbt_valid_to from main.order_status order by order_id, dbt_valid_from",
];

#[test]
#[ignore = "nightly: dbt with DuckDB"]
fn dbt_gives_the_rows_of_the_worked_example_too() {
    let shell = Shell::new(Start::Example("docs/examples/coffee_shop"))
        .with_environment(&[("DO_NOT_TRACK", "1"), ("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")]);
    let programs = programs("dbt");
    let dbt = programs.join("dbt");
    let late = "echo '3,1,2024-01-02 08:10:00,refunded,2024-01-05 09:00:00' >> seeds/raw_orders.csv && sed -i '/returned/d' seeds/raw_orders.csv";
    for change in ["true", late] {
        shell.succeed(change);
        shell.succeed(&format!("{} build --target dev --profiles-dir .", dbt.display()));
        shell.succeed("mep build --target mep");
        for query in COMPARED {
            let ours =
                format!("mep show --target mep --limit -1 --output json --inline \"{query}\" 2> /dev/null");
            let ours: Vec<serde_json::Map<String, Json>> =
                serde_json::from_str(&shell.succeed(&ours)).unwrap();
            let theirs = format!(
                "{} -c 'import duckdb, json; found = duckdb.connect(\"coffee_shop.duckdb\").sql(\"{query}\"); \
                 print(json.dumps([[None if value is None else str(value) for value in row] for row in found.fetchall()]))'",
                programs.join("python").display()
            );
            let theirs: Vec<Vec<Option<String>>> = serde_json::from_str(&shell.succeed(&theirs)).unwrap();
            let text = |value: &Json| match value {
                Json::Null => None,
                Json::String(text) => Some(text.replace('T', " ")),
                other => Some(other.to_string()),
            };
            let ours: Vec<Vec<Option<String>>> =
                ours.iter().map(|row| row.values().map(text).collect()).collect();
            assert_eq!(ours, theirs, "{query}");
        }
    }
}

/// A test that the page names is there.
#[test]
fn the_page_about_the_promise_names_tests_that_are_there() {
    let name = regex::Regex::new("`([a-z]+(?:_[a-z0-9]+){4,})`").unwrap();
    let page = Page::open("docs/promise.md");
    let sources = sources();
    let mut names = 0;
    for found in name.captures_iter(&page.text) {
        names += 1;
        let function = format!("fn {}()", &found[1]);
        assert!(sources.iter().any(|source| source.contains(&function)), "there is no {function}");
    }
    assert!(names > 8, "{names}");
}

#[test]
fn the_pages_about_the_bundled_project_run_as_written() {
    let shell = Shell::new(Start::Bundled);
    let events = shell.path("events");
    shell.replacing(&[("/tmp/events", &events), ("--days 7", "--days 2 --users 60")]).read("docs/bundled.md");
}

#[test]
fn the_pages_about_tables_run_as_written() {
    let shell = Shell::new(Start::Bundled);
    for page in ["docs/incremental.md", "docs/publishing.md", "docs/history.md", "docs/selecting.md"] {
        shell.read(page);
    }
}

#[test]
fn the_pages_about_other_tools_run_as_written() {
    // A port that is free.
    let shell = Shell::new(Start::Bundled).replacing(&[("mep docs serve", "mep docs serve --port 0")]);
    for page in ["docs/airflow.md", "docs/superset.md", "docs/site.md", "docs/editors.md"] {
        shell.read(page);
    }
}

#[test]
fn the_page_about_kafka_runs_as_written() {
    with_services("page_kafka").read("docs/kafka.md");
}

#[test]
fn the_page_about_hive_runs_as_written() {
    with_services("page_hive").read("docs/hive.md");
}

#[test]
fn the_page_about_streams_runs_as_written() {
    let shell = with_services("page_streams");
    // The page begins where the one about Kafka ends.
    shell.succeed("mep generate --to kafka --brokers 127.0.0.1:9092");
    shell.read("docs/streams.md");
}

#[test]
fn the_page_about_services_runs_as_written() {
    with_services("page_stack").read("stack/README.md");
}

#[test]
fn every_command_that_a_page_shows_is_run_by_a_test() {
    let known: BTreeSet<&str> = READ.into_iter().collect();
    let mut not_run = Vec::new();
    for page in Page::all() {
        for block in page.blocks().iter().filter(|block| block.language == "console") {
            for shown in block.commands() {
                if !known.contains(page.name.as_str()) && elsewhere::of(&page.name, &shown.command).is_none()
                {
                    not_run.push(format!("{}:{}: {}", page.name, shown.line, shown.command));
                }
            }
        }
    }
    assert_eq!(not_run, Vec::<String>::new());
    for page in Page::all() {
        for block in page.blocks() {
            let is_known = ["console", "sql", "yaml", "json", "python"].contains(&block.language);
            assert!(is_known, "{}:{}: commands stand in ```console blocks", page.name, block.line);
        }
    }
    let here = fs::read_to_string(Path::new(ROOT).join(file!())).unwrap();
    for page in READ {
        let uses = here.matches(&format!("\"{page}\"")).count();
        assert!(uses >= 2, "{page} is in the list, and no test reads it");
    }
}

#[test]
fn what_is_said_to_run_a_command_elsewhere_is_there() {
    let sources = sources();
    let pages = Page::all();
    let is_there = |test: &str| sources.iter().any(|source| source.contains(&format!("fn {test}()")));
    for (page, test) in elsewhere::PAGES {
        assert!(Path::new(ROOT).join(page).exists() && is_there(test), "{page}: {test}");
    }
    for (begin, by) in ELSEWHERE {
        match by {
            By::Test(name) => assert!(is_there(name), "{begin}: no test {name}"),
            By::File(file, words) => {
                let text = fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
                assert!(text.contains(words), "{begin}: {file} does not say {words}");
            }
        }
        let is_shown = pages.iter().any(|page| page.text.contains(&format!("$ {begin}")));
        assert!(is_shown, "no page shows {begin}");
    }
}

#[test]
fn settings_that_pages_show_are_taken() {
    let local = "    dev:\n      type: local\n      path: warehouse\n      schema: main\n";
    let mut taken = 0;
    for page in ["docs/kafka.md", "docs/rejects.md", "docs/hive.md", "docs/streams.md", "docs/site.md"] {
        for block in Page::open(page).blocks().iter().filter(|block| block.language == "yaml") {
            let text = block.lines.join("\n") + "\n";
            let project = Project::new();
            if text.starts_with(' ') {
                let target = if text.starts_with("      ") { local } else { "" };
                project.file("profiles.yml", format!("songs:\n  outputs:\n{target}{text}"));
            } else {
                project.model("mart_songs_played", "select 1 as songs_played").file("models/page.yml", &text);
            }
            let target = if text.contains("lambda:") { "lambda" } else { "dev" };
            let variables = [("KAFKA_PASSWORD", "secret"), ("CASSANDRA_PASSWORD", "secret")];
            let output = project.run_with(&["parse", "--target", target], &variables);
            assert_eq!(output.code, Some(0), "{page}:{}\n{}", block.line, output.stderr);
            taken += 1;
        }
    }
    assert_eq!(taken, 6);
}

/// What is run elsewhere is perhaps run with other options, so that at least those of mep must be known.
#[test]
fn calls_of_mep_that_are_run_elsewhere_have_options_that_there_are() {
    let shell = Shell::new(Start::Empty);
    for page in Page::all() {
        for block in page.blocks().iter().filter(|block| block.language == "console") {
            for shown in block.commands() {
                let is_call = shown.command.starts_with("mep ");
                if is_call && elsewhere::of(&page.name, &shown.command).is_some() {
                    let asks = "mep() { command mep \"$@\" --help > /dev/null; }";
                    // What reads at the other end of a pipe may need a server that is not here.
                    let call = shown.command.split(" | ").next().unwrap_or_default();
                    shell.succeed(&format!(
                        "{asks}; mkdir -p ~/.local/share/bash-completion/completions; {call}"
                    ));
                }
            }
        }
    }
}
