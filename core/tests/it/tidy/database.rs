//! Queries and migrations.

use std::collections::BTreeSet;
use std::fs;

use eventify_kernel::db::migrate::{Migration, SHARED};

use super::{code, files_of, folders_of_contexts, layered_files, root, stem};
use crate::world::{made, product};

/// A context's tables, as its migrations make them.
fn tables_of(context: &str) -> BTreeSet<String> {
    let folder = root().join("core/migrations").join(context);
    let files = files_of(&folder, "sql").into_iter();
    let text: String = files
        .map(|file| fs::read_to_string(file).expect("a readable file"))
        .collect();
    let made = text.split("create table ").skip(1);
    made.filter_map(|rest| rest.split([' ', '(', '\n']).next())
        .map(str::to_owned)
        .collect()
}

/// Which schemas a query touches is a search.
#[test]
fn queries_name_tables_with_the_schema_of_their_context() {
    let contexts = folders_of_contexts();
    let mut named = 0;
    for context in &contexts {
        let tables = tables_of(context);
        for (_, file) in layered_files(context) {
            let text = code(&file).to_lowercase().replace(['\\', '"'], "");
            let words: Vec<_> = text.split_whitespace().collect();
            for pair in words.windows(2) {
                if !["from", "join", "into", "update"].contains(&pair[0]) {
                    continue;
                }
                let table = pair[1].trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
                let at = format!("{}: {} {}", file.display(), pair[0], pair[1]);
                assert!(!tables.contains(table), "{at} has no schema");
                let Some((schema, _)) = table.split_once('.') else {
                    continue;
                };
                let foreign = schema != context && contexts.contains(schema);
                assert!(!foreign, "{at} is another context's");
                named += usize::from(schema == context);
            }
        }
    }
    assert!(named > 150, "only {named} tables");
}

fn names_of(migrations: &[Migration]) -> BTreeSet<String> {
    let names = migrations.iter().map(|migration| migration.name.to_owned());
    names.collect()
}

#[test]
fn migrations_in_the_folder_are_listed() {
    let contexts = made(product).into_iter();
    let listed = contexts.map(|it| (format!("core/migrations/{}", it.name), it.migrations));
    for (folder, migrations) in listed.chain([("core/kernel/migrations/shared".into(), SHARED)]) {
        let files = files_of(&root().join(&folder), "sql");
        let files: BTreeSet<_> = files.iter().map(|file| stem(file).to_owned()).collect();
        assert_eq!(files, names_of(migrations), "{folder}");
    }
}

/// Both are noted in one table of the context: the second one would count as an edit of the first.
#[test]
fn no_migration_has_the_name_of_a_shared_one() {
    for context in made(product) {
        let both = names_of(context.migrations);
        let both: Vec<_> = both.intersection(&names_of(SHARED)).cloned().collect();
        assert!(both.is_empty(), "{}: {both:?}", context.name);
    }
}
