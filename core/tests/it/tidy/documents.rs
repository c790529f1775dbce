//! What documents say of the code is so: each path that they name exists, and each test.

use std::collections::BTreeSet;
use std::fs;

use super::{files_of, root};

/// Documents whose paths and test names are checked.
const DOCUMENTS: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "core/README.md",
    "core/DECISIONS.md",
    "sync/ADMISSION.md",
    "deploy/LOGGING.md",
    "deploy/OPERATING.md",
];
/// The repository's folders: what begins with one of them is a path.
const FOLDERS: [&str; 7] = [
    "protocol/",
    "sync/",
    "core/",
    "edge-node/",
    "scanner-app/",
    "firmware-config/",
    "deploy/",
];

/// The words of a document that stand in backticks, blocks of commands left out.
fn quoted(text: &str) -> Vec<String> {
    let prose: Vec<_> = text.split("```").step_by(2).collect();
    prose
        .iter()
        .flat_map(|part| part.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

/// Alternatives in braces, written out: `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`.
fn written_out(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else {
        return vec![path.to_owned()];
    };
    let Some((inner, after)) = rest.split_once('}') else {
        return vec![path.to_owned()];
    };
    let each = inner.split(',');
    each.flat_map(|one| written_out(&format!("{before}{}{after}", one.trim())))
        .collect()
}

#[test]
fn each_path_exists() {
    let mut seen = 0;
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).expect(document);
        let paths = quoted(&text)
            .into_iter()
            .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
            // `<context>` and `*` stand for names.
            .filter(|word| !word.contains(['<', '*', ' ', '…']));
        for path in paths.flat_map(|path| written_out(&path)) {
            let bare = path.split([':', '#']).next().unwrap_or_default();
            assert!(root().join(bare).exists(), "{document} names {path}");
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} paths");
}

#[test]
fn each_test_exists() {
    let folders = [
        "core",
        "sync",
        "protocol",
        "edge-node",
        "scanner-app/controller",
        "deploy",
    ];
    let files = folders
        .iter()
        .flat_map(|folder| files_of(&root().join(folder), "rs"));
    let mut functions = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a readable file");
        let names = text.split("fn ").skip(1).filter_map(|rest| {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            (!name.is_empty()).then_some(name)
        });
        functions.extend(names);
    }
    let mut seen = 0;
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).expect(document);
        for word in quoted(&text) {
            // Names of tests are sentences.
            let is_test = word.matches('_').count() >= 4
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if is_test {
                assert!(functions.contains(&word), "{document} names {word}");
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "only {seen} tests");
}

/// `sync/ADMISSION.md` names each place as a file and, after it, functions in it.
#[test]
fn each_rule_names_functions_of_its_files() {
    let text = fs::read_to_string(root().join("sync/ADMISSION.md")).expect("the rules");
    let places = text.split("\n- ").filter_map(|part| {
        let part = part.strip_prefix("place: ")?;
        part.split("\n\n").next()
    });
    let mut seen = 0;
    for place in places {
        let mut file = String::new();
        for word in quoted(place) {
            if word.contains('/') {
                file = fs::read_to_string(root().join(&word)).unwrap_or_default();
            } else {
                let is_there =
                    file.contains(&format!("fn {word}(")) || file.contains(&format!("fn {word}<"));
                assert!(is_there, "{word} is not in the file before it: {place}");
                seen += 1;
            }
        }
    }
    assert!(seen > 60, "only {seen} functions");
}
