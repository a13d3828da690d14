//! Warnings by their kinds, and which of them are errors or are not told. That is said once for a process, by the command line or the
//! project.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarningKind {
    /// A key that nothing reads.
    UnknownKey,
    /// A key that changes no row here.
    KeyWithoutEffect,
    /// A key that is written twice.
    DuplicateKey,
    /// Config by folder that no node takes.
    UnusedConfigPath,
    /// An entry of YAML for what is not there.
    EntryOfNothing,
    /// A test that names what is not there, or takes no part.
    TestOfNothing,
    /// A constraint that is not checked.
    UncheckedConstraint,
    /// A reference to a model with a date of deprecation.
    DeprecatedReference,
    /// A name that is not defined, and taken for nothing.
    UndefinedName,
    /// A macro that dbt asks and mep does not.
    MacroNotAsked,
    /// What a text says by `exceptions.warn`.
    SaidByText,
    /// Metrics, which are not computed.
    MetricsNotComputed,
    /// SQL or a seed that comes out otherwise than in dbt.
    OtherThanDbt,
    /// A statement of a hook that has no effect.
    HookWithoutEffect,
    /// A hook of a package that is not called, since it writes.
    HookNotCalled,
    /// A word of a selection that matches nothing.
    NothingMatches,
    /// A test that warns.
    TestWarns,
    /// A source whose rows are older than they may be.
    StaleSource,
    /// What a run tells of its sources and tables.
    Run,
    /// Anything else in the project's files.
    Project,
}

use WarningKind as Kind;

/// Each kind with its name, and with dbt's names of the same.
const KINDS: [(Kind, &str, &[&str]); 20] = [
    (
        Kind::UnknownKey,
        "UnknownKey",
        &[
            "CustomKeyInConfigDeprecation",
            "CustomKeyInObjectDeprecation",
            "CustomTopLevelKeyDeprecation",
            "GenericJSONSchemaValidationDeprecation",
            "ValidationWarning",
        ],
    ),
    (Kind::KeyWithoutEffect, "KeyWithoutEffect", &["PropertyMovedToConfigDeprecation"]),
    (Kind::DuplicateKey, "DuplicateKey", &["DuplicateYAMLKeysDeprecation"]),
    (Kind::UnusedConfigPath, "UnusedConfigPath", &["UnusedResourceConfigPath"]),
    (
        Kind::EntryOfNothing,
        "EntryOfNothing",
        &["NoNodeForYamlKey", "WrongResourceSchemaFile", "MacroNotFoundForPatch"],
    ),
    (Kind::TestOfNothing, "TestOfNothing", &["NodeNotFoundOrDisabled"]),
    (
        Kind::UncheckedConstraint,
        "UncheckedConstraint",
        &["ConstraintNotEnforced", "ConstraintNotSupported", "UnsupportedConstraintMaterialization"],
    ),
    (Kind::DeprecatedReference, "DeprecatedReference", &["DeprecatedModel", "UpcomingReferenceDeprecation"]),
    (Kind::UndefinedName, "UndefinedName", &[]),
    (Kind::MacroNotAsked, "MacroNotAsked", &["PackageMaterializationOverrideDeprecation"]),
    (Kind::SaidByText, "SaidByText", &["JinjaLogWarning"]),
    (Kind::MetricsNotComputed, "MetricsNotComputed", &["SemanticValidationFailure"]),
    (Kind::OtherThanDbt, "OtherThanDbt", &[]),
    (Kind::HookWithoutEffect, "HookWithoutEffect", &[]),
    (Kind::HookNotCalled, "HookNotCalled", &[]),
    (
        Kind::NothingMatches,
        "NothingMatches",
        &["NoNodesForSelectionCriteria", "NoNodesSelected", "NothingToDo"],
    ),
    (Kind::TestWarns, "TestWarns", &["LogTestResult", "RunResultWarning", "RunResultWarningMessage"]),
    (Kind::StaleSource, "StaleSource", &["LogFreshnessResult"]),
    (Kind::Run, "Run", &["SnapshotTimestampWarning", "MicrobatchModelNoEventTimeInputs"]),
    (Kind::Project, "Project", &[]),
];

/// Warnings of dbt of what mep has not: they may be named, and nothing comes of it.
const OF_DBT_ALONE: [&str; 40] = [
    "AdapterDeprecationWarning",
    "AdapterEventWarning",
    "ArgumentsPropertyInGenericTestDeprecation",
    "BehaviorChangeEvent",
    "CatalogGenerationError",
    "CollectFreshnessReturnSignature",
    "ConfigDataPathDeprecation",
    "ConfigLogPathDeprecation",
    "ConfigSourcePathDeprecation",
    "ConfigTargetPathDeprecation",
    "CustomOutputPathInSourceFreshnessDeprecation",
    "DeprecationsSummary",
    "DepsScrubbedPackageName",
    "DepsUnpinned",
    "DuplicateNameDistinctNodeTypesDeprecation",
    "EnvironmentVariableNamespaceDeprecation",
    "EnvironmentVariableRenamed",
    "ExposureNameDeprecation",
    "FreshnessConfigProblem",
    "GetMetaKeyWarning",
    "InternalDeprecation",
    "InvalidConcurrentBatchesConfig",
    "InvalidMacroAnnotation",
    "InvalidValueForField",
    "MFCumulativeTypeParamsDeprecation",
    "MFTimespineWithoutYamlConfigurationDeprecation",
    "MetricAttributesRenamed",
    "MicrobatchMacroOutsideOfBatchesDeprecation",
    "MissingArgumentsPropertyInGenericTestDeprecation",
    "MissingPlusPrefixDeprecation",
    "ModelParamUsageDeprecation",
    "ModulesItertoolsUsageDeprecation",
    "PackageNodeDependsOnRootProjectNode",
    "PackageRedirectDeprecation",
    "ProjectFlagsMovedDeprecation",
    "ResourceNamesWithSpacesDeprecation",
    "SourceFreshnessProjectHooksNotRun",
    "TestsConfigDeprecation",
    "UnversionedBreakingChange",
    "WarnStateTargetEqual",
];

