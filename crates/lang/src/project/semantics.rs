//! What dbt's semantic layer reads: semantic models, metrics and saved queries. They are checked, and nothing is computed of them.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::docs::Docs;
use super::item::{Item, Mapping};
use super::{Located, Problem, Problems};
use mep_core::keys::{Key, Section, Shape, accepted, key};

/// What a model's columns mean to metrics.
#[derive(Clone, Debug)]
pub struct SemanticModel {
    /// Its name.
    pub name: Located<String>,
    /// `ref('m')` as written.
    pub model: Located<String>,
    /// The names of its entities, dimensions and measures.
    pub entities: Vec<Located<String>>,
    /// Dimensions.
    pub dimensions: Vec<Located<String>>,
    /// Measures.
    pub measures: Vec<Located<String>>,
    /// The measures of which each is a metric too.
    pub measures_as_metrics: Vec<String>,
    /// What is the same for all three.
    pub said: SemanticWords,
}

/// A number over rows of semantic models.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its name.
    pub name: Located<String>,
    /// `simple`, `ratio`, `cumulative`, `derived` or `conversion`.
    pub kind: String,
    /// The measures that it is made of.
    pub measures: Vec<Located<String>>,
    /// The metrics that it is made of.
    pub metrics: Vec<Located<String>>,
    /// What is the same for all three.
    pub said: SemanticWords,
}

/// A query over metrics.
#[derive(Clone, Debug)]
pub struct SavedQuery {
    /// Its name.
    pub name: Located<String>,
    /// The metrics that it asks for.
    pub metrics: Vec<Located<String>>,
    /// What is the same for all three.
    pub said: SemanticWords,
}

/// What semantic models, metrics and saved queries all say.
#[derive(Clone, Debug, Default)]
pub struct SemanticWords {
    /// Markdown for the docs.
    pub description: Option<String>,
    /// The name for people.
    pub label: Option<String>,
    /// Words to select by.
    pub tags: Vec<String>,
    /// The group that it is of.
    pub group: Option<String>,
    /// Free data.
    pub meta: IndexMap<String, Json>,
    /// The entry as written.
    pub written: Json,
}

/// Everything that dbt's semantic layer reads.
#[derive(Clone, Debug, Default)]
pub struct Semantics {
    /// Semantic models.
    pub models: Vec<SemanticModel>,
    /// Metrics.
    pub metrics: Vec<Metric>,
    /// Saved queries.
    pub saved_queries: Vec<SavedQuery>,
}

const MODEL_KEYS: [Key; 12] = [
    key("name", "name", "needed", "The semantic model's name.").of(Shape::Text),
    key("model", "ref", "needed", "The model whose columns it is about.").of(Shape::Text),
    key("description", "text", "", "What it is.").of(Shape::Text),
    key("label", "text", "", "Its name for people.").of(Shape::Text),
    key(
        "entities",
        "list",
        "",
        "What its rows are rows of: `name` and `type` (primary, unique, foreign or natural).",
    )
    .of(Shape::List(&Shape::Text)),
    key("dimensions", "list", "", "What it is cut by: `name` and `type` (categorical or time).")
        .of(Shape::List(&Shape::Text)),
    key("measures", "list", "", "What is counted: `name` and `agg`.").of(Shape::List(&Shape::Text)),
    key("defaults", "mapping", "", "`agg_time_dimension`: a dimension of time.")
        .of(Shape::Mapping(&Shape::Any)),
    accepted("primary_entity", "Of dbt's semantic layer."),
    accepted("node_relation", "Of dbt's semantic layer."),
    key("config", "mapping", "", "`enabled`, `group`, `meta` and `tags`.").of(Shape::Mapping(&Shape::Any)),
    accepted("docs", "Of dbt's own docs."),
];
const METRIC_KEYS: [Key; 11] = [
    key("name", "name", "needed", "The metric's name.").of(Shape::Text),
    key("label", "text", "", "Its name for people.").of(Shape::Text),
    key("description", "text", "", "What it is.").of(Shape::Text),
    key("type", "", "needed", "How it is made.").of(Shape::Words(|| METRIC_TYPES.to_vec())),
    key("type_params", "mapping", "", "The measures and metrics that it is made of; each is looked for.")
        .of(Shape::Mapping(&Shape::Any)),
    accepted("filter", "Of dbt's semantic layer."),
    accepted("time_granularity", "Of dbt's semantic layer."),
    key("config", "mapping", "", "`enabled`, `group`, `meta` and `tags`.").of(Shape::Mapping(&Shape::Any)),
    key("meta", "mapping", "", "Data of your own.").of(Shape::Mapping(&Shape::Any)),
    key("tags", "text or list", "", "Words to select by.").of(Shape::OneOrMore(&Shape::Text)),
    accepted("docs", "Of dbt's own docs."),
];
const QUERY_KEYS: [Key; 8] = [
    key("name", "name", "needed", "The query's name.").of(Shape::Text),
    key("label", "text", "", "Its name for people.").of(Shape::Text),
    key("description", "text", "", "What it is.").of(Shape::Text),
    key("query_params", "mapping", "", "What is asked for; each of its `metrics` is looked for.")
        .of(Shape::Mapping(&Shape::Any)),
    accepted("exports", "Nothing is exported."),
    key("config", "mapping", "", "`enabled`, `group`, `meta` and `tags`.").of(Shape::Mapping(&Shape::Any)),
    key("tags", "text or list", "", "Words to select by.").of(Shape::OneOrMore(&Shape::Text)),
    accepted("docs", "Of dbt's own docs."),
];
const ENTITY_TYPES: [&str; 4] = ["primary", "unique", "foreign", "natural"];
const DIMENSION_TYPES: [&str; 2] = ["categorical", "time"];
const AGGREGATES: [&str; 9] =
    ["sum", "min", "max", "count_distinct", "sum_boolean", "average", "percentile", "median", "count"];
