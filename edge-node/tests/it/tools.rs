//! The commands of the program.

use std::{fs, path::Path};

use eventify_edge::control;
use eventify_protocol::{
    lan::{NodeStatus, PairingCode},
    verdict::Verdict,
};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::{process::Command, time::timeout};

use crate::world::{PROGRAM, Process, SOON, Scanner, Settings, World, pair, variables};

/// Exit code and standard output of a command on the world's data directory.
pub(crate) async fn run(world: &World, arguments: &[&str]) -> (i32, String) {
    run_with(world, &[], arguments).await
}

/// What a command that fails says.
pub(crate) async fn complaint(world: &World, arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .env_clear()
        .envs(variables(world.folder.path(), &[]))
        .output()
        .await
        .unwrap();
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// N7: `eventify-edge settings | head -1`.
#[test]
fn a_command_whose_reader_has_left_ends_quietly() {
    let world = World::stopped(10);
    for (command, code) in [("settings", 0), ("acts", 0), ("status", 0)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = std::process::Command::new(PROGRAM)
            .arg(command)
            .env_clear()
            .envs(variables(world.folder.path(), &[]))
            .stdout(writer)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), said.as_str()),
            (Some(code), ""),
            "{command}"
        );
    }
}

pub(crate) async fn run_with(
    world: &World,
    settings: Settings<'_>,
    arguments: &[&str],
) -> (i32, String) {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .env_clear()
        .envs(variables(world.folder.path(), settings))
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_a_pipe_is_refused_and_not_waited_for() {
    let pipe = |path: &Path| {
        fs::remove_file(path).ok();
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    };
    let world = World::stopped(10);
    let config = world.folder.path().join("edge.toml");
    pipe(&config);
    let config = config.to_str().unwrap();
    for (file, command) in [
        ("edge.toml", vec!["--config", config, "run"]),
        ("edge.toml", vec!["--config", config, "doctor"]),
        ("scanners.json", vec!["run"]),
        ("identity.json", vec!["run"]),
        ("identity.json", vec!["status"]),
    ] {
        let path = world.folder.path().join(file);
        pipe(&path);
        let said = timeout(SOON, complaint(&world, &command)).await;
        let said = said.unwrap_or_else(|_| panic!("{command:?} waits for {file}"));
        let path = path.to_str().unwrap();
        assert!(
            said.contains(path) && said.contains("must be a regular file"),
            "{command:?}: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tools_work_beside_a_running_node_and_without_it() {
    let world = World::stopped(2_000);
    let (code, text) = run(&world, &["status"]).await;
    assert_eq!(code, 1);
    assert!(
        text.contains("not running") && text.contains("2000 tickets, sound"),
        "{text}"
    );
    let (_, report) = run(&world, &["doctor"]).await;
    let port = "warn  port         127.0.0.1:0 takes another port at each start";
    assert!(report.contains(port), "{report}");

    let node = Process::start(world.folder.path()).await;
    let (_, text) = run(&world, &["pair"]).await;
    let code: PairingCode = text.lines().next().unwrap().parse().unwrap();
    let scanner = Scanner::pair(&code, 1).await.unwrap();
    scanner
        .scan(world.venue.north, &world.tickets[0].token)
        .await;
    let (code, text) = run(&world, &["status", "--json"]).await;
    let status: NodeStatus = serde_json::from_str(&text).unwrap();
    assert_eq!((code, status.journal.head.seq), (0, 2));
    let (_, text) = run(&world, &["status"]).await;
    assert!(text.contains("Degraded (core_silent)"), "{text}");

    exports_the_journal(&world).await;

    let (code, report) = run(&world, &["doctor"]).await;
    assert_eq!(code, 1, "the broker doesn't answer");
    for line in [
        "ok    clock",
        "ok    fsync",
        "ok    journal      2 rows in 1 chain,",
        "ok    replica",
        "warn  mode         Degraded (core_silent): it decides alone for",
        "warn  guests       this node decides alone",
        "fail  broker",
    ] {
        assert!(report.contains(line), "{line} in\n{report}");
    }
    let (code, _) = run(&world, &["run"]).await;
    assert_eq!(code, 1, "two nodes on one folder");
    node.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_a_journal_without_room_on_a_disk_with_room() {
    let world = World::stopped(1);
    Process::start(world.folder.path()).await.kill().await;
    let full = [
        ("journal.max_bytes", "1048576"),
        ("journal.reserve_bytes", "1048575"),
    ];
    let (_, report) = run_with(&world, &full, &["doctor"]).await;
    assert!(report.contains("fail  space"), "{report}");
    let (_, report) = run(&world, &["doctor"]).await;
    assert!(report.contains("ok    space"), "{report}");
}

/// It said that no space was left, and not where.
#[tokio::test(flavor = "multi_thread")]
async fn status_at_a_full_journal_says_where_room_has_to_be_made() {
    let world = World::stopped(1);
    Process::start(world.folder.path()).await.kill().await;
    let full = [
        ("journal.max_bytes", "1048576"),
        ("journal.reserve_bytes", "1048575"),
    ];
    let mut command = std::process::Command::new(PROGRAM);
    command.arg("run").env_clear();
    command.envs(variables(world.folder.path(), &full));
    let node = Process::start_by(command.into(), world.folder.path()).await;
    let (_, text) = run_with(&world, &full, &["status"]).await;
    let folder = world.folder.path().display().to_string();
    for words in [
        "FAULT      no space is left for the journal: nobody is let in",
        folder.as_str(),
        "is on the disk mounted at /",
        "raise `journal.max_bytes`",
    ] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
    let (code, report) = run_with(&world, &full, &["doctor"]).await;
    let guests = "fail  guests       nobody gets in here: the journal has no room";
    assert!(code == 1 && report.contains(guests), "{report}");
    node.kill().await;
}

async fn exports_the_journal(world: &World) {
    let (code, rows) = run(world, &["export-journal"]).await;
    let rows: Vec<serde_json::Value> = rows
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((code, rows.len()), (0, 2));
    assert_eq!(rows[1]["entry"]["verdict"]["verdict"], "Admit", "{rows:#?}");
    assert_eq!(rows[1]["previous"], rows[0]["hash"]);

    let path = world.folder.path().join("export.jsonl");
    let file = path.to_str().unwrap();
    let (_, text) = run(world, &["export-journal", "--out", file]).await;
    assert_eq!(text, "2 rows in 1 chain, every hash checked\n");
    std::fs::write(&path, "evidence").unwrap();
    let (code, _) = run(world, &["export-journal", "--out", file]).await;
    assert_eq!(code, 1, "an existing file stays");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "evidence");
    let (code, _) = run(world, &["export-journal", "--force", "--out", file]).await;
    assert_eq!(code, 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);

    for own in ["journal.sqlite", "journal.sqlite-wal"] {
        let path = world.folder.path().join(own);
        let before = std::fs::read(&path).unwrap();
        let file = path.to_str().unwrap();
        let (code, _) = run(world, &["export-journal", "--force", "--out", file]).await;
        assert_eq!(code, 1, "the journal is evidence");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_stops_the_start() {
    let output = Command::new(PROGRAM)
        .arg("run")
        .env_clear()
        .env("EVENTIFY_EDGE__ADMISSION__MAX_CACHE_AGE_MS", "900000")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8(output.stderr).unwrap();
    for part in ["admission.max_cache_age_ms", "900000", "0 to 300000"] {
        assert!(text.contains(part), "{text}");
    }
}

/// A disk without space for the log, or a reader of the log that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_can_not_be_written_ends_no_node() {
    let world = World::stopped(10);
    let folder = world.folder.path();
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut node = Command::new(PROGRAM)
        .arg("run")
        .env_clear()
        .envs(variables(folder, &[]))
        .stderr(full.unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let answers = async {
        while control::send(folder, &control::Request::Status)
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = node.wait() => panic!("the node has ended: {ended:?}"),
        () = answers => {}
    }
    let scanner = pair(folder).await;
    let token = &world.tickets[0].token;
    assert_eq!(
        scanner.scan(world.venue.north, token).await.verdict,
        Verdict::Admit
    );
}
