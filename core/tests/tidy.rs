//! The rules of the house that a compiler doesn't hold: file names are the layers, few say the
//! names of the great libraries, no file grows too long.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use eventify_core::context;

const MAX_LINES: usize = 500;
const LAYERS: [&str; 7] = [
    "mod",
    "model",
    "events",
    "api",
    "store",
    "routes",
    "consumers",
];
/// Folders of `core/src` that are kernel, not context.
const KERNEL: [&str; 7] = ["auth", "bus", "config", "db", "http", "keys", "psp"];
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

fn core_src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
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
    fs::read_dir(core_src())
        .expect("a path in core/src")
        .flatten()
        .filter(|entry| entry.path().join("mod.rs").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !KERNEL.contains(&name.as_str()))
        .collect()
}

/// The layer of a file in a context: its name, or that of its folder (`store/holds.rs`).
fn layer(context: &str, file: &Path) -> String {
    let inside = file
        .strip_prefix(core_src().join(context))
        .expect("a path in core/src");
    let first = inside
        .components()
        .next()
        .expect("a path in core/src")
        .as_os_str()
        .to_str()
        .expect("a path in core/src");
    first.trim_end_matches(".rs").to_owned()
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
    let registered: BTreeSet<_> = context::all()
        .iter()
        .map(|context| context.name.to_owned())
        .collect();
    assert_eq!(folders_of_contexts(), registered);
}

#[test]
fn file_names_are_the_layers() {
    for context in folders_of_contexts() {
        for file in rust_files(&core_src().join(&context)) {
            let layer = layer(&context, &file);
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
    for file in rust_files(&core_src()) {
        let text = code(&file);
        let path = file
            .strip_prefix(core_src())
            .expect("a path in core/src")
            .to_owned();
        let top = path
            .components()
            .next()
            .expect("a path in core/src")
            .as_os_str()
            .to_str()
            .expect("a path in core/src")
            .to_owned();
        let in_context = folders_of_contexts().contains(&top);
        let layer = if in_context {
            layer(&top, &file)
        } else {
            top.clone()
        };
        for (library, allowed) in [
            ("sqlx", layer == "store" || top == "db"),
            ("axum", layer == "routes" || top == "http"),
            ("lapin", top == "bus"),
        ] {
            let says = text.contains(&format!("{library}::"));
            assert!(!says || allowed, "{} says {library}", path.display());
        }
        if in_context && layer == "model" {
            // An error enum may carry the store's error through.
            let text = text.replace("crate::db::DbError", "");
            for word in [
                "async fn",
                "crate::db",
                "crate::bus",
                "crate::http",
                "tokio::",
            ] {
                assert!(
                    !text.contains(word),
                    "{} is pure, but says {word}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn queries_name_tables_without_a_schema() {
    let schemas: Vec<_> = context::all()
        .iter()
        .map(|context| format!("{}.", context.name))
        .collect();
    for context in folders_of_contexts() {
        let files = rust_files(&core_src().join(&context));
        for file in files.iter().filter(|file| layer(&context, file) == "store") {
            let text = code(file).to_lowercase().replace('"', "");
            let words: Vec<_> = text.split_whitespace().collect();
            for pair in words.windows(2) {
                let names_table = ["from", "join", "into", "update", "table"].contains(&pair[0]);
                let named = pair[1].trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
                let foreign = schemas.iter().any(|schema| named.starts_with(schema));
                assert!(
                    !names_table || !foreign,
                    "{}: {} {}",
                    file.display(),
                    pair[0],
                    pair[1]
                );
            }
        }
    }
}

#[test]
fn contexts_meet_through_events_and_api() {
    for context in folders_of_contexts() {
        for file in rust_files(&core_src().join(&context)) {
            let text = code(&file);
            for other in folders_of_contexts()
                .iter()
                .filter(|other| **other != context)
            {
                for inside in ["model", "store", "routes", "consumers"] {
                    let path = format!("crate::{other}::{inside}");
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

/// A field that nobody reads is a client's mistake, and is told so.
#[test]
fn what_clients_send_denies_unknown_fields() {
    let core = rust_files(&core_src()).into_iter().filter(|file| {
        let path = file.strip_prefix(core_src()).expect("a path in core/src");
        let top = path.iter().next().and_then(|name| name.to_str());
        let context = top.filter(|top| folders_of_contexts().contains(*top));
        context.map_or(top == Some("http"), |context| {
            ["routes", "model"].contains(&layer(context, file).as_str())
        })
    });
    // The broker is no client: RabbitMQ asks as its version asks.
    let broker = core_src().join("fleet/model/broker.rs");
    let mut seen = 0;
    for file in core.filter(|file| *file != broker) {
        for declared in declarations(&code(&file)) {
            assert!(is_strict(&declared), "{}: {declared}", file.display());
            seen += 1;
        }
    }
    let protocol = root().join("protocol/src");
    let mut of_nodes = files_of(&protocol.join("lan"), "rs");
    of_nodes.push(protocol.join("enrolment.rs"));
    for file in of_nodes {
        for declared in declarations(&code(&file)) {
            let is_request = declared.trim_end().ends_with("Request");
            assert!(!is_request || is_strict(&declared), "{declared}");
            seen += usize::from(is_request);
        }
    }
    assert!(seen > 30, "only {seen} types");
}

/// What stands between a derive of `Deserialize` and the type's body.
fn declarations(code: &str) -> Vec<String> {
    code.split("#[derive(")
        .skip(1)
        .filter(|rest| {
            let derives = rest.split(')').next().unwrap_or_default();
            derives.contains("Deserialize")
        })
        .map(|rest| rest.split(['{', ';']).next().unwrap_or_default().to_owned())
        .collect()
}

/// Fields that don't exist are refused; an enum of words has none.
fn is_strict(declared: &str) -> bool {
    declared.contains("deny_unknown_fields") || declared.contains("enum ")
}

#[test]
fn migrations_in_the_folder_are_listed() {
    for context in context::all() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(context.name);
        let files: BTreeSet<_> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| stem(&entry.path()).to_owned())
            .collect();
        let listed: BTreeSet<_> = context
            .migrations
            .iter()
            .map(|migration| migration.name.to_owned())
            .collect();
        assert_eq!(files, listed, "{}", context.name);
    }
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
