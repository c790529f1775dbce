//! What the LAN API does when there is too much of something.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use eventify_protocol::verdict::Verdict;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    lan::{Door, door, refused},
    support::{
        Scanner,
        core::SOON,
        scan_id,
        scanner::{pinned_client, pinned_config},
    },
};

/// The smallest numbers that the settings allow.
const PLACES: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn more_scans_than_places_come_again_and_nothing_is_lost() {
    let door = door(&[
        ("lan.max_scans_waiting", "8"),
        ("lan.max_strangers_per_address", "256"),
    ])
    .await;
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
    let streams = hold_all_connections(&[&scanner, &door.scanner(2).await]).await;
    let fresh = door.node.pairing_code(None).key;
    scanner.http = pinned_client(fresh);
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

/// As many streams as there may be connections; the pairings' own become the first of them.
async fn hold_all_connections(scanners: &[&Scanner]) -> Vec<reqwest::Response> {
    let mut streams = Vec::new();
    for scanner in scanners {
        for _ in 0..PLACES / scanners.len() {
            streams.push(scanner.stream().await);
        }
    }
    streams
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_finds_a_place_among_strangers_from_many_addresses() {
    let door = door(&[("lan.max_connections", "8")]).await;
    let mut scanner = door.scanner(1).await;
    let mut held = Vec::new();
    for last in 2..2 + PLACES as u8 {
        for _ in 0..2 {
            let from = Ipv4Addr::new(127, 0, 0, last);
            held.push(knock_from(from, &door).await.unwrap());
        }
        // On a connection of its own, as a scanner that was switched on just now.
        scanner.http = pinned_client(door.node.pairing_code(None).key);
        let token = &door.tickets[usize::from(last)].token;
        let answer = scanner.scan(door.venue.north, scan_id(), token).await;
        assert_eq!(answer.unwrap().verdict, Verdict::Admit);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_stream_of_a_scanner_ends_when_it_opens_too_many() {
    let door = door(&[]).await;
    let scanner = door.scanner(1).await;
    let mut oldest = scanner.stream().await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(scanner.stream().await);
    }
    let ended = async { while oldest.chunk().await.unwrap().is_some() {} };
    timeout(SOON, ended).await.unwrap();
    for stream in &mut others {
        let event = timeout(SOON, stream.chunk()).await.unwrap().unwrap();
        assert!(event.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_access_token() {
    let door = door(&[]).await;
    let mut scanner = door.scanner(1).await;
    let mut stream = scanner.stream().await;
    // Tokens end by their time, and when their scanner has asked for a few more.
    for _ in 0..4 {
        scanner.refresh().await.unwrap();
    }
    let ended = async { while stream.chunk().await.unwrap().is_some() {} };
    timeout(SOON, ended).await.unwrap();
    scanner.status().await.unwrap();
}

/// Not the scanners' address; the whole of 127/8 is this machine.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// A stranger's time is over by then, and that between two requests of a scanner is not.
const CUT: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_many_connections_locks_nobody_out() {
    let door = door(&[
        ("lan.max_connections", "8"),
        ("lan.max_strangers_per_address", "4"),
    ])
    .await;
    let mut scanner = door.scanner(1).await;
    let (mut held, mut refusals) = (Vec::new(), 0);
    for _ in 0..2 * PLACES {
        match knock(&door).await {
            Ok(connection) => held.push(connection),
            Err(_) => refusals += 1,
        }
    }
    assert_eq!((held.len(), refusals), (4, 2 * PLACES - 4));
    // On a connection of its own, as a scanner that was switched on just now.
    scanner.http = pinned_client(door.node.pairing_code(None).key);
    let token = &door.tickets[0].token;
    let answer = scanner.scan(door.venue.north, scan_id(), token).await;
    assert_eq!(answer.unwrap().verdict, Verdict::Admit);
    // A place that is given back is free again.
    held.clear();
    let again = async { while knock(&door).await.is_err() {} };
    timeout(SOON, again).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_has_little_time_and_a_scanner_keeps_its_connection() {
    let door = door(&[]).await;
    let mut stream = door.scanner(1).await.stream().await;
    let beginnings: [&[u8]; 4] = [
        b"",
        b"GET /v1/status HT",
        b"POST /v1/scans HTTP/1.1\r\nhost: node\r\ncontent-length: 100\r\n\r\n{",
        b"GET /v1/status HTTP/1.1\r\nhost: node\r\n\r\n",
    ];
    let cut = beginnings.map(async |beginning| {
        let mut connection = knock(&door).await.unwrap();
        connection.write_all(beginning).await.unwrap();
        let mut answer = Vec::new();
        // How it ends is the node's business: with or without a farewell.
        let _end = timeout(CUT, connection.read_to_end(&mut answer))
            .await
            .unwrap_or_else(|_| panic!("still open after {:?}", beginning.escape_ascii()));
    });
    futures_util::future::join_all(cut).await;
    for _ in 0..3 {
        let more = timeout(SOON, stream.chunk()).await.unwrap().unwrap();
        assert!(more.is_some(), "a scanner's stream was cut");
    }
}

/// A connection from a stranger's address, up to the end of its handshake.
async fn knock(door: &Door) -> std::io::Result<TlsStream<TcpStream>> {
    knock_from(STRANGER, door).await
}

async fn knock_from(from: Ipv4Addr, door: &Door) -> std::io::Result<TlsStream<TcpStream>> {
    let code = door.node.pairing_code(None);
    let address: SocketAddr = code.node.trim_start_matches("https://").parse().unwrap();
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(address).await?;
    let name = ServerName::from(address.ip());
    TlsConnector::from(Arc::new(pinned_config(code.key)))
        .connect(name, stream)
        .await
}
