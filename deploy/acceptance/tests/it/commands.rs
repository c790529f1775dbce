//! `demo` and `up` as commands: what they refuse before they start a server.

use std::{
    path::Path,
    process::{Command, Output},
};

use eventify_acceptance::world::claim::Claim;

const DEMO: &str = env!("CARGO_BIN_EXE_demo");
const UP: &str = env!("CARGO_BIN_EXE_up");

fn run(program: &str, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it prints text")
}

#[test]
fn a_second_demo_does_not_touch_the_first_ones_story() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("target/demo");
    let _first = Claim::take(&folder).expect("the folder is free");
    let story = folder.join("story.json");
    std::fs::write(&story, "the first run's").expect("it is there");
    let second = run(DEMO, place.path(), &[]);
    assert!(!second.status.success());
    let output = text(&second.stdout);
    assert!(
        output.contains("another run writes to target/demo"),
        "{output}"
    );
    assert_eq!(
        output.lines().last(),
        Some("demo: 0 checks passed, 1 failed")
    );
    let kept = std::fs::read_to_string(&story).expect("it is still there");
    assert_eq!(kept, "the first run's");
}

#[test]
fn a_second_up_is_refused_before_anything_starts() {
    let place = tempfile::tempdir().expect("a folder");
    let _first = Claim::take(&place.path().join("target/up")).expect("the folder is free");
    let second = run(UP, place.path(), &[]);
    assert!(!second.status.success());
    assert_eq!(text(&second.stdout), "");
    let output = text(&second.stderr);
    assert!(
        output.starts_with("up: another run writes to target/up"),
        "{output}"
    );
}

#[test]
fn help_is_printed_and_unknown_arguments_are_refused() {
    let place = tempfile::tempdir().expect("a folder");
    for (program, what) in [(DEMO, "Plays an evening"), (UP, "Starts servers")] {
        let help = run(program, place.path(), &["--help"]);
        assert!(help.status.success());
        assert!(text(&help.stdout).starts_with(what), "{program}");
        for unknown in ["--fast", "north"] {
            let refused = run(program, place.path(), &[unknown]);
            assert_eq!(refused.status.code(), Some(2), "{program} {unknown}");
        }
    }
    let files = std::fs::read_dir(place.path()).expect("a folder").count();
    assert_eq!(files, 0, "nothing was started");
}
