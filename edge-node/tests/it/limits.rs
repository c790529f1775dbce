//! What the LAN API does when there is too much of something.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use eventify_lan_client::{ClientError, Events, pinned_tls};
use eventify_protocol::verdict::Verdict;
use futures_util::future::join_all;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::world::{SOON, Scanner, World, refusal, scan_id};

/// The smallest numbers that the settings allow.
const MAX_CONNECTIONS: usize = 8;
const MAX_SCANS_WAITING: usize = 8;
const MAX_UNAUTHENTICATED: usize = 4;

/// Not the scanners' address; the whole of 127/8 is this machine.
const OTHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// An unauthenticated connection is closed by then, and a scanner's idle one is not.
const CLOSED: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn scans_beyond_the_limit_come_again_and_nothing_is_lost() {
    let world = World::alone(&[
        ("lan.max_scans_waiting", "8"),
        ("lan.max_strangers_per_address", "256"),
    ])
    .await;
    let (scanner, gate) = (world.scanner(1).await, world.venue.north);
    let guests = world.tickets[..20 * MAX_SCANS_WAITING].iter();
    let results = join_all(guests.map(async |ticket| {
        let (scan, mut busy) = (scan_id(), 0);
        loop {
            match scanner.scan_as(gate, scan, &ticket.token).await {
                Ok(answer) => break (answer.verdict, busy),
                refused => assert_eq!(refusal(refused), "503 busy"),
            }
            busy += 1;
        }
    }))
    .await;
    let is_admitted = |(verdict, _): &(Verdict, i32)| *verdict == Verdict::Admit;
    assert!(results.iter().all(is_admitted));
    assert!(
        results.iter().any(|(_, busy)| *busy > 0),
        "there was room for all"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_refused_until_one_is_given_back() {
    let world = World::alone(&[("lan.max_connections", "8")]).await;
    let scanner = world.scanner(1).await;
    let streams = take_all_connections(&[&scanner, &world.scanner(2).await]).await;
    let scanner = scanner.on_new_connections();
    let refused = scanner.lan.status().await.unwrap_err();
    assert!(matches!(refused, ClientError::NoAnswer(_)), "{refused:?}");
    drop(streams);
    // The node notices a closed connection in its own time.
    let asking = async {
        while scanner.lan.status().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, asking).await.unwrap();
}

/// As many streams as there may be connections; the pairings' own become the first of them.
async fn take_all_connections(scanners: &[&Scanner]) -> Vec<Events> {
    let mut streams = Vec::new();
    for scanner in scanners {
        for _ in 0..MAX_CONNECTIONS / scanners.len() {
            streams.push(scanner.events().await);
        }
    }
    streams
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_gets_a_connection_among_unauthenticated_ones_from_many_addresses() {
    let world = World::alone(&[("lan.max_connections", "8")]).await;
    let scanner = world.scanner(1).await;
    let mut held = Vec::new();
    for last in 2..2 + MAX_CONNECTIONS as u8 {
        for _ in 0..2 {
            let from = Ipv4Addr::new(127, 0, 0, last);
            held.push(connect(from, &world).await.unwrap());
        }
        assert_admits(&scanner.on_new_connections(), &world, last.into()).await;
    }
}

async fn assert_admits(scanner: &Scanner, world: &World, ticket: usize) {
    let token = &world.tickets[ticket].token;
    let answer = scanner.scan(world.venue.north, token).await;
    assert_eq!(answer.verdict, Verdict::Admit);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_stream_of_a_scanner_ends_when_it_opens_too_many() {
    let world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    let oldest = scanner.events().await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(scanner.events().await);
    }
    until_ended(oldest).await;
    for stream in &mut others {
        assert!(stream.next().await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_outlives_the_token_that_opened_it() {
    let world = World::alone(&[]).await;
    let mut scanner = world.scanner(1).await;
    let first = scanner.clone();
    let mut stream = scanner.events().await;
    // Tokens end by their time, and when their scanner has requested a few more.
    for _ in 0..4 {
        scanner.renew_access().await;
    }
    assert_eq!(refusal(first.lan.status().await), "401 token_expired");
    for _ in 0..3 {
        assert!(stream.next().await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_floods_is_slowed_and_nobody_else() {
    let world = World::alone(&[
        ("lan.requests_per_second", "1"),
        ("lan.request_burst", "5"),
        ("lan.max_strangers_per_address", "64"),
    ])
    .await;
    let (north, token) = (world.venue.north, "no ticket");
    let flooding = world.scanner(1).await;
    let flood = join_all((0..40).map(|_| flooding.scan_as(north, scan_id(), token))).await;
    let refusals: Vec<_> = flood.into_iter().filter_map(Result::err).collect();
    assert!(refusals.len() >= 20, "{} of 40", refusals.len());
    for error in &refusals {
        let refusal = error.refusal().unwrap();
        assert_eq!(refusal.error.code, "too_many_requests");
        assert!(refusal.retry_after >= Some(Duration::from_secs(1)));
    }
    assert_admits(&world.scanner(2).await, &world, 0).await;
}

async fn until_ended(mut stream: Events) {
    let ended = async { while stream.next().await.unwrap().is_some() {} };
    timeout(SOON, ended).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_many_unauthenticated_connections_locks_nobody_out() {
    let world = World::alone(&[
        ("lan.max_connections", "8"),
        ("lan.max_strangers_per_address", "4"),
    ])
    .await;
    let scanner = world.scanner(1).await;
    let (mut held, mut refusals) = (Vec::new(), 0);
    for _ in 0..2 * MAX_CONNECTIONS {
        match connect(OTHER_ADDRESS, &world).await {
            Ok(connection) => held.push(connection),
            Err(_) => refusals += 1,
        }
    }
    assert_eq!(held.len(), MAX_UNAUTHENTICATED);
    assert_eq!(refusals, 2 * MAX_CONNECTIONS - MAX_UNAUTHENTICATED);
    assert_admits(&scanner.on_new_connections(), &world, 0).await;
    // When they are closed, the address may connect again.
    held.clear();
    let again = async { while connect(OTHER_ADDRESS, &world).await.is_err() {} };
    timeout(SOON, again).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unauthenticated_connection_has_little_time_and_a_scanner_keeps_its_own() {
    let world = World::alone(&[]).await;
    let mut stream = world.scanner(1).await.events().await;
    let beginnings: [&[u8]; 4] = [
        b"",
        b"GET /v1/status HT",
        b"POST /v1/scans HTTP/1.1\r\nhost: node\r\ncontent-length: 100\r\n\r\n{",
        b"GET /v1/status HTTP/1.1\r\nhost: node\r\n\r\n",
    ];
    let closed = beginnings.map(async |beginning| {
        let mut connection = connect(OTHER_ADDRESS, &world).await.unwrap();
        connection.write_all(beginning).await.unwrap();
        let mut answer = Vec::new();
        // With a TLS farewell or without: both are an end.
        let _end = timeout(CLOSED, connection.read_to_end(&mut answer))
            .await
            .unwrap_or_else(|_| panic!("still open after {:?}", beginning.escape_ascii()));
    });
    join_all(closed).await;
    for _ in 0..3 {
        assert!(
            stream.next().await.unwrap().is_some(),
            "a scanner's stream was closed"
        );
    }
}

/// A connection up to the end of its handshake.
async fn connect(from: Ipv4Addr, world: &World) -> std::io::Result<TlsStream<TcpStream>> {
    let code = world.node().pairing_code(None);
    let address: SocketAddr = code.node.trim_start_matches("https://").parse().unwrap();
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(address).await?;
    let name = ServerName::from(address.ip());
    TlsConnector::from(Arc::new(pinned_tls(code.key).unwrap()))
        .connect(name, stream)
        .await
}
