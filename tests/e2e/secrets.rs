//! What is secret is in nothing that mep writes.

use std::fs;

use crate::project::{Output, Project};

fn holds(output: &Output, word: &str) -> bool {
    output.stdout.contains(word) || output.stderr.contains(word)
}

/// Files below the project's folder that hold a word, but for those that the test wrote.
fn files_with(project: &Project, word: &str) -> Vec<String> {
    let own = ["profiles.yml", ".sql", "sources.yml", "schema.yml", ".parquet"];
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(project.path("")).into_iter().map(Result::unwrap) {
        let path = entry.path().strip_prefix(project.path("")).unwrap().display().to_string();
        let is_own = own.iter().any(|own| path.ends_with(own)) && !path.starts_with("target");
        if entry.file_type().is_file() && !is_own {
            let bytes = fs::read(entry.path()).unwrap();
            if bytes.windows(word.len()).any(|window| window == word.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_secret_variable_may_be_used_in_profiles_alone() {
    let project = Project::new();
    project.model("a", "select '{{ env_var('DBT_ENV_SECRET_TOKEN') }}' as token");
    let secret = [("DBT_ENV_SECRET_TOKEN", "s3cr3t-value")];
    for (command, code) in [("compile", 2), ("build", 2)] {
        let output = project.run_with(&[command], &secret);
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        assert!(!holds(&output, "s3cr3t"));
    }
    let said = project.run_with(&["compile"], &secret).stderr;
    assert!(said.contains("`DBT_ENV_SECRET_TOKEN` may be used in profiles.yml alone"), "{said}");
    assert!(said.contains("models/a.sql:1:"), "{said}");
    project.model("a", "select 1 as x");
    project.file(
        "models/schema.yml",
        "models: [{name: a, config: {alias: \"{{ env_var('DBT_ENV_SECRET_TOKEN') }}\"}}]",
    );
    let output = project.run_with(&["compile"], &secret);
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("models/schema.yml:1:") && !holds(&output, "s3cr3t"), "{}", output.stderr);
    assert_eq!(files_with(&project, "s3cr3t"), [] as [&str; 0]);
}

#[test]
fn passwords_are_in_no_message_and_in_no_artifact() {
    let project = Project::new();
    project.file(
        "profiles.yml",
        "songs:\n  target: dev\n  outputs:\n    dev:\n      type: local\n      path: \"{{ env_var('WAREHOUSE') }}\"\n      schema: main\n      \
         sources:\n        events:\n          type: kafka\n          brokers: \"127.0.0.1:1\"\n          timeout: 1\n          \
         sasl_username: \"{{ env_var('WHO') }}\"\n          sasl_password: literal-hunter2\n          \
         properties: {sasl.oauthbearer.client.secret: \"{{ env_var('BROKER_KEY') }}\"}\n",
    );
    project.file(
        "sources.yml",
        "sources: [{name: events, tables: [{name: t, columns: [{name: x, data_type: bigint}]}]}]",
    );
    // Nobody means to, and yet it happens: the same words in SQL, in descriptions and in messages.
    project.model(
        "a",
        "{{ config(materialized='table') }} select '{{ env_var('BROKER_KEY') }}' as a, 'literal-hunter2' as b, '{{ env_var('WHO') }}' as c",
    );
    project.file("models/schema.yml", "models: [{name: a, description: by literal-hunter2, columns: [{name: a, data_tests: [{accepted_values: {arguments: {values: [fr0m-the-env]}}}]}]}]");
    let variables = [("WAREHOUSE", "warehouse"), ("WHO", "jane-doe"), ("BROKER_KEY", "fr0m-the-env")];
    let secrets = ["literal-hunter2", "jane-doe", "fr0m-the-env"];
    for words in [
        ["debug", "-q"].as_slice(),
        &["compile"],
        &["build", "--select", "a"],
        &["--log-format", "json", "build", "--select", "a", "--full-refresh"],
        &["docs", "generate"],
        &["compile", "--inline", "select 'jane-doe' as x"],
        &["show", "--inline", "select nothing, 'jane-doe', 'literal-hunter2' from {{ ref('a') }}"],
        &["plan", "--vars", "{a: literal-hunter2"],
        &["run", "--select", "literal-hunter2"],
    ] {
        let output = project.run_with(words, &variables);
        for secret in secrets {
            assert!(!holds(&output, secret), "{words:?}: {}{}", output.stdout, output.stderr);
        }
    }
    for secret in secrets {
        assert_eq!(files_with(&project, secret), [] as [&str; 0], "{secret}");
    }
    assert!(project.path("target/run_results.json").exists() && project.path("warehouse").exists());
}

#[test]
fn a_problem_in_the_profiles_shows_no_line_of_them() {
    let project = Project::new();
    let profiles = |body: &str| {
        format!(
            "songs:\n  target: dev\n  outputs:\n    dev:\n      type: local\n      path: warehouse\n      schema: main\n      \
             sources:\n        events:\n          type: kafka\n          brokers: 127.0.0.1:1\n{body}"
        )
    };
    let said = |body: &str| {
        project.file("profiles.yml", profiles(body));
        let output = project.run(&["parse"]);
        assert_eq!(output.code, Some(2), "{body}");
        assert!(!holds(&output, "hunter2") && output.stderr.contains("profiles.yml:1"), "{}", output.stderr);
        output.stderr
    };
    let told = said("          sasl_password: hunter2\n          security_protocl: sasl_ssl\n");
    assert!(told.starts_with("profiles.yml:13:11\n"), "{told}");
    assert!(told.contains("did you mean `security_protocol`?") && !told.contains("sasl_ssl"), "{told}");
    for body in [
        // Misspelled, of a wrong type, and YAML that is none.
        "          sasl_pasword: hunter2\n",
        "          sasl_password: [hunter2]\n",
        "          sasl_password: *hunter2\n",
        "          sasl_password: \"hunter2\n",
        "          sasl_password: hunter2: yes\n",
    ] {
        said(body);
    }
    // The last one counts, as in dbt; that is told, and neither of them.
    project.file(
        "profiles.yml",
        profiles("          sasl_password: hunter2\n          sasl_password: hunter2\n"),
    );
    let output = project.run(&["parse"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(!holds(&output, "hunter2") && output.stderr.contains("profiles.yml:13"), "{}", output.stderr);
}
