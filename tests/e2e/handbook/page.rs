//! Pages of Markdown, and the fenced blocks in them.

use std::fs;
use std::path::{Path, PathBuf};

pub(super) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A file of Markdown.
pub(super) struct Page {
    /// From the project's folder: `docs/tutorial.md`.
    pub(super) name: String,
    pub(super) text: String,
}

/// A block between fences.
pub(super) struct Block<'a> {
    /// The line of its first fence, from 1.
    pub(super) line: usize,
    pub(super) language: &'a str,
    /// What stands behind the language: the file that the block is the content of.
    pub(super) file: Option<&'a str>,
    pub(super) lines: Vec<&'a str>,
}

/// A command of a console block, and what it is shown to print.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// The line of the command, from 1.
    pub(super) line: usize,
    pub(super) command: String,
    pub(super) output: Vec<String>,
    /// The line after the output, from 1.
    pub(super) end: usize,
}

impl Page {
    pub(super) fn open(name: &str) -> Self {
        let text = fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_else(|_| panic!("{name}"));
        Self { name: name.to_owned(), text }
    }

    /// All pages of the project.
    pub(super) fn all() -> Vec<Self> {
        let is_ours = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path == Path::new(ROOT) || !(name.starts_with('.') || name == "target" || name == "node_modules")
        };
        let entries = walkdir::WalkDir::new(ROOT).sort_by_file_name().into_iter();
        let files: Vec<PathBuf> = entries
            .filter_entry(|entry| is_ours(entry.path()))
            .map(|entry| entry.unwrap().into_path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
            .collect();
        files.iter().map(|path| Self::open(path.strip_prefix(ROOT).unwrap().to_str().unwrap())).collect()
    }

    pub(super) fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut open: Option<Block<'_>> = None;
        for (index, line) in self.text.lines().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(info), None) => {
                    let (language, file) = info.trim().split_once(' ').unwrap_or((info.trim(), ""));
                    let file = Some(file.trim()).filter(|file| !file.is_empty());
                    open = Some(Block { line: index + 1, language, file, lines: Vec::new() });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => block.lines.push(line),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block never ends", self.name);
        blocks
    }

    /// The text without its blocks: what is a link there is none.
    pub(super) fn prose(&self) -> Vec<(usize, &str)> {
        let mut inside = false;
        let mut prose = Vec::new();
        for (index, line) in self.text.lines().enumerate() {
            if line.starts_with("```") {
                inside = !inside;
            } else if !inside {
                prose.push((index + 1, line));
            }
        }
        prose
    }
}

impl Block<'_> {
    /// The commands of a console block: `$ command`, over several lines where one ends with a backslash, and what it prints.
    pub(super) fn commands(&self) -> Vec<Shown> {
        let mut shown: Vec<Shown> = Vec::new();
        let mut goes_on = false;
        for (index, line) in self.lines.iter().enumerate() {
            let number = self.line + 1 + index;
            let last = shown.last_mut();
            match (line.strip_prefix("$ "), last) {
                (Some(command), _) => shown.push(Shown {
                    line: number,
                    command: command.to_owned(),
                    output: Vec::new(),
                    end: number + 1,
                }),
                (None, Some(last)) if goes_on => {
                    last.command.push('\n');
                    last.command.push_str(line);
                    last.end = number + 1;
                }
                (None, Some(last)) => {
                    last.output.push((*line).to_owned());
                    last.end = number + 1;
                }
                (None, None) => panic!("line {number}: output before a command"),
            }
            goes_on = line.ends_with('\\');
        }
        for shown in &mut shown {
            while shown.output.last().is_some_and(|line| line.is_empty()) {
                shown.output.pop();
                shown.end -= 1;
            }
        }
        shown
    }
}

#[test]
fn a_console_block_is_commands_with_their_output() {
    let text = "a\n```console\n$ one \\\n  two\nout\n\n$ three\n```\n```sql models/a.sql\nselect 1\n```\n";
    let page = Page { name: "a.md".to_owned(), text: text.to_owned() };
    let blocks = page.blocks();
    assert_eq!(blocks[1].file, Some("models/a.sql"));
    let shown = |line, command: &str, output: &[&str], end| Shown {
        line,
        command: command.to_owned(),
        output: output.iter().map(|line| (*line).to_owned()).collect(),
        end,
    };
    assert_eq!(blocks[0].commands(), [shown(3, "one \\\n  two", &["out"], 6), shown(7, "three", &[], 8)]);
}
