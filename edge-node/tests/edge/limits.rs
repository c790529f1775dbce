//! What the LAN API does when there is too much of something.

use eventify_protocol::verdict::Verdict;

use tokio::time::timeout;

use crate::{
    lan::{door, refused},
    support::{Scanner, core::SOON, scan_id},
};

/// The smallest numbers that the settings allow.
const PLACES: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn more_scans_than_places_come_again_and_nothing_is_lost() {
    let door = door(&[("lan.max_scans_waiting", "8")]).await;
    let scanner = door.scanner(1).await;
    let scans = door.tickets[..20 * PLACES].iter().map(|ticket| {
        let (scanner, gate) = (scanner.clone(), door.venue.north);
        async move {
            let (scan, mut turned_away) = (scan_id(), 0);
            loop {
                match scanner.scan(gate, scan, &ticket.token).await {
                    Ok(answer) => break (answer.verdict, turned_away),
                    Err(refusal) => assert_eq!(refusal, refused(503, "busy")),
                }
                turned_away += 1;
            }
        }
    });
    let told = futures_util::future::join_all(scans).await;
    assert!(told.iter().all(|(verdict, _)| *verdict == Verdict::Admit));
    assert!(
        told.iter().any(|(_, turned_away)| *turned_away > 0),
        "there was room for all"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_refused_until_one_is_given_back() {
    let door = door(&[("lan.max_connections", "8")]).await;
    let mut scanner = door.scanner(1).await;
    let streams = hold_all_connections(&scanner).await;
    let fresh = door.node.pairing_code(None).key;
    scanner.http = crate::support::scanner::pinned_client(fresh);
    let refused = scanner
        .try_scan(door.venue.north, scan_id(), "")
        .await
        .unwrap_err();
    assert!(refused.is_connect() || refused.is_request(), "{refused:?}");
    drop(streams);
    // The node hears of a closed connection in its own time.
    let asking = async {
        while scanner
            .try_scan(door.venue.north, scan_id(), "")
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, asking).await.unwrap();
}

/// As many streams as there may be connections; the pairing's own becomes the first of them.
async fn hold_all_connections(scanner: &Scanner) -> Vec<reqwest::Response> {
    let mut streams = Vec::new();
    for _ in 0..PLACES {
        streams.push(scanner.stream().await);
    }
    streams
}
