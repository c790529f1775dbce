//! Each alarm has a row in `deploy/OPERATING.md`, for the people who read it at night, and each row is an
//! alarm.

use std::collections::BTreeSet;
use std::fs;

use super::{code, contexts_folder, root, rust_files};

const PAGE: &str = "deploy/OPERATING.md";

/// The texts between double quotes, but not those of log codes.
fn literals(text: &str) -> Vec<String> {
    let parts: Vec<_> = text.split('"').collect();
    let quoted = parts.windows(2).step_by(2);
    quoted
        .filter(|pair| !pair[0].trim_end().ends_with("code ="))
        .map(|pair| pair[1].to_owned())
        .collect()
}

/// `order.refunds_stuck`
fn is_kind(word: &str) -> bool {
    let is_name =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    word.split_once('.')
        .is_some_and(|(context, name)| is_name(context) && is_name(name))
}

/// Kinds of standing alarms, of files that raise some or name them, and codes of fleet's.
fn in_code() -> BTreeSet<String> {
    let folders = ["core/src", "core/kernel/src"];
    let files = folders
        .iter()
        .flat_map(|folder| rust_files(&root().join(folder)));
    let texts = files.map(|file| code(&file));
    let raises = |text: &str| {
        ["alarms::raise(", "alarms::{self", "fn alarm("]
            .iter()
            .any(|word| text.contains(word))
    };
    let of_alarms = |text: String| match text.split_once("fn kind(") {
        _ if raises(&text) => Some(text),
        // Only the names, of a file that has them for others.
        Some((_, names)) => names.split("\n    }").next().map(str::to_owned),
        None => None,
    };
    let kinds = texts.filter_map(of_alarms).flat_map(|text| literals(&text));
    let mut all: BTreeSet<_> = kinds.filter(|word| is_kind(word)).collect();
    assert!(all.len() > 15, "only {all:?}");
    let codes = code(&contexts_folder().join("fleet/model/alarm.rs"));
    let named = codes.split(" = \"").skip(1);
    let named: Vec<_> = named.filter_map(|rest| rest.split_once("\":")).collect();
    assert!(named.len() > 20, "only {named:?}");
    all.extend(named.into_iter().map(|(name, _)| name.to_owned()));
    all
}

/// The first cells of the table under this heading.
pub(super) fn on_page() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(PAGE)).expect(PAGE);
    let (_, section) = text.split_once("\n## Alarms\n").expect("a section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_page_for_people_has_a_row_for_each_alarm() {
    let (in_code, on_page) = (in_code(), on_page());
    let missing: Vec<_> = in_code.difference(&on_page).collect();
    assert!(
        missing.is_empty(),
        "{PAGE}, section Alarms, lacks a row with what each of these means and what to do: {missing:#?}"
    );
    let gone: Vec<_> = on_page.difference(&in_code).collect();
    assert!(
        gone.is_empty(),
        "{PAGE} has rows of alarms that nothing raises: {gone:#?}"
    );
}

/// Whoever stands at a gate finds each word that the screen can show.
#[test]
fn the_page_for_people_has_a_row_for_each_answer_at_a_gate() {
    let text = fs::read_to_string(root().join(PAGE)).expect(PAGE);
    let verdicts = code(&root().join("protocol/src/verdict.rs"));
    let names = verdicts.split("=> \"").skip(1);
    let names: Vec<_> = names.filter_map(|rest| rest.split('"').next()).collect();
    assert!(names.len() > 10, "only {names:?}");
    let missing = names
        .iter()
        .filter(|name| !text.contains(&format!("| `{name}` |")));
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "{PAGE} lacks {missing:?}");
}
