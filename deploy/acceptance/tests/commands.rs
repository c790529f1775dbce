//! `demo` and `up` as commands: what they refuse before any server is started.

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
fn a_second_demo_leaves_the_story_of_the_first() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("target/demo");
    let _first = Claim::take(&folder).expect("nobody has it");
    let story = folder.join("story.json");
    std::fs::write(&story, "the first run's").expect("it is there");
    let second = run(DEMO, place.path(), &[]);
    assert!(!second.status.success());
    let said = text(&second.stdout);
    assert!(said.contains("another run writes to target/demo"), "{said}");
    assert_eq!(said.lines().last(), Some("demo: 0 checks passed, 1 failed"));
    let left = std::fs::read_to_string(&story).expect("it is still there");
    assert_eq!(left, "the first run's");
}

#[test]
fn a_second_up_is_refused_before_anything_starts() {
    let place = tempfile::tempdir().expect("a folder");
    let _first = Claim::take(&place.path().join("target/up")).expect("nobody has it");
    let second = run(UP, place.path(), &[]);
    assert!(!second.status.success());
    assert_eq!(text(&second.stdout), "");
    let said = text(&second.stderr);
    assert!(
        said.starts_with("up: another run writes to target/up"),
        "{said}"
    );
}

#[test]
fn help_is_printed_and_what_is_unknown_is_refused() {
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
    let left = std::fs::read_dir(place.path()).expect("a folder").count();
    assert_eq!(left, 0, "nothing was started");
}
