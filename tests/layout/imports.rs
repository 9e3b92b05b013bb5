//! Which file of the sources imports which, as far as it is not a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// Names from the crate's root on.
type Names = Vec<String>;

/// The files of the crate, and what each imports.
#[derive(Default)]
pub(crate) struct Imports {
    files: BTreeMap<Names, PathBuf>,
    /// What a file imports, as paths from the crate's root.
    paths: BTreeMap<PathBuf, BTreeSet<Names>>,
    /// What a module offers under another path than the one where it is defined.
    reexports: BTreeMap<(Names, String), Names>,
}

impl Imports {
    /// Parses the sources, without tests.
    pub(crate) fn of(files: &[PathBuf]) -> Self {
        let mut imports = Self::default();
        for file in files {
            let text = fs::read_to_string(file).unwrap();
            imports.add(file, &text);
        }
        imports
    }

    pub(crate) fn add(&mut self, file: &Path, text: &str) {
        let module = module_of(file);
        self.files.insert(module.clone(), file.to_owned());
        self.paths.insert(file.to_owned(), BTreeSet::new());
        let mut reader = Reader { imports: self, file: file.to_owned(), module };
        reader.visit_file(&syn::parse_file(text).unwrap());
    }

    /// The first names of what a file imports: its stages.
    pub(crate) fn stages(&self, file: &Path) -> BTreeSet<&str> {
        self.paths[file].iter().map(|path| path[0].as_str()).collect()
    }

    /// The files that define what a file imports. A re-export leads on to the definition.
    pub(crate) fn definers(&self, file: &Path) -> BTreeSet<&Path> {
        let defined = self.paths[file].iter().filter_map(|path| self.definer(path, 0));
        defined.filter(|definer| *definer != file).collect()
    }

    fn definer(&self, path: &[String], depth: usize) -> Option<&Path> {
        assert!(depth < 10, "{path:?} is re-exported in a circle");
        let known = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(known);
        if let Some((name, rest)) = rest.split_first()
            && let Some(target) = self.reexports.get(&(module.to_vec(), name.clone()))
        {
            return self.definer(&[target.as_slice(), rest].concat(), depth + 1);
        }
        Some(&self.files[module])
    }

    /// A circle of files, if there is one: each imports the next, and the last one the first.
    pub(crate) fn cycle(&self) -> Option<Vec<&Path>> {
        let (mut done, mut way) = (BTreeSet::new(), Vec::new());
        self.paths.keys().find_map(|file| self.cycle_from(file, &mut done, &mut way))
    }

    fn cycle_from<'a>(
        &'a self,
        file: &'a Path,
        done: &mut BTreeSet<&'a Path>,
        way: &mut Vec<&'a Path>,
    ) -> Option<Vec<&'a Path>> {
        if let Some(start) = way.iter().position(|before| *before == file) {
            return Some(way[start..].to_vec());
        }
        if !done.insert(file) {
            return None;
        }
        way.push(file);
        let found = self.definers(file).into_iter().find_map(|next| self.cycle_from(next, done, way));
        way.pop();
        found
    }
}

fn module_of(file: &Path) -> Names {
    let inside = file.strip_prefix("src").unwrap().with_extension("");
    let mut names: Names = inside.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib")) {
        names.pop();
    }
    names
}

/// Notes what a file imports and re-exports.
struct Reader<'a> {
    imports: &'a mut Imports,
    file: PathBuf,
    module: Names,
}

impl Reader<'_> {
    /// A path from the crate's root on; `None` for one that leads to another crate or stays in the file.
    fn absolute(&self, path: &[String]) -> Option<Names> {
        let (first, mut rest) = path.split_first()?;
        let mut names = match first.as_str() {
            "crate" => Names::new(),
            "self" => self.module.clone(),
            "super" => self.module[..self.module.len() - 1].to_vec(),
            _ => return None,
        };
        while rest.first().is_some_and(|name| name == "super") {
            names.pop();
            rest = &rest[1..];
        }
        names.extend(rest.iter().filter(|name| *name != "self" && *name != "*").cloned());
        Some(names).filter(|names| !names.is_empty())
    }

    fn import(&mut self, path: &[String]) {
        if let Some(path) = self.absolute(path) {
            self.imports.paths.entry(self.file.clone()).or_default().insert(path);
        }
    }

    fn use_tree(&mut self, before: &[String], tree: &UseTree, is_public: bool) {
        let (path, name) = match tree {
            UseTree::Path(path) => {
                let before = [before, &[path.ident.to_string()]].concat();
                return self.use_tree(&before, &path.tree, is_public);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.use_tree(before, tree, is_public));
            }
            UseTree::Name(name) => (name.ident.to_string(), name.ident.to_string()),
            UseTree::Rename(rename) => (rename.ident.to_string(), rename.rename.to_string()),
            UseTree::Glob(_) => ("*".to_owned(), "*".to_owned()),
        };
        let path = [before, &[path]].concat();
        match self.absolute(&path).filter(|_| is_public) {
            Some(target) => {
                self.imports.reexports.insert((self.module.clone(), name), target);
            }
            None => self.import(&path),
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !attributes(item).iter().any(is_of_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&[], &item.tree, !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1 {
            self.import(&names);
        }
        visit::visit_path(self, path);
    }
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an item is compiled only for tests, or for the documentation.
pub(crate) fn is_of_tests(attribute: &Attribute) -> bool {
    let Ok(list) = attribute.meta.require_list() else { return false };
    let condition = list.tokens.to_string();
    attribute.path().is_ident("cfg") && (condition.starts_with("test") || condition == "doc")
}
