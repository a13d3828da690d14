//! The page: hand-written HTML, style and script in one file, with what it says compressed in it.
//!
//! The script and the style are allowed by their hashes and nothing else is: a text of the project that were taken for
//! markup could still run nothing and fetch nothing.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::bundle::{Module, bundled};
use super::site::Site;
use mep_core::secrets;

const SHELL: &str = include_str!("page/index.html");

const STYLES: &[&str] = &[
    include_str!("page/style/base.css"),
    include_str!("page/style/frame.css"),
    include_str!("page/style/content.css"),
    include_str!("page/style/data.css"),
    include_str!("page/style/graph.css"),
];

/// In the order in which they are read: what another one imports comes before it.
const SCRIPTS: &[Module] = &[
    ("dom.js", include_str!("page/dom.js")),
    ("format.js", include_str!("page/format.js")),
    ("markdown.js", include_str!("page/markdown.js")),
    ("highlight.js", include_str!("page/highlight.js")),
    ("site.js", include_str!("page/site.js")),
    ("trust.js", include_str!("page/trust.js")),
    ("router.js", include_str!("page/router.js")),
    ("layout.js", include_str!("page/layout.js")),
    ("graph.js", include_str!("page/graph.js")),
    ("explorer.js", include_str!("page/explorer.js")),
    ("lineage.js", include_str!("page/lineage.js")),
    ("sql.js", include_str!("page/sql.js")),
    ("tests.js", include_str!("page/tests.js")),
    ("column.js", include_str!("page/column.js")),
    ("partitions.js", include_str!("page/partitions.js")),
    ("states.js", include_str!("page/states.js")),
    ("chart.js", include_str!("page/chart.js")),
    ("node.js", include_str!("page/node.js")),
    ("overview.js", include_str!("page/overview.js")),
    ("entities.js", include_str!("page/entities.js")),
    ("dashboards.js", include_str!("page/dashboards.js")),
    ("sidebar.js", include_str!("page/sidebar.js")),
    ("search.js", include_str!("page/search.js")),
    ("theme.js", include_str!("page/theme.js")),
    ("main.js", include_str!("page/main.js")),
];

/// Follows what the server tells: see `server.rs`.
const LIVE: Module = ("live.js", include_str!("page/live.js"));

/// The page as a file that stands alone.
pub fn page(site: &Site) -> String {
    assembled(&site.project, &embedded(site), SCRIPTS, "'none'")
}

/// The page as it is served: it follows the project. Without a site, it waits for one.
pub fn live_page(site: Option<&Site>) -> String {
    let (title, data) = match site {
        Some(site) => (site.project.as_str(), embedded(site)),
        None => ("mep", String::new()),
    };
    let scripts: Vec<Module> = SCRIPTS.iter().copied().chain([LIVE]).collect();
    assembled(title, &data, &scripts, "'self'")
}

fn assembled(title: &str, data: &str, scripts: &[Module], connect: &str) -> String {
    let script = bundled(scripts);
    let style = STYLES.join("\n");
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src {connect}; base-uri 'none'; form-action 'none'",
        hash(&script),
        hash(&style)
    );
    // The parts are put in from the last to the first, so that none is looked for in another.
    let parts = [
        ("{script}", script.as_str()),
        ("{data}", data),
        ("{style}", style.as_str()),
        ("{title}", &escaped(title)),
        ("{policy}", &policy),
    ];
    let mut page = SHELL.to_owned();
    for (mark, part) in parts {
        page = page.replacen(mark, part, 1);
    }
    page
}

/// The site as JSON, compressed, in letters and digits that no HTML parser takes for anything else.
fn embedded(site: &Site) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    // Writing to memory cannot fail, and the site's keys are all texts.
    let mut json = serde_json::to_value(site).unwrap_or_default();
    secrets::mask_json(&mut json);
    let _ = serde_json::to_writer(&mut encoder, &json);
    let _ = encoder.flush();
    STANDARD.encode(encoder.finish().unwrap_or_default())
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(openssl::sha::sha256(text.as_bytes())))
}

/// A text as it stands in HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::bundle;
    use super::*;

    #[test]
    fn scripts_import_only_what_stands_before_them_and_is_exported() {
        let all: Vec<Module> = SCRIPTS.iter().copied().chain([LIVE]).collect();
        assert_eq!(bundle::unmet(&all), Vec::<String>::new());
    }

    #[test]
    fn no_script_makes_markup_of_texts() {
        for (file, script) in SCRIPTS.iter().chain([&LIVE]) {
            for word in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "</script"]
            {
                assert!(!script.contains(word), "{word} in {file}");
            }
        }
    }

    #[test]
    fn the_marks_of_the_shell_are_each_there_once() {
        for mark in ["{policy}", "{title}", "{style}", "{data}", "{script}"] {
            assert_eq!(SHELL.matches(mark).count(), 1, "{mark}");
        }
    }

    #[test]
    fn a_title_stays_text() {
        assert_eq!(escaped("<script>&\""), "&lt;script&gt;&amp;&quot;");
    }
}
