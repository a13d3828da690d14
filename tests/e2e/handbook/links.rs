//! Links between the pages: the files are there, and the headings that they name.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use regex::Regex;

use super::page::{Page, ROOT};

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text = heading.trim().to_lowercase();
    let kept = text.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn anchors(page: &Page) -> BTreeSet<String> {
    let link = Regex::new(r"\[([^\]]*)\]\([^)]*\)").unwrap();
    let headings = page.prose().into_iter().filter(|(_, line)| line.starts_with('#'));
    headings.map(|(_, line)| anchor(&link.replace_all(line.trim_start_matches('#'), "$1"))).collect()
}

/// The path that a link means, from the project's folder.
fn target(page: &Page, link: &str) -> PathBuf {
    let mut path = PathBuf::new();
    let folder = Path::new(&page.name).parent().unwrap();
    for part in folder.join(link).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{}: {link} leaves the project", page.name),
            Component::Normal(part) => path.push(part),
            _ => {}
        }
    }
    path
}

#[test]
fn links_between_pages_lead_to_files_and_headings_that_are_there() {
    let pages = Page::all();
    let link = Regex::new(r#"\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"\s]+)""#).unwrap();
    let mut broken = Vec::new();
    let mut checked = 0;
    for page in &pages {
        for (line, text) in page.prose() {
            for found in link.captures_iter(text) {
                let link = found.get(1).or(found.get(2)).unwrap().as_str();
                if link.starts_with("http://") || link.starts_with("https://") {
                    continue;
                }
                checked += 1;
                let (file, heading) = link.split_once('#').unwrap_or((link, ""));
                let to = if file.is_empty() { PathBuf::from(&page.name) } else { target(page, file) };
                let other = pages.iter().find(|other| Path::new(&other.name) == to);
                let has_heading =
                    heading.is_empty() || other.is_some_and(|other| anchors(other).contains(heading));
                if !Path::new(ROOT).join(&to).exists() || !has_heading {
                    broken.push(format!("{}:{line}: {link}", page.name));
                }
            }
        }
    }
    assert!(checked > 20, "{checked}");
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn every_page_of_the_docs_is_in_their_index() {
    let index = Page::open("docs/README.md");
    for page in Page::all().iter().filter(|page| page.name.starts_with("docs/") && page.name != index.name) {
        let link = format!("({})", page.name.trim_start_matches("docs/"));
        assert!(index.text.contains(&link), "docs/README.md does not link {}", page.name);
    }
}

#[test]
fn an_anchor_is_the_heading_in_small_letters_without_signs() {
    assert_eq!(anchor("What a change reaches"), "what-a-change-reaches");
    assert_eq!(anchor("`mep plan`, and why"), "mep-plan-and-why");
}
