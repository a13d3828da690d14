//! Pictures of the terminal for the README: what mep really prints, in its colours, as SVG. `INSTA_UPDATE=always` writes them anew.

use std::fs;
use std::path::Path;

use regex::Regex;

use super::page::ROOT;
use crate::project::Project;

const LETTER: (f64, f64) = (8.4, 20.0);
const MARGIN: f64 = 20.0;
const BAR: f64 = 36.0;

/// Letters of one colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ink {
    Plain,
    Prompt,
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
}

impl Ink {
    /// The colour that an escape code asks for.
    fn of(code: &str) -> Self {
        match code {
            "1" => Self::Strong,
            "2" => Self::Faint,
            "32" => Self::Good,
            "33" => Self::Warning,
            "31;1" => Self::Bad,
            _ => Self::Plain,
        }
    }

    fn style(self) -> &'static str {
        match self {
            Self::Plain => "fill=\"#d7dae0\"",
            Self::Prompt => "fill=\"#7aa2f7\" font-weight=\"bold\"",
            Self::Strong => "fill=\"#ffffff\" font-weight=\"bold\"",
            Self::Faint => "fill=\"#9aa0ac\"",
            Self::Good => "fill=\"#8fd694\"",
            Self::Warning => "fill=\"#e9c46a\"",
            Self::Bad => "fill=\"#ff8787\" font-weight=\"bold\"",
        }
    }
}

type Line = Vec<(char, Ink)>;

/// Text with escape codes, as letters with colours.
fn inked(text: &str) -> Vec<Line> {
    let code = Regex::new("\x1b\\[([0-9;]*)m").unwrap();
    let mut lines = Vec::new();
    let mut ink = Ink::Plain;
    for text in text.lines() {
        let (mut line, mut at) = (Line::new(), 0);
        for found in code.captures_iter(text) {
            let whole = found.get(0).unwrap();
            line.extend(text[at..whole.start()].chars().map(|letter| (letter, ink)));
            (ink, at) = (Ink::of(&found[1]), whole.end());
        }
        line.extend(text[at..].chars().map(|letter| (letter, ink)));
        lines.push(line);
    }
    lines
}

/// The lines in so many columns, broken at spaces where there are some.
fn broken(lines: &[Line], columns: usize) -> Vec<Line> {
    let mut all = Vec::new();
    for line in lines {
        let mut rest = line.as_slice();
        while rest.len() > columns {
            let space = rest[..=columns].iter().rposition(|(letter, _)| *letter == ' ');
            let at = space.filter(|at| *at > columns / 2).unwrap_or(columns);
            all.push(rest[..at].to_vec());
            rest = &rest[at..];
            while rest.first().is_some_and(|(letter, _)| *letter == ' ') {
                rest = &rest[1..];
            }
        }
        all.push(rest.to_vec());
    }
    all
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn svg(lines: &[Line], columns: usize) -> String {
    let width = MARGIN * 2.0 + LETTER.0 * columns as f64;
    let height = BAR + MARGIN + LETTER.1 * lines.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1b1e28\"/>\n"
    );
    for (place, colour) in ["#ff5f57", "#febc2e", "#28c840"].iter().enumerate() {
        svg.push_str(&format!("<circle cx=\"{}\" cy=\"18\" r=\"6\" fill=\"{colour}\"/>\n", 22 + 20 * place));
    }
    svg.push_str(
        "<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\">\n",
    );
    for (row, line) in lines.iter().enumerate() {
        let y = BAR + 16.0 + LETTER.1 * row as f64;
        let mut column = 0;
        for part in line.chunk_by(|one, other| one.1 == other.1) {
            let text: String = part.iter().map(|(letter, _)| letter).collect();
            let start = column + text.chars().take_while(|letter| *letter == ' ').count();
            column += part.len();
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            // The length is said, so that columns stay in line in any font.
            svg.push_str(&format!(
                "<text xml:space=\"preserve\" x=\"{:.1}\" y=\"{y:.0}\" textLength=\"{:.1}\" {}>{}</text>\n",
                MARGIN + LETTER.0 * start as f64,
                LETTER.0 * text.chars().count() as f64,
                part[0].1.style(),
                escaped(text)
            ));
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// The story of the README: a file that comes late.
fn late_file() -> Vec<Line> {
    let project = Project::new();
    let shop = project.path("shop");
    let call = |words: &[&str]| {
        let mut command = project.command(words);
        if shop.is_dir() {
            command.current_dir(&shop);
        }
        let output = command.env("CLICOLOR_FORCE", "1").output().unwrap();
        assert!(output.status.success(), "{words:?}");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    call(&["init", "shop"]);
    let profiles = fs::read_to_string(shop.join("profiles.yml")).unwrap();
    let start = profiles.find("type: simulator").unwrap();
    fs::write(
        shop.join("profiles.yml"),
        format!("{}type: files\n          path: events\n", &profiles[..start]),
    )
    .unwrap();
    call(&["generate", "--to", "events", "--topic", "listen_events", "--days", "7", "--users", "200"]);
    call(&["run"]);
    let late = "{\"ts\": 1541232000000, \"artist\": \"Corey Hudson\", \"song\": \"Home\", \"userId\": 17}\n";
    fs::write(shop.join("events/listen_events/late.json"), late).unwrap();
    let prompt = |command: &str| -> Line {
        let ink = |text: &str, ink: Ink| text.chars().map(|letter| (letter, ink)).collect::<Line>();
        [ink("$ ", Ink::Prompt), ink(command, Ink::Strong)].concat()
    };
    let reads = Regex::new(r"(\x1b\[[0-9;]*m)?\s*\[reads [^\]]*\](\x1b\[0m)?").unwrap();
    let mut lines = vec![prompt("echo '{\"ts\": 1541232000000, …}' > events/listen_events/late.json")];
    for command in ["plan", "run", "plan"] {
        lines.push(prompt(&format!("mep {command}")));
        // How many rows are read is beside the point of the picture, and makes its lines long.
        let printed = call(&[command]);
        lines.extend(inked(&reads.replace_all(&printed, "")));
        lines.push(Line::new());
    }
    lines.pop();
    lines
}

/// A picture without what differs from run to run.
fn steady(svg: &str) -> String {
    Regex::new(r"\d+\.\d\ds|\d+(\.\d)? (B|KiB|MiB)").unwrap().replace_all(svg, "0").into_owned()
}

#[test]
fn the_pictures_of_the_terminal_show_what_mep_prints() {
    let lines = late_file();
    let all: Vec<String> =
        lines.iter().map(|line| line.iter().map(|(letter, _)| letter).collect::<String>()).collect();
    assert!(all.iter().any(|line| line.contains("1 partition  late rows of raw_listen_events")), "{all:#?}");
    let folder = Path::new(ROOT).join("docs/pictures");
    for (name, columns) in [("late-file.svg", 117), ("late-file-narrow.svg", 44)] {
        let found = svg(&broken(&lines, columns), columns);
        let path = folder.join(name);
        if std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &found).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap();
        assert_eq!(steady(&kept), steady(&found), "{name}: INSTA_UPDATE=always draws it anew");
    }
}
