//! The page's scripts as one: they are ES modules, and a page that stands alone has nowhere to import from.
//!
//! Each module gets a scope of its own, which gives what it exports and takes what it imports, so that no name of one is seen by
//! another that does not ask for it. Of the language of modules this knows what the page uses: `import { a, b } from "./x.js";` and
//! `import "./x.js";` at the beginning of a line, and `export` before `const`, `function` and `async function`.

/// A script with its file's name.
pub(super) type Module = (&'static str, &'static str);

/// The modules as one script, in the order in which they stand: each after what it imports.
pub(super) fn bundled(modules: &[Module]) -> String {
    let scopes: Vec<String> = modules.iter().map(|(file, text)| scope(file, text)).collect();
    format!("\"use strict\";\n(() => {{\n{}}})();\n", scopes.join("\n"))
}

fn scope(file: &str, text: &str) -> String {
    let parsed = ParsedScript::of(text);
    let imports = parsed.imports.iter().filter(|import| !import.names.is_empty());
    let imports = imports
        .map(|import| format!("const {{ {} }} = {};\n", import.names.join(", "), scope_of(import.file)));
    format!(
        "const {} = (() => {{\n{}{}\nreturn {{ {} }};\n}})();\n",
        scope_of(file),
        imports.collect::<String>(),
        parsed.body,
        parsed.exports.join(", ")
    )
}

/// The name of a module's scope.
fn scope_of(file: &str) -> String {
    format!("${}", file.trim_end_matches(".js"))
}

#[derive(Debug)]
struct Import<'t> {
    file: &'t str,
    names: Vec<&'t str>,
}

/// A module, taken apart.
#[derive(Debug)]
struct ParsedScript<'t> {
    imports: Vec<Import<'t>>,
    exports: Vec<&'t str>,
    body: String,
}

impl<'t> ParsedScript<'t> {
    fn of(text: &'t str) -> Self {
        let mut parsed = Self { imports: Vec::new(), exports: Vec::new(), body: String::new() };
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(statement) = rest.strip_prefix("import ") {
                let (statement, after) = statement.split_once(";\n").unwrap_or((statement, ""));
                parsed.imports.push(Import::of(statement));
                rest = after;
                continue;
            }
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            let declared = line.strip_prefix("export ");
            parsed.exports.extend(declared.map(declared_name));
            parsed.body.push_str(declared.unwrap_or(line));
            parsed.body.push('\n');
            rest = after;
        }
        parsed
    }
}

impl<'t> Import<'t> {
    /// Of what stands between `import` and the semicolon.
    fn of(statement: &'t str) -> Self {
        let file = statement.rsplit('"').nth(1).unwrap_or_default().trim_start_matches("./");
        let names =
            statement.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(names, _)| names);
        let names = names.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
        Self { file, names: names.collect() }
    }
}

/// The name that a declaration gives.
fn declared_name(declaration: &str) -> &str {
    let words = ["async ", "function ", "const "];
    let name = words.iter().fold(declaration, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    &name[..end]
}

/// What modules ask for and is not to be had: a name that another one does not export, or one that stands later.
#[cfg(test)]
pub(super) fn unmet(modules: &[Module]) -> Vec<String> {
    let mut known: std::collections::BTreeMap<&str, Vec<&str>> = std::collections::BTreeMap::new();
    let mut unmet = Vec::new();
    for (file, text) in modules {
        let parsed = ParsedScript::of(text);
        for import in &parsed.imports {
            match known.get(import.file) {
                None => unmet.push(format!("{file}: {} does not stand before it", import.file)),
                Some(exports) => unmet.extend(
                    import
                        .names
                        .iter()
                        .filter(|name| !exports.contains(name))
                        .map(|name| format!("{file}: {} does not export {name}", import.file)),
                ),
            }
        }
        known.insert(file, parsed.exports);
    }
    unmet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_module_has_a_scope_of_its_own() {
        let modules = [
            (
                "names.js",
                "// Names.\n\nconst own = 1;\nexport const a = own;\nexport async function b() {}\n",
            ),
            (
                "main.js",
                "import {\n  a,\n  b,\n} from \"./names.js\";\nimport \"./names.js\";\n\nconst own = b(a);\n",
            ),
        ];
        assert!(unmet(&modules).is_empty());
        let expected = [
            "\"use strict\";\n(() => {",
            "const $names = (() => {\n// Names.\n\nconst own = 1;\nconst a = own;\nasync function b() {}\n",
            "return { a, b };\n})();\n",
            "const $main = (() => {\nconst { a, b } = $names;\n\nconst own = b(a);\n",
            "return {  };\n})();\n})();\n",
        ];
        assert_eq!(bundled(&modules), expected.join("\n"));
    }

    #[test]
    fn what_a_module_does_not_export_is_not_to_be_had() {
        let modules = [
            ("a.js", "import { x } from \"./b.js\";\nexport const y = x;\n"),
            ("b.js", "import { z } from \"./a.js\";\n"),
        ];
        assert_eq!(unmet(&modules), ["a.js: b.js does not stand before it", "b.js: a.js does not export z"]);
    }
}
