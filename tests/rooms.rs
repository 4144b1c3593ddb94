//! The rooms of the crate: no file of `src/` leads back to itself through what it imports, and none is too long to be read.

#![cfg(not(target_arch = "wasm32"))]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files by their module path (`stream::clock`; the root is empty), with their text.
fn files() -> BTreeMap<Vec<String>, String> {
    let mut found = BTreeMap::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.insert(module(&path, &src), std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn module(path: &Path, src: &Path) -> Vec<String> {
    let inner: PathBuf = path.strip_prefix(src).unwrap().with_extension("");
    let mut parts: Vec<String> = inner
        .components()
        .map(|part| part.as_os_str().to_str().unwrap().to_owned())
        .collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

/// The text without comments, and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every path that a text spells from `crate`, `self` or `super`, and every `use` of a module below it, braces written out.
fn paths(code: &str, own: &[String], is_module: impl Fn(&[String]) -> bool) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = code.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let starts = at == 0 || !(letter(bytes[at - 1]) || bytes[at - 1] == b':' || bytes[at - 1] == b'$');
        if !(starts && letter(bytes[at])) {
            at += 1;
            continue;
        }
        let end = (at..bytes.len())
            .find(|end| !letter(bytes[*end]))
            .unwrap_or(bytes.len());
        let word = &code[at..end];
        let mut below = own.to_vec();
        below.push(word.to_owned());
        if code[end..].starts_with("::") {
            let mut base = own.to_vec();
            let known = match word {
                "crate" => {
                    base.clear();
                    true
                }
                "self" => true,
                "super" => base.pop().is_some(),
                _ => {
                    base = below;
                    is_module(&base)
                }
            };
            if known {
                tree(&code[end + 2..], &mut base, &mut found);
            }
        }
        at = end;
    }
    found
}

/// Follows one tree of a path, such as `json::{Reader, text::Str}`; gives what is left of the text.
fn tree<'a>(mut rest: &'a str, base: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let depth = base.len();
    loop {
        rest = rest.trim_start();
        if let Some(mut inner) = rest.strip_prefix('{') {
            loop {
                inner = tree(inner, base, found).trim_start();
                inner = inner.strip_prefix(',').unwrap_or(inner).trim_start();
                if inner.is_empty() || inner.starts_with('}') {
                    break;
                }
            }
            base.truncate(depth);
            return inner.get(1..).unwrap_or_default();
        }
        let end = rest
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        match word {
            "" => return rest.get(1..).unwrap_or_default(),
            "super" => drop(base.pop()),
            "self" => {}
            _ => base.push(word.to_owned()),
        }
        match after.strip_prefix("::") {
            Some(next) => rest = next,
            None => {
                found.push(base.clone());
                base.truncate(depth);
                let renamed = after.trim_start().strip_prefix("as ");
                return renamed.map_or(after, |name| {
                    name.trim_start_matches(|letter: char| letter != ',' && letter != '}')
                });
            }
        }
    }
}

fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let files = files();
    let mut edges = BTreeMap::new();
    for (own, text) in &files {
        let mut to = BTreeSet::new();
        for path in paths(&code(text), own, |path| files.contains_key(path)) {
            // An item belongs to the file of the deepest module on its path.
            let file = (0..=path.len()).rev().find_map(|length| {
                let module = path.get(..length)?;
                files.contains_key(module).then_some(module)
            });
            if let Some(file) = file.filter(|file| file != own) {
                to.insert(file.join("::"));
            }
        }
        edges.insert(own.join("::"), to);
    }
    edges
}

/// Takes away, as long as there are any, the files that import nothing of what is left. Those that stay go in circles.
fn circles(mut edges: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let left: BTreeSet<String> = edges.keys().cloned().collect();
        let before = edges.len();
        edges.retain(|_, to| to.iter().any(|file| left.contains(file)));
        // And those that nothing left imports.
        let wanted: BTreeSet<String> = edges.values().flatten().cloned().collect();
        edges.retain(|file, _| wanted.contains(file));
        if edges.len() == before {
            break;
        }
    }
    let left: BTreeSet<String> = edges.keys().cloned().collect();
    for to in edges.values_mut() {
        to.retain(|file| left.contains(file));
    }
    edges
}

#[test]
fn the_scan_sees_paths_however_they_are_written() {
    let code = "use crate::a::{B, c::{self, D}};\nuse super::e as f;\nfn g() { crate::h::i(); below::j() }\n";
    let own = vec!["x".to_owned(), "y".to_owned()];
    let found: Vec<String> = paths(code, &own, |path| path.ends_with(&["below".to_owned()]))
        .iter()
        .map(|path| path.join("::"))
        .collect();
    assert_eq!(found, ["a::B", "a::c", "a::c::D", "x::e", "h::i", "x::y::below::j"]);
    let circle = |pairs: &[(&str, &str)]| {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            edges.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            edges.entry((*to).to_owned()).or_default();
        }
        circles(edges).into_keys().collect::<Vec<_>>()
    };
    assert_eq!(circle(&[("a", "b"), ("b", "c"), ("a", "c")]), Vec::<String>::new());
    assert_eq!(circle(&[("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")]), ["b", "c"]);
}

#[test]
fn no_file_imports_itself_by_way_of_others() {
    let circles = circles(imports());
    assert!(circles.is_empty(), "these files go in circles: {circles:#?}");
}

/// The rooms, from the ground up; a file that is in none of them lies on the ground.
const FLOORS: [&[&str]; 4] = [&["provider"], &["stream", "policy"], &["client"], &["bindings"]];

#[test]
fn no_file_imports_from_a_floor_above_its_own() {
    let floor = |file: &str| {
        let room = file.split("::").next().unwrap_or_default();
        FLOORS
            .iter()
            .position(|rooms| rooms.contains(&room))
            .map_or(0, |at| at + 1)
    };
    for (file, to) in imports().iter().filter(|(file, _)| !file.is_empty()) {
        for other in to {
            assert!(
                floor(other) <= floor(file),
                "{file} imports {other}, which lies above it: docs/architecture.md has the floors"
            );
        }
    }
}

#[test]
fn a_file_of_more_than_600_lines_says_why() {
    for (module, text) in files() {
        let opening: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(
            text.lines().count() <= 600 || opening.contains("Long because "),
            "{} has {} lines, and its first comment does not say why",
            module.join("::"),
            text.lines().count()
        );
    }
}
