//! The layout of the source: a stage imports only what stands before it; the examples are listed, run and shown whole.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import, besides itself. First what everything stands on, then the way of the data.
const ALLOWED: [(&str, &[&str]); 18] = [
    ("sync", &[]),
    ("error", &[]),
    ("endpoint", &[]),
    ("id", &[]),
    ("identity", &[]),
    ("outcome", &[]),
    ("stats", &["sync"]),
    ("interaction", &["endpoint", "error", "identity", "outcome", "stats"]),
    ("config", &["error", "endpoint", "interaction"]),
    ("budget", &["config", "stats", "sync"]),
    ("exchange", &["budget", "endpoint", "identity", "sync"]),
    ("queue", &["budget", "config", "endpoint", "exchange", "identity", "interaction", "stats", "sync"]),
    ("capture", &["budget", "config", "endpoint", "exchange", "identity", "queue", "stats"]),
    ("middleware", &["capture", "config", "endpoint", "identity", "queue"]),
    (
        "translation",
        &["budget", "config", "endpoint", "exchange", "id", "identity", "interaction", "outcome", "stats"],
    ),
    ("report", &["config", "endpoint", "id", "identity", "interaction", "outcome"]),
    ("delivery", &["config", "report", "stats"]),
    (
        "reporter",
        &[
            "budget",
            "capture",
            "config",
            "delivery",
            "endpoint",
            "exchange",
            "interaction",
            "queue",
            "report",
            "stats",
            "translation",
        ],
    ),
];

/// The one file that wires the two ends of the queue together.
const EXEMPT: (&str, &[&str]) = ("src/middleware/layer.rs", &["delivery", "report", "reporter"]);

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(sources(path.to_str().unwrap())),
            false if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            false => {}
        }
    }
    files
}

/// The stage that a file belongs to.
fn stage(file: &Path) -> String {
    let inside = file.strip_prefix("src").unwrap().components().next().unwrap();
    Path::new(inside.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The modules that a file imports from the crate's root, without those of its tests.
fn imports(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let names = code.split("crate::").skip(1);
    names
        .map(|name| name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned())
        .collect()
}

/// The imports that run against the way of the data.
fn backward(file: &Path, imports: &[String]) -> Vec<String> {
    let stage = stage(file);
    let allowed = ALLOWED.iter().find(|(name, _)| *name == stage).map(|(_, allowed)| *allowed);
    let allowed = allowed.unwrap_or_else(|| panic!("{} is of no known stage", file.display()));
    let exempt = if file == Path::new(EXEMPT.0) { EXEMPT.1 } else { &[] };
    let is_backward = |name: &&String| {
        **name != stage && !allowed.contains(&name.as_str()) && !exempt.contains(&name.as_str())
    };
    imports.iter().filter(is_backward).cloned().collect()
}

#[test]
fn no_arrow_between_the_stages_runs_backwards() {
    let files = sources("src");
    assert!(files.len() > 30);
    let is_stage = |file: &&PathBuf| {
        !file.ends_with("lib.rs") && !file.to_str().unwrap().contains("_tests") && !file.ends_with("tests.rs")
    };
    for file in files.iter().filter(is_stage) {
        let backward = backward(file, &imports(file));
        assert!(backward.is_empty(), "{} imports {backward:?}", file.display());
    }
}

#[test]
fn a_stage_may_only_import_stages_that_are_listed_before_it_or_beside_its_branch() {
    for (place, (stage, allowed)) in ALLOWED.iter().enumerate() {
        for name in *allowed {
            assert!(
                ALLOWED[..place].iter().any(|(before, _)| before == name),
                "{stage} stands before {name}"
            );
        }
    }
}

#[test]
fn an_arrow_that_runs_backwards_is_found() {
    let wrong = ["reporter".to_owned(), "budget".to_owned()];
    assert_eq!(backward(Path::new("src/capture/tap.rs"), &wrong), ["reporter"]);
    assert!(backward(Path::new("src/middleware/layer.rs"), &wrong[..1]).is_empty());
}

#[test]
fn files_stay_short() {
    for file in sources("src").into_iter().chain(sources("examples")) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 350, "{} has {lines} lines", file.display());
    }
}

/// The names of the examples: files of their own, and folders with a `main.rs`.
fn examples() -> BTreeSet<String> {
    let entries = fs::read_dir("examples").unwrap().map(|entry| entry.unwrap().path());
    let is_example = |path: &PathBuf| path.is_file() || path.join("main.rs").exists();
    entries.filter(is_example).map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// What follows a text, as far as it is a name, wherever that stands.
fn names_after<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = String> + use<'a> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    text.split(mark).skip(1).map(name)
}

#[test]
fn the_readme_names_every_example_with_its_command_and_no_other() {
    let readme = fs::read_to_string("README.md").unwrap();
    let (_, list) = readme.split_once("\n## Examples\n").unwrap();
    let (list, _) = list.split_once("\n### ").unwrap();
    assert_eq!(names_after(list, "| `cargo run --example ").collect::<BTreeSet<_>>(), examples());
    let named: BTreeSet<_> = names_after(&readme, "cargo run --example ").collect();
    assert!(named.is_subset(&examples()), "{named:?}");
}

#[test]
fn every_example_is_run_by_a_test_and_says_its_command() {
    let tests = sources("tests").iter().map(|file| fs::read_to_string(file).unwrap()).collect::<String>();
    for name in examples() {
        let is_run =
            tests.contains(&format!("run(\"{name}\")")) || tests.contains(&format!("command(\"{name}\","));
        assert!(is_run, "no test runs {name}");
        let file = [format!("examples/{name}.rs"), format!("examples/{name}/main.rs")];
        let text = file.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap();
        assert!(
            names_after(&text, "//! cargo run --example ").any(|named| named == name),
            "{name} says its command"
        );
    }
}

/// The table of the ways in: what is called how, by which lines, and in which example.
#[test]
fn the_lines_of_every_way_in_stand_in_its_example() {
    let readme = fs::read_to_string("README.md").unwrap();
    let (_, table) = readme.split_once("| how you call OpenAI | the lines you add |").unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 5, "{rows:?}");
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, lines, _, example] = cells[..] else { panic!("{row} has other cells than the head") };
        let file = example.split_once("](").and_then(|(_, rest)| rest.split_once(')')).unwrap().0;
        let code = squeezed(&fs::read_to_string(file).unwrap());
        let lines: Vec<&str> = lines.split('`').skip(1).step_by(2).collect();
        assert!((1..=4).contains(&lines.len()), "{row}");
        for line in lines {
            assert!(code.contains(&squeezed(&line.replace("\\|", "|"))), "{line} is not in {file}");
        }
    }
}

/// The guarantees: each names a file of tests, and most a test in it.
#[test]
fn every_test_that_a_guarantee_names_is_there() {
    let guarantees = fs::read_to_string("docs/GUARANTEES.md").unwrap();
    let rows: Vec<&str> = guarantees.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    assert!(rows.len() > 20);
    for row in rows {
        let kept_by = row.trim_matches('|').rsplit(" | ").next().unwrap();
        let mut text = None;
        for name in kept_by.split('`').skip(1).step_by(2) {
            if name.ends_with(".rs") {
                text = Some(fs::read_to_string(name).unwrap_or_else(|_| panic!("{name} is not there")));
            } else {
                let test = format!("fn {name}(");
                assert!(text.as_ref().is_some_and(|text| text.contains(&test)), "{name} is not there");
            }
        }
        assert!(text.is_some(), "{row} names no test");
    }
}
