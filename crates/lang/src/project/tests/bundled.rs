//! The project at the repository's root.

use super::super::{LoadOptions, SourceConnection, WarehouseConfig, find_root, load};
use super::{repository, shown};
use mep_core::connection::SimulatorConfig;

fn options() -> LoadOptions {
    // An empty folder of dbt's own cannot get in the way: the root has its profiles.
    LoadOptions { root: repository().to_owned(), ..LoadOptions::default() }
}

#[test]
fn it_reads_without_a_problem_or_warning() {
    let project = load(&options()).map_err(|problems| shown(problems.iter())).unwrap();
    assert_eq!(shown(&project.warnings), "");
    assert_eq!(project.name, "music_events");
    assert_eq!(project.models.len(), count("models", 9));
    assert_eq!(project.tests.len(), count("tests", 1));
    assert_eq!(project.macros.len(), count("macros", 9));
    assert_eq!(project.sources.len(), 4);
    assert_eq!(project.exposures.len(), 2);
    assert_eq!(project.vars["chart_places"], 10);
    let described = project.models.iter().filter(|model| model.properties.place.is_some());
    assert_eq!(described.count(), project.models.len());
}

fn count(folder: &str, depth: usize) -> usize {
    let files = walkdir::WalkDir::new(repository().join(folder)).max_depth(depth).into_iter().flatten();
    files.filter(|file| file.path().extension().is_some_and(|found| found == "sql")).count()
}

#[test]
fn its_default_target_simulates_a_month() {
    let target = load(&options()).unwrap().target;
    assert_eq!((target.profile.as_str(), target.name.as_str()), ("music", "local"));
    let (memory, retention_days) = (target.memory, target.retention_days);
    let WarehouseConfig::Local { path } = target.warehouse else { panic!("not local") };
    assert_eq!((path.to_str(), memory, retention_days), (Some(".mep/local"), None, 7));
    let expected = SimulatorConfig { seed: 42, ..SimulatorConfig::default() };
    assert_eq!(target.sources["events"], SourceConnection::Simulator(expected));
}

#[test]
fn its_models_have_the_config_of_their_folders() {
    let project = load(&options()).unwrap();
    let model = project.models.iter().find(|model| model.name == "mart_top_songs").unwrap();
    assert_eq!(model.fqn, ["music_events", "marts", "mart_top_songs"]);
    assert_eq!(model.config["materialized"].value, "view");
    assert_eq!(model.config["tags"].value, serde_json::json!(["marts"]));
}

#[test]
fn its_root_is_found_from_below() {
    let found = find_root(&repository().join("models/marts")).unwrap();
    assert_eq!(found, repository());
}
