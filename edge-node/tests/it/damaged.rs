//! C14: what keyboard wedges, layouts and torn paper make of a code.

use eventify_edge::control::{self, Request, Response};
use eventify_protocol::{
    lan::NodeStatus,
    verdict::{Mode, Verdict},
};

use crate::world::{Process, World, pair};

/// What reaches the node of a ticket's code, and why.
fn damaged(token: &str) -> Vec<(&'static str, String)> {
    let each = |change: fn(char) -> char| token.chars().map(change).collect::<String>();
    let german = each(|key| match key {
        'Y' => 'Z',
        'Z' => 'Y',
        '-' => 'ß',
        '/' => '-',
        ':' => 'Ö',
        '+' => '`',
        '*' => '(',
        key => key,
    });
    let french = each(|key| match key {
        'Q' => 'A',
        'A' => 'Q',
        'W' => 'Z',
        'Z' => 'W',
        'M' => '?',
        '1' => '&',
        ':' => 'M',
        key => key,
    });
    let full_width = each(|key| match key {
        '!'..='~' => char::from_u32(u32::from(key) + 0xfee0).unwrap_or(key),
        key => key,
    });
    let half = &token[..token.len() / 2];
    vec![
        (
            "carriage return and line feed after",
            format!("{token}\r\n"),
        ),
        ("line feed after", format!("{token}\n")),
        ("tab after", format!("{token}\t")),
        ("between STX and ETX", format!("\u{2}{token}\u{3}")),
        ("symbology prefix", format!("]Q1{token}")),
        ("byte order mark before", format!("\u{feff}{token}")),
        ("caps lock", token.to_lowercase()),
        ("prefix in lower case", token.replacen("EV1:", "ev1:", 1)),
        ("German layout", german),
        ("French layout", french),
        ("no-break space after", format!("{token}\u{a0}")),
        ("space before", format!(" {token}")),
        ("full width", full_width),
        ("NUL after", format!("{token}\0")),
        ("twice", format!("{token}{token}")),
        ("first half", half.to_owned()),
        ("second half", token[half.len()..].to_owned()),
        ("513 characters", "X".repeat(513)),
        ("nothing", String::new()),
    ]
}

async fn status(world: &World) -> NodeStatus {
    let folder = world.folder.path();
    let answer = control::send(folder, &Request::Status).await.unwrap();
    let Response::Status { status } = answer else {
        panic!("{answer:?}")
    };
    *status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_code_is_unreadable_burns_no_ticket_and_leaves_no_trace() {
    let world = World::stopped(1_000);
    let node = Process::start(world.folder.path()).await;
    let scanner = pair(world.folder.path()).await;
    let token = &world.tickets[0].token;
    let damaged = damaged(token);
    assert_eq!(damaged.len(), 19);
    let before = status(&world).await;
    for (how, text) in &damaged {
        let answer = scanner.scan(world.venue.north, text).await;
        assert_eq!(answer.verdict, Verdict::Unreadable, "{how}");
        assert!(answer.ticket.is_none(), "{how}: {answer:?}");
    }
    // Counted, and in no row of the journal.
    let after = status(&world).await;
    assert_eq!(after.mode, Mode::Degraded);
    assert_eq!(after.journal.head, before.journal.head);
    let north = after
        .gates
        .iter()
        .find(|gate| gate.gate_id == world.venue.north)
        .unwrap();
    assert_eq!(
        (north.admitted, north.refused, north.unreadable),
        (0, 19, 19)
    );

    let clean = scanner.scan(world.venue.north, token).await;
    assert_eq!(clean.verdict, Verdict::Admit);
    let log = node.kill().await;
    let log = serde_json::to_string(&log).unwrap().to_uppercase();
    let part = &token[20..32];
    assert!(!log.contains(&part.replace('"', "\\\"")), "{part} {log}");
}