const METRIC_TYPES: [&str; 5] = ["simple", "ratio", "cumulative", "derived", "conversion"];

/// The keys of all three.
pub(super) fn reference() -> Vec<Section> {
    vec![
        Section::of("A semantic model", &[&MODEL_KEYS]),
        Section::of("A metric", &[&METRIC_KEYS]),
        Section::of("A saved query", &[&QUERY_KEYS]),
    ]
}

/// What all three say; `None` where it takes no part.
fn words(of: Mapping<'_>, docs: &Docs, problems: &mut Problems) -> Option<SemanticWords> {
    let mut tags = of.get("tags").map(|item| item.words(problems)).unwrap_or_default();
    let mut meta = of.get("meta").map_or_else(IndexMap::new, |item| item.data(problems));
    let mut group = None;
    if let Some(config) = of.get("config") {
        let config = config.mapping(problems);
        tags.extend(config.get("tags").map(|item| item.words(problems)).unwrap_or_default());
        meta.extend(config.get("meta").map_or_else(IndexMap::new, |item| item.data(problems)));
        group = config.get("group").and_then(|item| item.text(problems));
        if config.get("enabled").and_then(|item| item.boolean(problems)) == Some(false) {
            return None;
        }
    }
    Some(SemanticWords {
        description: docs.description(of.get("description"), problems),
        label: of.get("label").and_then(|item| item.text(problems)),
        tags,
        group,
        meta,
        written: of.item.json().value,
    })
}

/// The names of a list of things, each named once, whose `kind` is one of these words.
fn names(
    of: Mapping<'_>,
    list: &str,
    thing: &str,
    kind: (&str, &[&str]),
    problems: &mut Problems,
) -> Vec<Located<String>> {
    let mut names: Vec<Located<String>> = Vec::new();
    for entry in of.get(list).map(|item| item.mappings(problems)).unwrap_or_default() {
        let Some(name) = entry.required("name", thing, problems) else { continue };
        if names.iter().any(|known| known.value == name.value) {
            let problem = Problem::new(format!("{thing} `{}` is written twice", name.value)).at(&name.place);
            problems.push(problem.help("give one of them another name"));
        }
        if let Some(written) = entry.get(kind.0).and_then(|item| item.located_text(problems)) {
            check_word(&written, kind.0, kind.1, problems);
        }
        names.push(name);
    }
    names
}

fn check_word(written: &Located<String>, key: &str, words: &[&str], problems: &mut Problems) {
    if words.iter().all(|word| !word.eq_ignore_ascii_case(&written.value)) {
        let message = format!("`{key}`: expected one of {}, found `{}`", words.join(", "), written.value);
        let problem = Problem::new(message).at(&written.place);
        problems.push(problem.did_you_mean(&written.value, words.iter().copied()));
    }
}

