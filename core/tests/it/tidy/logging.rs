//! Every log line that an operator may meet has a stable code, and `deploy/LOGGING.md` lists each with
//! its level and fields.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{code, root, rust_files};

/// Folders whose programs run at an operator's.
const PRODUCTS: [&str; 8] = [
    "protocol",
    "sync/src",
    "core/src",
    "core/kernel/src",
    "core/contracts/src",
    "edge-node",
    "scanner-app/app",
    "scanner-app/controller/src",
];
const LEVELS: [&str; 3] = ["info", "warn", "error"];

/// A log line in the code.
#[derive(Debug)]
struct Line {
    level: &'static str,
    code: Option<String>,
    fields: BTreeSet<String>,
    place: String,
}

fn lines() -> Vec<Line> {
    let files = PRODUCTS
        .iter()
        .flat_map(|folder| rust_files(&root().join(folder)))
        .filter(|file| !file.components().any(|part| part.as_os_str() == "tests"));
    files
        .flat_map(|file| {
            let text = code(&file);
            let place = file.display().to_string();
            let of_level = |level: &'static str| {
                let start = format!("tracing::{level}!(");
                let found = text.split(&start).skip(1).map(|rest| {
                    let arguments = arguments(rest);
                    line(level, &arguments, place.clone())
                });
                found.collect::<Vec<_>>()
            };
            LEVELS.into_iter().flat_map(of_level).collect::<Vec<_>>()
        })
        .collect()
}

/// What stands between the parentheses of a macro call, split at its commas.
fn arguments(rest: &str) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    for c in rest.chars() {
        let quoted = in_text;
        if in_text {
            in_text = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if c == '"' {
            in_text = true;
        }
        match c {
            ')' | ']' | '}' if !quoted && depth == 0 => break,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    let parts = parts.iter().map(|part| part.trim().to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

fn line(level: &'static str, arguments: &[String], place: String) -> Line {
    let mut code = None;
    let mut fields = BTreeSet::new();
    for argument in arguments.iter().filter(|it| !it.starts_with('"')) {
        let (name, value) = argument
            .split_once('=')
            .map_or((argument.as_str(), ""), |(name, value)| {
                (name.trim(), value.trim())
            });
        match name {
            "code" => code = Some(value.trim_matches('"').to_owned()),
            "target" | "parent" => {}
            _ => drop(fields.insert(name.trim_start_matches(['%', '?']).to_owned())),
        }
    }
    Line {
        level,
        code,
        fields,
        place,
    }
}

/// The rows of the page's tables by their first cell, without the quotes of code.
fn page() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(root().join("deploy/LOGGING.md")).expect("the page");
    text.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<_> = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.replace('`', "").trim().to_owned())
                .collect();
            (cells[0].clone(), cells[1..].to_vec())
        })
        .collect()
}

#[test]
fn every_log_line_has_a_code() {
    let bare: Vec<_> = lines()
        .into_iter()
        .filter(|line| line.code.is_none())
        .map(|line| format!("{}: {} with {:?}", line.place, line.level, line.fields))
        .collect();
    assert!(bare.is_empty(), "without a code: {bare:#?}");
}

#[test]
fn the_page_lists_each_code_with_level_and_fields() {
    let page = page();
    let mut in_code: BTreeMap<String, (BTreeSet<&str>, BTreeSet<String>)> = BTreeMap::new();
    for line in lines() {
        let Some(code) = line.code else { continue };
        let (levels, fields) = in_code.entry(code).or_default();
        levels.insert(line.level);
        fields.extend(line.fields);
    }
    assert!(in_code.len() > 50, "only {} codes", in_code.len());
    let rows = in_code.iter().map(|(code, (levels, fields))| {
        let list = |words: Vec<&str>| words.join(", ");
        let levels = list(levels.iter().copied().collect());
        let fields = list(fields.iter().map(String::as_str).collect());
        (code, [levels, fields])
    });
    let wrong: Vec<_> = rows
        .filter(|(code, cells)| page.get(*code).is_none_or(|listed| listed[..2] != *cells))
        .map(|(code, [levels, fields])| format!("| `{code}` | {levels} | {fields} |"))
        .collect();
    assert!(
        wrong.is_empty(),
        "the page lacks, or has otherwise:\n{}",
        wrong.join("\n")
    );
    let gone: Vec<_> = page
        .keys()
        .filter(|name| name.contains('.') && !in_code.contains_key(*name))
        .collect();
    assert!(gone.is_empty(), "no line has these codes: {gone:?}");
}

/// A line of level error is for a person, who reads alarms and no logs: one of the core names its alarm, or is a
/// defect that only the program's makers can end.
#[test]
fn an_error_of_the_core_is_an_alarm_or_a_defect() {
    let (page, alarms) = (page(), super::alarms::on_page());
    let core = root().join("core").display().to_string();
    let errors = lines()
        .into_iter()
        .filter(|line| line.level == "error" && line.place.starts_with(&core))
        .filter_map(|line| line.code);
    // It says of each alarm that it was raised.
    let errors: BTreeSet<_> = errors.filter(|code| code != "alarms.raised").collect();
    assert!(errors.len() > 15, "only {errors:?}");
    let names_alarm = |act: &str| {
        let mut kinds = alarms.iter();
        kinds.any(|kind| act.contains(&format!("alarm {kind}")))
    };
    let silent: Vec<_> = errors
        .iter()
        .filter(|code| {
            let act = page.get(*code).map_or("", |row| row[3].as_str());
            !names_alarm(act) && !act.starts_with("report it")
        })
        .collect();
    assert!(
        silent.is_empty(),
        "deploy/LOGGING.md names no alarm for these, and they are no defects to report: {silent:?}"
    );
}

#[test]
fn the_page_explains_each_field_under_one_spelling() {
    let page = page();
    let fields: BTreeSet<_> = lines().into_iter().flat_map(|line| line.fields).collect();
    let unknown: Vec<_> = fields
        .iter()
        .filter(|field| !page.contains_key(*field))
        .collect();
    assert!(unknown.is_empty(), "not explained: {unknown:?}");
    let odd: Vec<_> = fields
        .iter()
        .filter(|field| !field.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect();
    assert!(odd.is_empty(), "not snake_case: {odd:?}");
}
