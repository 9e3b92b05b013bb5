//! The layout of the sources: a stage imports earlier ones only, and the README lists the settings.

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

/// The stages in order: first what knows nothing of reports.
const STAGES: [&str; 14] = [
    "json",
    "text",
    "time",
    "wire",
    "store",
    "view",
    "faults",
    "events",
    "guard",
    "shared",
    "intake",
    "api",
    "page",
    "collector",
];

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, out);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            out.push(entry);
        }
    }
}

#[test]
fn every_file_imports_its_own_stage_and_earlier_ones_only() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let place = |stage: &str| STAGES.iter().position(|known| *known == stage);
    let mut checked = 0;
    for file in files {
        let inside = file.strip_prefix("src").unwrap().with_extension("");
        let own = inside.iter().next().unwrap().to_str().unwrap();
        let Some(own) = place(own) else { continue };
        let text = fs::read_to_string(&file).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap();
        for name in product.split("crate::").skip(1) {
            let name: String = name.chars().take_while(|letter| letter.is_ascii_lowercase()).collect();
            let Some(other) = place(&name) else { continue };
            // The endpoints are routes like all others, and the page shows what the store has.
            assert!(other <= own, "{} imports {name}", file.display());
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn the_readme_lists_every_setting_and_no_other() {
    let names = |text: &str| -> BTreeSet<String> {
        let is_name = |word: &&str| word.starts_with("COLLECTOR_") && word.len() > "COLLECTOR_".len();
        text.split(|letter: char| !letter.is_ascii_uppercase() && letter != '_')
            .filter(is_name)
            .map(str::to_owned)
            .collect()
    };
    let (_, table) = include_str!("../README.md").split_once("\n## Settings\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let settings = include_str!("../src/settings.rs");
    let (_, settings) = settings.split_once("const SETTINGS").unwrap();
    let (settings, _) = settings.split_once("];").unwrap();
    assert_eq!(names(table), names(settings));
}