/// The word for all warnings of dbt's that say that something will go.
const DEPRECATIONS: &str = "Deprecations";

impl WarningKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }

    /// The kinds that a word means, mep's or dbt's; none where it is a warning of dbt's that mep has not.
    ///
    /// # Errors
    /// All words, where it is none of them.
    pub fn of_word(word: &str) -> Result<Vec<Self>, Vec<&'static str>> {
        if OF_DBT_ALONE.contains(&word) {
            return Ok(Vec::new());
        }
        let is_it = |name: &str| name == word || word == DEPRECATIONS && name.ends_with("Deprecation");
        let named = KINDS.iter().filter(|(_, own, dbt)| is_it(own) || dbt.iter().any(|name| is_it(name)));
        let kinds: Vec<Self> = named.map(|(kind, ..)| *kind).collect();
        if !kinds.is_empty() {
            return Ok(kinds);
        }
        let words = KINDS.iter().flat_map(|(_, own, dbt)| std::iter::once(*own).chain(dbt.iter().copied()));
        Err(words.chain(OF_DBT_ALONE).chain([DEPRECATIONS, "all"]).collect())
    }

    /// Each kind's name with dbt's names of the same, for the reference.
    pub fn reference() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
        KINDS.iter().map(|(_, name, dbt)| (*name, *dbt))
    }
}

/// Which warnings are errors, and which are not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WarnOptions {
    /// All are errors but those of `warn`.
    pub all_are_errors: bool,
    /// These are errors.
    pub error: BTreeSet<WarningKind>,
    /// These are warnings, whatever else is said.
    pub warn: BTreeSet<WarningKind>,
    /// These are not told.
    pub silence: BTreeSet<WarningKind>,
}

/// What becomes of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningFate {
    /// It is told.
    Warn,
    /// It is told, and the call fails.
    Error,
    /// It is not told.
    Silent,
}

impl WarnOptions {
    /// What becomes of a warning of this kind.
    pub fn fate(&self, kind: WarningKind) -> WarningFate {
        if self.silence.contains(&kind) {
            WarningFate::Silent
        } else if (self.all_are_errors || self.error.contains(&kind)) && !self.warn.contains(&kind) {
            WarningFate::Error
        } else {
            WarningFate::Warn
        }
    }
}

static OPTIONS: OnceLock<WarnOptions> = OnceLock::new();
static FAILED: AtomicUsize = AtomicUsize::new(0);

/// Says once for the process what becomes of warnings; the first to say it is right.
pub fn settle(options: WarnOptions) {
    let _ = OPTIONS.set(options);
}

/// What becomes of a warning of this kind.
pub fn fate(kind: WarningKind) -> WarningFate {
    OPTIONS.get().map_or(WarningFate::Warn, |options| options.fate(kind))
}

/// Notes a warning that comes where nothing can be stopped by it: gives whether it is to be told. One that is an error is counted.
pub fn note(kind: WarningKind) -> bool {
    let fate = fate(kind);
    if fate == WarningFate::Error {
        FAILED.fetch_add(1, Ordering::Relaxed);
    }
    fate != WarningFate::Silent
}

/// How many warnings were noted that are errors.
pub fn failed() -> usize {
    FAILED.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_name() {
        let names: BTreeSet<&str> = KINDS.iter().map(|(kind, ..)| kind.name()).collect();
        assert_eq!(names.len(), KINDS.len());
        assert_eq!(WarningKind::of_word("NoNodeForYamlKey"), Ok(vec![Kind::EntryOfNothing]));
        assert_eq!(WarningKind::of_word("DepsUnpinned"), Ok(Vec::new()));
        assert!(WarningKind::of_word("Deprecations").unwrap().contains(&Kind::DuplicateKey));
        assert!(WarningKind::of_word("NoNode").unwrap_err().contains(&"NoNodeForYamlKey"));
    }

    #[test]
    fn what_is_named_last_of_all_counts_least() {
        let options = WarnOptions {
            all_are_errors: true,
            warn: [Kind::Run].into(),
            silence: [Kind::Project].into(),
            ..WarnOptions::default()
        };
        assert_eq!(options.fate(Kind::UnknownKey), WarningFate::Error);
        assert_eq!(options.fate(Kind::Run), WarningFate::Warn);
        assert_eq!(options.fate(Kind::Project), WarningFate::Silent);
    }
}
