//! Makes the window's files part of the program.

use std::{fs, path::Path};

/// What the window shows if `make web` has not built its files: compiling the workspace needs no Node.
const NOT_BUILT: &str = "<!doctype html><title>Eventify</title><p>make web</p>\n";

fn main() {
    let page = Path::new("../ui/dist/index.html");
    if !page.exists() {
        fs::create_dir_all("../ui/dist").expect("the folder of the window's files can be made");
        fs::write(page, NOT_BUILT).expect("the window's page can be written");
    }
    println!("cargo::rerun-if-changed=../ui/dist");
    tauri_build::build();
}
