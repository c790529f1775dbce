//! The window's types are made from these. `EVENTIFY_STORE_TYPES=1` writes them; otherwise the stored
//! ones have to be the same.

use std::{fs, path::Path};

use ts_rs::{Config, TS};

use crate::{command::Command, view::View};

#[test]
fn the_window_has_the_types_of_this_crate() {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/src/generated");
    if std::env::var_os("EVENTIFY_STORE_TYPES").is_some() {
        export(&stored);
        return;
    }
    let fresh = tempfile::tempdir().unwrap();
    export(fresh.path());
    assert_eq!(
        files(&stored),
        files(fresh.path()),
        "EVENTIFY_STORE_TYPES=1 writes them anew"
    );
}

fn export(folder: &Path) {
    let config = Config::new().with_out_dir(folder).with_large_int("number");
    View::export_all(&config).unwrap();
    Command::export_all(&config).unwrap();
}

fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}
