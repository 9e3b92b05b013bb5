//! The links of the documents. Rustdoc and code hosts both show them, and a relative link works in one of the two at most.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = "https://docs.rs/tower-reconify/latest/tower_reconify/";
pub(crate) const SOURCE: &str = "https://docs.rs/crate/tower-reconify/latest/source/";

/// The files of the chapters, by the name of their module.
pub(crate) fn chapters() -> Vec<(String, String)> {
    let guide = fs::read_to_string("src/guide.rs").unwrap();
    let mut folder = String::new();
    let mut file = None;
    let mut chapters = Vec::new();
    for line in guide.lines() {
        if let Some(path) = line.trim().strip_prefix("#[doc = include_str!(\"../") {
            file = path.strip_suffix("\")]").map(str::to_owned);
        } else if let Some(name) = line.trim().strip_prefix("pub mod ") {
            let name = name.split_once(' ').unwrap().0;
            chapters.push((format!("{folder}{name}"), file.take().unwrap()));
            if line.ends_with('{') {
                folder = format!("{folder}{name}/");
            }
        } else if line == "}" {
            folder.clear();
        }
    }
    chapters
}

/// The targets of the links that Markdown writes as `[text](target)`.
pub(crate) fn inline(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// The targets of the links in a text of Markdown or in comments.
pub(crate) fn targets(text: &str) -> impl Iterator<Item = &str> {
    let is_end = |c: char| c.is_whitespace() || "()<>`\"".contains(c);
    let absolute =
        text.match_indices("https://docs.rs/").filter_map(move |(at, _)| text[at..].split(is_end).next());
    inline(text).chain(absolute)
}

/// The anchors of a text's headings, as code hosts and rustdoc make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let anchor = |heading: &str| {
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    headings.map(|heading| anchor(heading.trim_start_matches('#'))).collect()
}

/// The name of the chapter that a link leads to.
pub(crate) fn chapter(target: &str) -> Option<&str> {
    target.strip_prefix(ROOT)?.strip_prefix("guide/")?.strip_suffix("/index.html")
}

/// The problem with a link in a file, if it has one.
pub(crate) fn problem(file: &str, target: &str) -> Option<&'static str> {
    let (page, anchor) = target.split_once('#').unwrap_or((target, ""));
    if let Some(path) = page.strip_prefix(SOURCE) {
        let is_packaged = ["src/", "docs/", "examples/", "README.md", "CHANGELOG.md"];
        let is_there = is_packaged.iter().any(|start| path.starts_with(start)) && Path::new(path).is_file();
        return (!is_there).then_some("names no file of the package");
    }
    let text = match page.strip_prefix(ROOT) {
        Some("" | "index.html") => fs::read_to_string("src/lib.rs").unwrap().replace("//! ", ""),
        Some(path) => match path.strip_prefix("guide/") {
            Some("index.html") => return None,
            Some(path) => {
                let of = |(name, _): &(String, String)| path.strip_suffix("/index.html") == Some(name);
                let Some((_, file)) = chapters().into_iter().find(of) else {
                    return Some("names no chapter");
                };
                fs::read_to_string(file).unwrap()
            }
            None => return item(path, anchor),
        },
        None if page.is_empty() => fs::read_to_string(file).unwrap(),
        None if page.starts_with("https://docs.rs/tower-reconify/") => return Some("names no page"),
        None if page.starts_with("http") => return None,
        None => return Some("is relative"),
    };
    (!anchor.is_empty() && !anchors(&text).contains(anchor)).then_some("names no heading")
}

/// The problem with a link to an item: `struct.Stats.html`, `testing/fn.recording.html`, `#method.sample`.
fn item(path: &str, anchor: &str) -> Option<&'static str> {
    let (module, page) = path.rsplit_once('/').unwrap_or(("", path));
    let exports = match module {
        "" => fs::read_to_string("src/lib.rs").unwrap(),
        "testing" => fs::read_to_string("src/testing/mod.rs").unwrap(),
        _ => return Some("names no public module"),
    };
    if module == "testing" && page == "index.html" {
        return None;
    }
    let Some((kind, name)) = page.strip_suffix(".html").and_then(|page| page.split_once('.')) else {
        return Some("names no item");
    };
    let words = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
    let code: String = exports.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let sources: String = super::product().iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    if !words(&code) || !super::names_after(&sources, &format!("pub {kind} ")).any(|known| known == name) {
        return Some("names no public item");
    }
    let Some((kind, name)) = anchor.split_once('.') else {
        return (!anchor.is_empty()).then_some("names no member");
    };
    let is_there = match kind {
        "method" => [format!("fn {name}("), format!("fn {name}<")].iter().any(|text| sources.contains(text)),
        "structfield" => sources.contains(&format!("pub {name}: ")),
        "variant" => sources.lines().any(|line| line.trim().trim_end_matches(',') == name),
        _ => false,
    };
    (!is_there).then_some("names no member")
}
