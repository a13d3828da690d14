//! Another time for the processes of a test: days pass as a story has it.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use crate::project::{Output, Project};

/// Tells the process another time: that of `CLOCK_AT` in seconds, and what has passed since the process began.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*next)(clockid_t, struct timespec *);
    static time_t began;
    if (!next) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int code = next(clock, time);
    const char *at = getenv("CLOCK_AT");
    if (code == 0 && clock == CLOCK_REALTIME && at) {
        if (!began) began = time->tv_sec;
        time->tv_sec = atoll(at) + (time->tv_sec - began);
    }
    return code;
}
"#;

/// The library that tells another time.
static CLOCK_LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) = (folder.join("clock.c"), folder.join(format!("clock-{}.so", std::process::id())));
    std::fs::write(&source, CLOCK).unwrap();
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    assert!(made.unwrap().success());
    library
});

/// Noon of the day that stories begin on.
const BEGINNING: i64 = 1_790_000_000 / 86_400 * 86_400 + 43_200;

/// What a day is to a story. Each call of mep is a minute after the one before, as its run's name needs.
pub(crate) struct Clock {
    day: Cell<i64>,
    calls: Cell<i64>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { day: Cell::new(0), calls: Cell::new(0) }
    }

    /// Lets so many days pass.
    pub(crate) fn wait(&self, days: i64) {
        self.day.set(self.day.get() + days);
    }

    /// The variables of the environment that tell the next call its time.
    pub(crate) fn of_next_call(&self) -> [(&'static str, String); 2] {
        self.calls.set(self.calls.get() + 1);
        let at = (BEGINNING + self.day.get() * 86_400 + self.calls.get() * 60).to_string();
        [("LD_PRELOAD", CLOCK_LIBRARY.to_string_lossy().into_owned()), ("CLOCK_AT", at)]
    }

    pub(crate) fn run(&self, project: &Project, words: &[&str]) -> Output {
        let [(preload, library), (name, at)] = self.of_next_call();
        project.run_with(words, &[(preload, &library), (name, &at)])
    }

    #[track_caller]
    pub(crate) fn succeed(&self, project: &Project, words: &[&str]) -> String {
        let output = self.run(project, words);
        assert_eq!(output.code, Some(0), "{words:?}\n{}{}", output.stdout, output.stderr);
        output.stdout
    }
}
