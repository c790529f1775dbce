//! The rules of the house that a compiler doesn't hold: file names are the layers, few say the
//! names of the great libraries, no file grows too long.

mod alarms;
mod database;
mod documents;
mod logging;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::world::{made, product};

const MAX_LINES: usize = 500;
const LAYERS: [&str; 9] = [
    "mod",
    "model",
    "acts",
    "api",
    "store",
    "gateway",
    "routes",
    "consumers",
    "jobs",
];
/// Folders of the repository that hold Rust.
const CRATES: [&str; 7] = [
    "protocol",
    "sync",
    "core",
    "edge-node",
    "deploy",
    "scanner-app",
    "firmware-config",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn contexts_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contexts")
}

fn kernel_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kernel/src")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    files_of(folder, "rs")
}

fn files_of(folder: &Path, wanted: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != "node_modules" {
            files.extend(files_of(&path, wanted));
        } else if path
            .extension()
            .is_some_and(|extension| extension == wanted)
        {
            files.push(path);
        }
    }
    files
}

fn stem(path: &Path) -> &str {
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default()
}

fn folders_of_contexts() -> BTreeSet<String> {
    fs::read_dir(contexts_folder())
        .expect("a readable folder")
        .flatten()
        .filter(|entry| entry.path().join("mod.rs").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// The files of a context, each with its layer: its name, or that of its folder (`store/holds.rs`).
fn layered_files(context: &str) -> Vec<(String, PathBuf)> {
    let folder = contexts_folder().join(context);
    let files = rust_files(&folder).into_iter();
    files
        .map(|file| {
            let inside = file.strip_prefix(&folder).expect("a path in its folder");
            let first = inside.iter().next().and_then(|name| name.to_str());
            let layer = first.expect("a name").trim_end_matches(".rs").to_owned();
            (layer, file)
        })
        .collect()
}

/// The folder or file of the kernel that a file belongs to: `db`, `clock`.
fn kernel_files() -> Vec<(String, PathBuf)> {
    let files = rust_files(&kernel_folder()).into_iter();
    files
        .map(|file| {
            let inside = file.strip_prefix(kernel_folder()).expect("a path in it");
            let first = inside.iter().next().and_then(|name| name.to_str());
            let part = first.expect("a name").trim_end_matches(".rs").to_owned();
            (part, file)
        })
        .collect()
}

/// Lines of code: comments and what follows `#[cfg(test)]` don't count.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a readable file");
    let shipped = text
        .split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .to_owned();
    shipped
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn every_context_folder_is_registered() {
    let registered: BTreeSet<_> = made(product)
        .iter()
        .map(|context| context.name.to_owned())
        .collect();
    assert_eq!(folders_of_contexts(), registered);
}

#[test]
fn file_names_are_the_layers() {
    for context in folders_of_contexts() {
        for (layer, file) in layered_files(&context) {
            assert!(
                LAYERS.contains(&layer.as_str()),
                "{}: no such layer",
                file.display()
            );
        }
    }
}

#[test]
fn only_their_layer_says_sqlx_axum_or_lapin() {
    let kernel = kernel_files()
        .into_iter()
        .map(|(part, file)| (part, file, ["db", "http", "bus"]));
    let contexts = folders_of_contexts();
    let contexts = contexts
        .iter()
        .flat_map(|context| layered_files(context))
        .map(|(layer, file)| (layer, file, ["store", "routes", "nowhere"]));
    for (part, file, allowed) in kernel.chain(contexts) {
        let text = code(&file);
        for (library, at) in ["sqlx", "axum", "lapin"].iter().zip(allowed) {
            let says = text.contains(&format!("{library}::"));
            assert!(!says || part == at, "{} says {library}", file.display());
        }
    }
}

#[test]
fn models_are_pure() {
    for context in folders_of_contexts() {
        for (_, file) in layered_files(&context)
            .into_iter()
            .filter(|(layer, _)| layer == "model")
        {
            // An error enum may carry the store's error through.
            let text = code(&file).replace("eventify_kernel::db::DbError", "");
            // A time of bounded years is a value.
            let text = text.replace("eventify_kernel::http::GivenTime", "");
            let forbidden = ["app", "bus", "db", "http", "jobs", "keys", "tasks"];
            let forbidden = forbidden.map(|part| format!("eventify_kernel::{part}"));
            let forbidden = forbidden.iter().map(String::as_str);
            for word in forbidden.chain(["async fn", "tokio::"]) {
                assert!(
                    !text.contains(word),
                    "{} is pure, but says {word}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn contexts_meet_through_contracts_and_api() {
    for context in folders_of_contexts() {
        for (_, file) in layered_files(&context) {
            let text = code(&file);
            for other in folders_of_contexts()
                .iter()
                .filter(|other| **other != context)
            {
                for inside in LAYERS.iter().filter(|layer| **layer != "api") {
                    let path = format!("crate::contexts::{other}::{inside}");
                    assert!(
                        !text.contains(&path),
                        "{} reaches into {path}",
                        file.display()
                    );
                }
            }
        }
    }
}

/// Which contexts a context calls. What they are told by events is no dependency: it stands in the
/// contracts.
#[test]
fn the_graph_of_contexts_has_no_circle() {
    let contexts = folders_of_contexts();
    let mut left: BTreeMap<&str, BTreeSet<&str>> = contexts
        .iter()
        .map(|context| (context.as_str(), callees(context, &contexts)))
        .collect();
    let drawn = format!("{left:#?}");
    assert!(left.values().any(|callees| !callees.is_empty()), "{drawn}");
    while !left.is_empty() {
        let leaves: BTreeSet<&str> = left
            .iter()
            .filter(|(_, callees)| callees.is_empty())
            .map(|(context, _)| *context)
            .collect();
        assert!(!leaves.is_empty(), "a circle in {drawn}");
        left.retain(|context, _| !leaves.contains(context));
        for callees in left.values_mut() {
            callees.retain(|callee| !leaves.contains(callee));
        }
    }
}

fn callees<'a>(context: &str, contexts: &'a BTreeSet<String>) -> BTreeSet<&'a str> {
    let text: String = layered_files(context)
        .iter()
        .map(|(_, file)| code(file))
        .collect();
    let others = contexts.iter().filter(|other| *other != context);
    others
        .filter(|other| text.contains(&format!("contexts::{other}")))
        .map(String::as_str)
        .collect()
}

/// The compiler holds the order of the floors; this holds what each may say.
#[test]
fn the_kernel_names_no_context() {
    let contexts = folders_of_contexts();
    for (_, file) in kernel_files() {
        let text = code(&file);
        for context in &contexts {
            for word in [
                format!("\"{context}\""),
                format!("crate::{context}"),
                format!("eventify_contracts::{context}"),
            ] {
                assert!(!text.contains(&word), "{} says {word}", file.display());
            }
        }
    }
}

#[test]
fn no_file_is_too_long() {
    let too_long: Vec<_> = CRATES
        .iter()
        .flat_map(|folder| rust_files(&root().join(folder)))
        .filter_map(|file| {
            let lines = fs::read_to_string(&file).ok()?.lines().count();
            (lines > MAX_LINES).then(|| format!("{}: {lines} lines", file.display()))
        })
        .collect();
    assert!(
        too_long.is_empty(),
        "longer than {MAX_LINES} lines: {too_long:#?}"
    );
}

/// Comments that refer to a decision find it in `core/DECISIONS.md`.
#[test]
fn decisions_that_comments_refer_to_are_written_down() {
    let text = fs::read_to_string(root().join("core/DECISIONS.md")).expect("the decisions");
    let written: BTreeSet<u32> = text
        .lines()
        .filter_map(|line| line.split_once(". ")?.0.parse().ok())
        .collect();
    assert_eq!(written.first(), Some(&1));
    assert_eq!(written.len(), *written.last().expect("some") as usize);
    let mut files: Vec<_> = CRATES
        .iter()
        .flat_map(|folder| files_of(&root().join(folder), "rs"))
        .collect();
    files.extend(files_of(&root().join("core/migrations"), "sql"));
    let mut referred = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("a readable file");
        for number in text.split("DECISIONS ").skip(1).flat_map(numbers_at_start) {
            assert!(written.contains(&number), "{}: {number}", file.display());
            referred += 1;
        }
    }
    assert!(referred > 20, "only {referred} references");
}

/// Of `10, 26–28). No card …` 10, 26 and 28.
fn numbers_at_start(text: &str) -> Vec<u32> {
    let listed = |c: char| c.is_ascii_digit() || [',', ' ', '–'].contains(&c);
    let list: String = text.chars().take_while(|c| listed(*c)).collect();
    list.split([',', ' ', '–'])
        .filter_map(|number| number.parse().ok())
        .collect()
}
