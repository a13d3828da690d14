//! Commands of the pages that a page's own test does not run, each with what runs it: a test by its name, or a file that calls it.

/// What runs a command in place of its page's test.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// A test of tests/, of src/ or of a crate.
    Test(&'static str),
    /// A file that has these words in it.
    File(&'static str, &'static str),
}

/// How a command begins, and what runs it. The first one that fits counts.
pub(super) const ELSEWHERE: [(&str, By); 9] = [
    (
        "cargo run --release -- run --full-refresh",
        By::Test("the_bundled_project_builds_over_the_simulator_as_it_is"),
    ),
    ("mep show --at", By::Test("a_table_is_read_as_it_was_after_each_run_and_at_each_time")),
    ("mep export", By::Test("rows_are_the_same_in_every_format")),
    ("make test", By::File(".ci/run", "make test")),
    ("stack/up", By::File("tests/with_services", "/stack/up\"")),
    ("eval \"$(stack/up kafka)\"", By::File("tests/with_services", "/stack/up\"")),
    ("stack/down", By::File("tests/with_services", "/stack/down\"")),
    ("stack/kill", By::Test("the_datanode_goes_and_comes_back")),
    ("superset import-dashboards", By::Test("the_dashboard_shows_what_the_saved_queries_give")),
];

/// Pages about what is not there until it is built or started, and the tests that do that.
pub(super) const PAGES: [(&str, &str); 2] = [
    ("docs/install.md", "the_packages_install_and_work_without_the_repository"),
    ("docs/demo.md", "the_demo_shows_todays_minutes_and_the_star_schema_and_leaves_nothing_running"),
];

/// What runs this command of this page, where that is not the page's own test.
pub(super) fn of(page: &str, command: &str) -> Option<By> {
    let page = PAGES.iter().find(|(name, _)| *name == page).map(|(_, test)| By::Test(test));
    page.or_else(|| ELSEWHERE.iter().find(|(begin, _)| command.starts_with(begin)).map(|(_, by)| *by))
}
