//! The layout of the source: a stage imports only what stands before it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import, besides itself. First what everything stands on, then the way of the data.
const ALLOWED: [(&str, &[&str]); 16] = [
    ("error", &[]),
    ("endpoint", &[]),
    ("identity", &[]),
    ("outcome", &[]),
    ("stats", &[]),
    ("interaction", &["endpoint", "error", "identity", "outcome", "stats"]),
    ("config", &["error", "endpoint", "interaction"]),
    ("budget", &["config", "stats"]),
    ("exchange", &["budget", "endpoint", "identity"]),
    ("queue", &["budget", "config", "exchange", "interaction"]),
    ("capture", &["budget", "config", "endpoint", "exchange", "identity", "queue", "stats"]),
    ("middleware", &["capture", "config", "endpoint", "identity", "queue"]),
    ("translation", &["config", "endpoint", "exchange", "identity", "interaction", "outcome", "stats"]),
    ("report", &["config", "endpoint", "identity", "interaction", "outcome"]),
    ("delivery", &["config", "report"]),
    (
        "reporter",
        &[
            "budget",
            "config",
            "delivery",
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
    for file in files.iter().filter(|file| !file.ends_with("lib.rs")) {
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
        assert!(lines <= 300, "{} has {lines} lines", file.display());
    }
}

#[test]
fn the_readme_names_every_example_with_its_command() {
    let readme = fs::read_to_string("README.md").unwrap();
    for entry in fs::read_dir("examples").unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(readme.contains(&format!("cargo run --example {name}")), "{name} is not in the README");
    }
}
