//! Profiles, targets and the words of the command line.

use super::refusal;
use crate::project::Project;

#[test]
fn a_wrong_profile_or_target_is_told_with_those_there_are() {
    let project = Project::new();
    project.model("one", "select 1 as x");
    insta::assert_snapshot!(refusal(&project, &["run", "--target", "dex"]), @r"
   profiles.yml:4:5

     error: there is no target `dex` in the profile `songs`
     help: did you mean `dev`? the targets are dev
    ");
    insta::assert_snapshot!(refusal(&project, &["run", "--target", "production"]), @r"
   profiles.yml:4:5

     error: there is no target `production` in the profile `songs`
     help: the targets are dev
    ");
    insta::assert_snapshot!(refusal(&project, &["run", "--profile", "song"]), @r"
    error: there is no profile `song`
    help: did you mean `songs`? the profiles are songs
    ");
    insta::assert_snapshot!(refusal(&project, &["run", "--vars", "{a"]), @r"
     error: this is no YAML: unclosed bracket '{'
      ╭─[--vars:1:1]
    1 │ {a
      · ▲
      ╰────
    ");
    insta::assert_snapshot!(refusal(&project, &["run", "--project-dir", "nowhere"]), @r"
    error: the project's folder nowhere does not exist
    help: give another --project-dir, or make a project with mep init
    ");
    insta::assert_snapshot!(refusal(&project, &["run", "--profiles-dir", "nowhere"]), @r"
    error: there is no profiles.yml in nowhere
    help: check the folder of the profiles that mep was called with
    ");
    project.file("profiles.yml", "songs:\n  outputs:\n    dev: {type: postgres, host: localhost}\n");
    insta::assert_snapshot!(refusal(&project, &["run", "--target", "dev"]), @r"
   profiles.yml:3:17

     error: unknown type `postgres` of a target
     help: the types are local, hive
    ");
}

#[test]
fn a_source_that_the_target_does_not_connect_is_told() {
    let profiles =
        "songs:\n  target: dev\n  outputs:\n    dev: {type: local, path: warehouse, schema: main}\n";
    let project = Project::with_listens();
    project.file("profiles.yml", profiles).model("counts", "select * from {{ source('events', 'listens') }}");
    insta::assert_snapshot!(refusal(&project, &["build"]), @r"
   profiles.yml:4:5

     error: the target `dev` does not say where the source `events` is
     help: add it in profiles.yml, below `sources:` of `dev`: `events: {type: files, path: ...}`; or have the
           table events.listens in its warehouse
    ");
}

#[test]
fn wrong_words_are_told_with_the_right_ones() {
    let project = Project::new();
    project.model("counts", "select 1 as x");
    insta::assert_snapshot!(refusal(&project, &["bild"]), @r"
    error: unrecognized subcommand 'bild'

      tip: a similar subcommand exists: 'build'

    Usage: mep [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refusal(&project, &["run", "--full-refesh"]), @r"
    error: unexpected argument '--full-refesh' found

      tip: a similar argument exists: '--full-refresh'

    Usage: mep run --full-refresh

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refusal(&project, &["show"]), @r"
    error: the following required arguments were not provided:
      --select <MODEL>

    Usage: mep show --select <MODEL>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refusal(&project, &["show", "--select", "countz"]), @r"
    error: the selection holds nothing that this command works on
    help: `countz` matches no node; did you mean `counts`?
    ");
    insta::assert_snapshot!(refusal(&project, &["show", "--inline", "select y from (select 1 as x)"]), @r"
     error: there is no column `y` here
      ╭─[--inline:1:8]
    1 │ select y from (select 1 as x)
      ·        ─
      ╰────
     help: the columns are x
    ");
    insta::assert_snapshot!(refusal(&project, &["run", "--date", "2018-13-01"]), @r"
    error: invalid value '2018-13-01' for '--date <YYYY-MM-DD>': input is out of range

    For more information, try '--help'.
    ");
}
