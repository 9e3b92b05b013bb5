//! The layout of the source: a stage imports only what stands before it; the examples are listed, run and shown whole.
//! A binary of its own, because it only reads files: after a move it runs without the rest.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod imports;
mod links;
mod words;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use tower_reconify::{Config, Operation, Provider, ReconifyLayer};

use self::imports::Imports;

/// The stages, in the order in which data pass them. A file imports only its own stage and earlier ones.
const STAGES: [&str; 24] = [
    "names",
    "error",
    "id",
    "unwind",
    "sync",
    "stats",
    "identity",
    "codec",
    "provider",
    "interaction",
    "config",
    "budget",
    "exchange",
    "handoff",
    "capture",
    "translation",
    "policy",
    "report",
    "transport",
    "spool",
    "delivery",
    "reporter",
    "middleware",
    "testing",
];

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
fn stage(file: &Path) -> &str {
    let inside = file.strip_prefix("src").unwrap().iter().next().unwrap();
    Path::new(inside).file_stem().unwrap().to_str().unwrap()
}

fn place(stage: &str) -> usize {
    let place = STAGES.iter().position(|known| *known == stage);
    place.unwrap_or_else(|| panic!("{stage} is no known stage"))
}

/// The sources without tests, and without what is built only for models and fuzz targets.
fn product() -> Vec<PathBuf> {
    let is_test = |file: &PathBuf| file.iter().any(|name| name == "tests" || name == "tests.rs");
    let is_extra = |file: &PathBuf| matches!(stage(file), "lib" | "guide" | "fuzzing" | "loom_tests");
    sources("src").into_iter().filter(|file| !is_test(file) && !is_extra(file)).collect()
}

/// The stages that a file imports although they come later.
fn backward<'a>(imports: &'a Imports, file: &Path) -> Vec<&'a str> {
    let here = place(stage(file));
    imports.stages(file).into_iter().filter(|imported| place(imported) > here).collect()
}

#[test]
fn every_file_imports_earlier_stages_only() {
    let files = product();
    assert!(files.len() > 100);
    let imports = Imports::of(&files);
    for file in &files {
        let backward = backward(&imports, file);
        assert!(backward.is_empty(), "{} imports {backward:?}", file.display());
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = Imports::of(&product());
    assert_eq!(imports.cycle(), None);
}

#[test]
fn an_import_of_a_later_stage_is_found() {
    let mut imports = Imports::default();
    let file = Path::new("src/capture/tap.rs");
    imports.add(file, "use super::body::A;\nfn f() { crate::reporter::g(); }\n#[cfg(test)]\nmod tests { use crate::middleware::B; }");
    assert_eq!(backward(&imports, file), ["reporter"]);
}

#[test]
fn a_circle_of_files_is_found_through_re_exports() {
    let mut imports = Imports::default();
    for (file, text) in [
        ("src/budget/mod.rs", "mod a;\nmod b;\npub(crate) use self::a::A;\npub(crate) use self::b::B;"),
        ("src/budget/a.rs", "use crate::budget::B;\npub(crate) struct A(B);"),
        ("src/budget/b.rs", "use std::fmt;\npub(crate) struct B;"),
    ] {
        imports.add(Path::new(file), text);
    }
    assert_eq!(imports.cycle(), None);
    imports.add(Path::new("src/budget/b.rs"), "use super::{A};\npub(crate) struct B(A);");
    assert_eq!(imports.cycle().map(|files| files.len()), Some(2));
}

/// Words that may stand outside of `provider/`: the file, the word, and the reason.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("src/codec/frames.rs", "error", "a kind of message in binary event streams"),
    ("src/codec/frames.rs", "message", "the field that an error of a binary event stream has"),
    ("src/codec/sse.rs", "data", "a field of every event stream"),
    ("src/config/options.rs", "chat", "a value of RECONIFY_RESPONSES, which is about one operation"),
    ("src/report/mod.rs", "b64_json", "Reconify's name for the encoding of an uploaded image"),
    ("src/report/opening.rs", "type", "a field of Reconify's reports"),
];