/// Reads an entry of `semantic_models:`.
pub(super) fn read_semantic_model(
    of: Mapping<'_>,
    docs: &Docs,
    problems: &mut Problems,
) -> Option<SemanticModel> {
    of.check_keys("a semantic model", &[&MODEL_KEYS], problems);
    let said = words(of, docs, problems)?;
    let entities = names(of, "entities", "an entity", ("type", &ENTITY_TYPES), problems);
    let dimensions = names(of, "dimensions", "a dimension", ("type", &DIMENSION_TYPES), problems);
    let measures = names(of, "measures", "a measure", ("agg", &AGGREGATES), problems);
    let defaults = of.get("defaults").filter(|item| !item.is_null()).map(|item| item.mapping(problems));
    let time = defaults.and_then(|defaults| defaults.get("agg_time_dimension"));
    if let Some(time) = time.and_then(|item| item.located_text(problems))
        && dimensions.iter().all(|dimension| dimension.value != time.value)
    {
        let problem = Problem::new(format!("there is no dimension `{}`", time.value)).at(&time.place);
        problems.push(problem.did_you_mean(&time.value, dimensions.iter().map(|one| one.value.as_str())));
    }
    let mut measures_as_metrics = Vec::new();
    for measure in of.get("measures").map(|item| item.mappings(&mut Problems::default())).unwrap_or_default()
    {
        let is_metric = measure.get("create_metric").and_then(|item| item.boolean(problems));
        let name = measure.get("name").and_then(Item::as_text).filter(|_| is_metric == Some(true));
        measures_as_metrics.extend(name.map(str::to_owned));
    }
    let name = of.required("name", "a semantic model", problems);
    let model = of.required("model", "a semantic model", problems);
    Some(SemanticModel {
        name: name?,
        model: model?,
        entities,
        dimensions,
        measures,
        measures_as_metrics,
        said,
    })
}

/// Reads an entry of `metrics:`.
pub(super) fn read_metric(of: Mapping<'_>, docs: &Docs, problems: &mut Problems) -> Option<Metric> {
    of.check_keys("a metric", &[&METRIC_KEYS], problems);
    let said = words(of, docs, problems)?;
    let kind = of.required("type", "a metric", problems);
    if let Some(kind) = &kind {
        check_word(kind, "type", &METRIC_TYPES, problems);
    }
    let (mut measures, mut metrics) = (Vec::new(), Vec::new());
    if let Some(params) = of.get("type_params").filter(|item| !item.is_null()) {
        let params = params.mapping(problems);
        measures.extend(params.get("measure").and_then(|item| named(item, problems)));
        for key in ["numerator", "denominator"] {
            metrics.extend(params.get(key).and_then(|item| named(item, problems)));
        }
        for item in params.get("metrics").map(|item| item.list(problems)).unwrap_or_default() {
            metrics.extend(named(item, problems));
        }
        if let Some(conversion) = params.get("conversion_type_params").filter(|item| !item.is_null()) {
            let conversion = conversion.mapping(problems);
            for key in ["base_measure", "conversion_measure"] {
                measures.extend(conversion.get(key).and_then(|item| named(item, problems)));
            }
        }
    }
    let name = of.required("name", "a metric", problems);
    Some(Metric { name: name?, kind: kind?.value, measures, metrics, said })
}

/// Reads an entry of `saved_queries:`.
pub(super) fn read_saved_query(of: Mapping<'_>, docs: &Docs, problems: &mut Problems) -> Option<SavedQuery> {
    of.check_keys("a saved query", &[&QUERY_KEYS], problems);
    let said = words(of, docs, problems)?;
    let params = of.get("query_params").filter(|item| !item.is_null()).map(|item| item.mapping(problems));
    let metrics = params.and_then(|params| params.get("metrics"));
    let metrics = metrics.map(|item| item.texts(problems)).unwrap_or_default();
    Some(SavedQuery { name: of.required("name", "a saved query", problems)?, metrics, said })
}

/// The name of a measure or metric: a text, or a mapping with `name`.
fn named(item: Item<'_>, problems: &mut Problems) -> Option<Located<String>> {
    if item.is_mapping() {
        return item.mapping(problems).required("name", "a measure or metric", problems);
    }
    item.located_text(problems)
}