#[test]
fn a_field_or_value_of_a_provider_is_found_wherever_it_stands_and_no_comment_is() {
    for (text, found) in [
        ("/// `choices`, [DONE]\nfn f() { /* messages */ } // delta", vec![]),
        (r#"#[cfg(test)] mod tests { const A: &str = "choices"; }"#, vec![]),
        (r#"const A: &str = "The request has no text.";"#, vec![]),
        (r#"const A: &[u8] = b"[DONE]";"#, vec!["DONE"]),
        (r#"fn f(a: &str) -> bool { matches!(a, "role" | "[DONE]") }"#, vec!["DONE", "role"]),
        (r##"const A: &str = r#"{"error":{}}"#;"##, vec!["error"]),
        (r#"struct A { tool_calls: u8 } fn f(a: A) -> u8 { a.tool_calls }"#, vec!["tool_calls"]),
        ("fn f(a: crate::provider::Operation) -> bool { a == Operation::Chat }", vec!["Operation::Chat"]),
        ("fn f() -> &'static [Operation] { Operation::ALL }", vec![]),
        ("fn f() -> u8 { format!(\"{}\", openai::f()) }", vec!["openai"]),
    ] {
        assert_eq!(words::of_providers(text), found, "{text}");
    }
}

/// The words of providers in the sources outside of `provider/`.
fn words_outside() -> Vec<(String, String)> {
    let files = product().into_iter().filter(|file| stage(file) != "provider");
    let words = |file: PathBuf| {
        let found = words::of_providers(&fs::read_to_string(&file).unwrap());
        found.into_iter().map(move |word| (file.to_str().unwrap().to_owned(), word))
    };
    files.flat_map(words).collect()
}

#[test]
fn no_file_outside_of_the_providers_knows_a_field_or_value_of_one() {
    let found = words_outside();
    let allowed: Vec<_> =
        ALLOWED.iter().map(|(file, word, _)| ((*file).to_owned(), (*word).to_owned())).collect();
    let others: Vec<_> = found.iter().filter(|known| !allowed.contains(known)).collect();
    assert!(others.is_empty(), "{others:#?}");
    let unused: Vec<_> = allowed.iter().filter(|known| !found.contains(known)).collect();
    assert!(unused.is_empty(), "{unused:#?} is allowed and not there");
}

/// The values of an enumeration in a file.
fn values(file: &str, name: &str) -> Vec<String> {
    let items = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap().items;
    let values = items.into_iter().find_map(|item| match item {
        syn::Item::Enum(item) if item.ident == name => Some(item.variants),
        _ => None,
    });
    values.unwrap().iter().map(|value| value.ident.to_string()).collect()
}

#[test]
fn every_operation_and_provider_is_in_a_table() {
    let file = "src/provider/operation.rs";
    let shown = |all: &[&dyn Debug]| all.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>();
    let operations: Vec<_> = Operation::ALL.iter().map(|operation| operation as &dyn Debug).collect();
    assert_eq!(shown(&operations), values(file, "Operation"));
    let providers: Vec<_> = Provider::ALL.iter().map(|provider| provider as &dyn Debug).collect();
    assert_eq!(shown(&providers), values(file, "Provider"));
}

/// The names of the examples: files of their own, and folders with a `main.rs`.
fn examples() -> BTreeSet<String> {
    let entries = fs::read_dir("examples").unwrap().map(|entry| entry.unwrap().path());
    let is_example =
        |path: &PathBuf| path.extension().is_some_and(|end| end == "rs") || path.join("main.rs").exists();
    entries.filter(is_example).map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// What follows a text, as far as it is a name, wherever that stands.
fn names_after<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = String> + use<'a> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    text.split(mark).skip(1).map(name)
}

#[test]
fn the_list_of_examples_names_each_with_its_command_and_no_other() {
    let list = fs::read_to_string("examples/README.md").unwrap();
    assert_eq!(names_after(&list, "| `cargo run --example ").collect::<BTreeSet<_>>(), examples());
    let readme = fs::read_to_string("README.md").unwrap();
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

/// A newcomer copies them as they are: no line is hidden or missing.
#[test]
fn the_programs_of_the_readme_and_the_one_for_rig_are_tested_letter_by_letter() {
    let readme = fs::read_to_string("README.md").unwrap();
    let blocks = readme.split("\n```rust,no_run\n").skip(1);
    let programs: Vec<&str> = blocks.map(|block| block.split_once("```\n").unwrap().0).collect();
    assert_eq!(programs.len(), 2);
    for (program, name) in programs.into_iter().zip(["inbound", "outbound"]) {
        let file = fs::read_to_string(format!("examples/{name}.rs")).unwrap();
        let code = file.split_once("\n\nuse ").map(|(_, code)| format!("use {code}"));
        assert_eq!(Some(program), code.as_deref(), "{name}");
    }
    let chapter = fs::read_to_string("docs/WAYS_IN.md").unwrap();
    let (_, program) = chapter.split_once("\n```rust,ignore\n").unwrap();
    let file = fs::read_to_string("tests/rig/src/main.rs").unwrap();
    assert!(file.ends_with(&format!("\n\n{}", program.split_once("```\n").unwrap().0)), "tests/rig");
}

#[test]
fn the_readme_of_the_gateway_lists_every_variable_that_it_reads_and_no_other() {
    let code: String =
        sources("examples/gateway").iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let marks = ["text(\"", "number(\"", "seconds(\"", "patience(\"", "variable: \""];
    let is_own = |name: &String| !name.starts_with("RECONIFY_");
    let read: BTreeSet<_> = marks
        .iter()
        .flat_map(|mark| names_after(&code, mark))
        .filter(|name| !name.is_empty())
        .filter(is_own)
        .collect();
    let readme = fs::read_to_string("examples/gateway/README.md").unwrap();
    let listed: BTreeSet<_> = names_after(&readme, "\n| `")
        .filter(|name| name.contains('_') && name.to_uppercase() == *name)
        .filter(is_own)
        .collect();
    assert_eq!(listed, read);
}

#[test]
fn contributing_lists_each_dependency_with_its_reason_and_no_other() {
    let manifest = fs::read_to_string("Cargo.toml").unwrap();
    let (_, section) = manifest.split_once("\n[dependencies]\n").unwrap();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let dependencies: Vec<&str> = lines.filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    let contributing = fs::read_to_string("CONTRIBUTING.md").unwrap();
    let (_, section) = contributing.split_once("\n## Dependencies\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.strip_suffix(" |")?.splitn(2, "` | ").collect()))
        .collect();
    assert!(rows.iter().all(|row| row.len() == 2 && !row[1].is_empty()), "{rows:?}");
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), dependencies);
}

/// The tables of the ways in: what is called how, by which lines, and in which example.
#[test]
fn the_lines_of_every_way_in_stand_in_its_example() {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    let mut checked = 0;
    for file in ["docs/WAYS_IN.md", "README.md"] {
        let text = fs::read_to_string(file).unwrap();
        let (_, table) = text.split_once("| how you call your model | the lines you add |").unwrap();
        let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 7, "{rows:?}");
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
            let [_, lines, _, example] = cells[..] else { panic!("{row} has other cells than the head") };
            // A link to a file, or the path of one that is not packaged and shown below.
            let name = || example.split('`').nth(1).unwrap();
            let target = links::targets(example).find(|target| !target.starts_with('#')).unwrap_or_else(name);
            let file = target.strip_prefix(links::SOURCE).unwrap_or(target);
            let code = squeezed(&fs::read_to_string(file).unwrap());
            let lines: Vec<&str> = lines.split('`').skip(1).step_by(2).collect();
            assert!((1..=5).contains(&lines.len()), "{row}");
            for line in lines {
                assert!(code.contains(&squeezed(&line.replace("\\|", "|"))), "{line} is not in {file}");
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 14);
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

/// A search for a name finds one type.
#[test]
fn no_two_types_have_the_same_name() {
    let mut seen = BTreeSet::new();
    for file in product() {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let item = line.strip_prefix("pub").map_or(line, |rest| rest.split_once(' ').unwrap().1);
            let kind = ["struct ", "enum ", "trait ", "type "].iter().find(|kind| item.starts_with(**kind));
            if let Some(name) = kind.and_then(|kind| names_after(item, kind).next()) {
                assert!(seen.insert(name.clone()), "{} has a second {name}", file.display());
            }
        }
    }
    assert!(seen.len() > 100, "{seen:?}");
}

/// A path in backquotes, from the root of the repository or from `src`, leads to a file or folder.
#[test]
fn every_path_that_the_architecture_names_exists() {
    let text = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let (_, prose) = text.split_once("\n| folder | contents |").unwrap();
    let is_path = |name: &&str| name.contains('/') && !name.contains([' ', ':']);
    let paths: Vec<_> = prose.split('`').skip(1).step_by(2).filter(is_path).collect();
    assert!(paths.len() > 30, "{paths:?}");
    // A name in the table of folders stands in the folder of its row.
    let is_there = |path: &str| Path::new(path).exists() || Path::new("src").join(path).exists();
    let folders = ["reporter", "middleware", "provider"];
    let missing =
        |path: &&&str| !is_there(path) && !folders.iter().any(|folder| is_there(&format!("{folder}/{path}")));
    let missing: Vec<_> = paths.iter().filter(missing).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// A copy without it has events that arrive late.
#[test]
fn the_gateway_and_every_page_that_shows_a_server_serve_without_delaying_small_writes() {
    for file in
        ["README.md", "src/lib.rs", "docs/QUICK_START.md", "examples/inbound.rs", "examples/gateway/main.rs"]
    {
        let text = fs::read_to_string(file).unwrap();
        assert_eq!(text.matches("axum::serve(").count(), 1, "{file}");
        assert_eq!(text.matches(".tap_io(|stream| drop(stream.set_nodelay(true)))").count(), 1, "{file}");
    }
}

fn markdown(folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().to_str().unwrap().to_owned();
        match Path::new(&path).is_dir() {
            true => files.extend(markdown(&path)),
            false if path.ends_with(".md") => files.push(path),
            false => {}
        }
    }
    files
}

#[test]
fn every_document_is_a_chapter_and_the_list_has_every_chapter() {
    let chapters = links::chapters();
    let files: BTreeSet<_> = chapters.iter().map(|(_, file)| file.clone()).collect();
    let list = "docs/README.md".to_owned();
    let documents: BTreeSet<_> = markdown("docs").into_iter().filter(|file| *file != list).collect();
    assert_eq!(files, documents);
    for (name, file) in &chapters {
        let expected = match name.rsplit_once('/') {
            Some((folder, page)) => format!("docs/{folder}/{page}.md"),
            None => format!("docs/{}.md", name.to_uppercase()),
        };
        assert!(*file == expected || *file == format!("docs/{name}/README.md"), "{name} is {file}");
    }
    let text = fs::read_to_string(list).unwrap();
    let listed: Vec<_> = links::targets(&text).filter_map(links::chapter).collect();
    let own = chapters.iter().map(|(name, _)| name.as_str()).filter(|name| !name.contains('/'));
    let mut own: Vec<_> = own.flat_map(|name| [name, name]).collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    own.sort_unstable();
    assert_eq!(sorted, own);
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    let mut check = |file: &str, target: &str| {
        checked += 1;
        wrong.extend(links::problem(file, target).map(|problem| format!("{file}: {target} {problem}")));
    };
    for file in markdown("docs") {
        links::targets(&fs::read_to_string(&file).unwrap()).for_each(|target| check(&file, target));
    }
    let code = sources("src").into_iter().chain(sources("nats/src"));
    let pages = ["README.md", "nats/README.md", "collector/README.md"].map(PathBuf::from);
    for file in code.chain(pages) {
        let text = fs::read_to_string(&file).unwrap();
        let ours = links::targets(&text).filter(|target| target.starts_with("https://docs.rs/"));
        ours.for_each(|target| check(file.to_str().unwrap(), target));
    }
    assert!(checked > 200, "{checked}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_relative_link_of_a_page_leads_to_a_file() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for folder in [".", "collector", "examples", "examples/gateway", "nats"] {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        for page in files.filter(|file| file.extension().is_some_and(|end| end == "md")) {
            let text = fs::read_to_string(&page).unwrap();
            let relative = links::inline(&text).filter(|target| !target.contains("://"));
            for target in relative.map(|target| target.split('#').next().unwrap()) {
                checked += 1;
                if !page.with_file_name("").join(target).exists() {
                    wrong.push(format!("{}: {target}", page.display()));
                }
            }
        }
    }
    assert!(checked > 40, "{checked}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let root = "https://docs.rs/tower-reconify/latest/tower_reconify";
    for good in [
        "index.html",
        "guide/index.html",
        "guide/spool/index.html#use-it",
        "guide/providers/ollama/index.html",
        "struct.Stats.html#structfield.hook_panics",
        "struct.Reporter.html#method.flush",
        "enum.Outcome.html#variant.Refused",
        "fn.identify.html",
        "testing/fn.recording.html",
    ] {
        assert_eq!(links::problem("docs/SPOOL.md", &format!("{root}/{good}")), None, "{good}");
    }
    for bad in [
        "guide/spools/index.html",
        "guide/spool/index.html#use",
        "guide/ollama/index.html",
        "struct.Statistics.html",
        "struct.Identify2.html",
        "enum.Stats.html",
        "struct.Stats.html#method.flushed",
        "struct.Stats.html#structfield.hook",
        "enum.Outcome.html#variant.Refuse",
        "testing/fn.record.html",
        "tests/fn.recording.html",
        "struct.Worker.html",
    ] {
        assert!(links::problem("docs/SPOOL.md", &format!("{root}/{bad}")).is_some(), "{bad}");
    }
    for bad in [
        "TESTING.md",
        "../README.md",
        "#nothing",
        "https://docs.rs/tower-reconify/latest/",
        "https://docs.rs/crate/tower-reconify/latest/source/examples/nothing.rs",
        "https://docs.rs/crate/tower-reconify/latest/source/collector/README.md",
    ] {
        assert!(links::problem("docs/SPOOL.md", bad).is_some(), "{bad}");
    }
    assert_eq!(links::problem("docs/SPOOL.md", "#use-it"), None);
    assert_eq!(links::problem("docs/SPOOL.md", "https://docs.rs/tower-reconify"), None);
}

/// The names in a text that begin in some way, up to the first other letter.
fn names_with<'a>(text: &'a str, start: &'a str) -> BTreeSet<String> {
    names_after(text, start).map(|rest| format!("{start}{rest}")).collect()
}

/// Every variable and every setter has a row in the chapter, and every row a variable or a setter.
#[test]
fn the_chapter_of_settings_has_every_variable_and_every_setter_and_no_other() {
    let chapter = fs::read_to_string("docs/SETTINGS.md").unwrap();
    let rows = chapter.lines().filter(|line| line.starts_with("| ")).skip(2);
    let cells: Vec<(&str, &str)> = rows
        .map(|row| {
            let mut cells = row.split(" | ");
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    let variables: BTreeSet<_> = cells.iter().flat_map(|(cell, _)| names_with(cell, "RECONIFY_")).collect();
    let source = fs::read_to_string("src/config/env.rs").unwrap();
    let (_, read) = source.split_once("const VARIABLES").unwrap();
    let (read, _) = read.split_once("];").unwrap();
    assert_eq!(variables, names_with(read, "RECONIFY_"));

    let setters = cells.iter().flat_map(|(_, cell)| cell.split('`').skip(1).step_by(2));
    let setters: BTreeSet<_> = setters.map(str::to_owned).collect();
    let builder = fs::read_to_string("src/config/builder.rs").unwrap();
    let spool = fs::read_to_string("src/config/spool.rs").unwrap();
    let methods = |text: &str| names_after(text, "    pub fn ").collect::<Vec<_>>();
    let mut expected: BTreeSet<_> = methods(&builder).into_iter().filter(|name| name != "builder").collect();
    let spools = methods(&spool).into_iter().filter(|name| name.starts_with("with_"));
    expected.extend(spools.map(|name| format!("Spool::{name}")));
    expected.insert("Config::builder(app, api)".to_owned());
    assert_eq!(setters, expected);
}

#[test]
fn every_metric_in_the_documentation_exists() {
    let stats = ReconifyLayer::new(Config::disabled()).reporter().stats();
    let metrics: BTreeSet<_> = stats.metrics().map(|metric| metric.name.to_owned()).collect();
    let text = markdown("docs").iter().map(|file| fs::read_to_string(file).unwrap()).collect::<String>();
    let crates = ["reconify_nats", "reconify_collector"];
    let named: BTreeSet<_> = names_with(&text.replace("tower_reconify", ""), "reconify_")
        .into_iter()
        .filter(|name| !crates.contains(&name.as_str()))
        .collect();
    assert!(named.len() >= 6, "{named:?}");
    assert!(named.is_subset(&metrics), "{:?}", named.difference(&metrics));
}
