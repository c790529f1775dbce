//! Connections of the HTTP server: how many, whose, how slow, how long; and the probes beside them.

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::http::{contexts, start};
use crate::world::{TestApp, proxied, send, until};

/// Long enough for anything that ends at all.
const SOON: std::time::Duration = std::time::Duration::from_secs(20);

/// A connection of the test's own, on which this was sent.
async fn connect(core: &TestApp, sent: &str) -> TcpStream {
    let address = core.url().trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(address).await.expect("the core listens");
    // A refusal may come while it is being sent.
    let _refused = connection.write_all(sent.as_bytes()).await;
    connection
}

/// What the core sends until it closes the connection.
async fn until_closed(mut connection: TcpStream) -> String {
    let mut answer = Vec::new();
    // Closed or reset makes no difference.
    let _end = tokio::time::timeout(SOON, connection.read_to_end(&mut answer))
        .await
        .expect("the connection is closed");
    String::from_utf8(answer).expect("an answer in text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_request_is_closed_after_a_while() {
    let core = start(vec![("http.header_timeout_ms", "200".to_owned())]).await;
    for sent in ["", "GET /me HTT", "GET /me HTTP/1.1\r\nhost: core\r\n\r\n"] {
        let received = until_closed(connect(&core, sent).await).await;
        assert_eq!(
            received.contains(" 401 "),
            sent.ends_with("\r\n\r\n"),
            "{received}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_refused_until_one_is_given_back() {
    let config = vec![
        ("http.max_connections", "4".to_owned()),
        ("http.header_timeout_ms", "300000".to_owned()),
    ];
    let core = start(config).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(connect(&core, "").await);
    }
    assert_eq!(until_closed(connect(&core, "").await).await, "");
    held.pop();
    // The core notices a closed connection a moment later.
    let ask = "GET /me HTTP/1.1\r\nhost: core\r\nconnection: close\r\n\r\n";
    let answered = async {
        while !until_closed(connect(&core, ask).await)
            .await
            .contains(" 401 ")
        {}
    };
    tokio::time::timeout(SOON, answered).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_comes_is_given_up_with_its_connection() {
    let core = start(vec![("http.request_timeout_ms", "1000".to_owned())]).await;
    let token = core.user("ada").role("CUSTOMER").token().unwrap();
    let sent = format!(
        "POST /faults HTTP/1.1\r\nhost: core\r\nauthorization: Bearer {token}\r\n\
         idempotency-key: k1\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{{"
    );
    let received = until_closed(connect(&core, &sent).await).await;
    assert!(received.contains(" 503 "), "{received}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_is_not_called_too_large() {
    let core = start(Vec::new()).await;
    let token = core.user("ada").role("CUSTOMER").token().unwrap();
    let sent = format!(
        "POST /faults HTTP/1.1\r\nhost: core\r\nauthorization: Bearer {token}\r\n\
         idempotency-key: k1\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\nno number\r\n"
    );
    let received = until_closed(connect(&core, &sent).await).await;
    assert!(received.contains(" 400 "), "{received}");
}

/// A connection from another address of this machine.
async fn connect_from(core: &TestApp, address: &str, sent: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(format!("{address}:0").parse().unwrap())
        .unwrap();
    let core = core.url().trim_start_matches("http://").parse().unwrap();
    let mut connection = socket.connect(core).await.expect("the core listens");
    let _refused = connection.write_all(sent.as_bytes()).await;
    connection
}

const ASK: &str = "GET /me HTTP/1.1\r\nhost: core\r\nconnection: close\r\n\r\n";

/// S6: four of them held all four places for ever.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_of_an_answer_loses_the_place() {
    let core = start(vec![
        ("http.max_connections", "4".to_owned()),
        ("http.write_timeout_ms", "500".to_owned()),
        ("http.header_timeout_ms", "300000".to_owned()),
    ])
    .await;
    let mut deaf = Vec::new();
    for _ in 0..4 {
        deaf.push(connect(&core, "GET /large HTTP/1.1\r\nhost: core\r\n\r\n").await);
    }
    let answered = async {
        while !until_closed(connect(&core, ASK).await)
            .await
            .contains(" 401 ")
        {}
    };
    tokio::time::timeout(SOON, answered).await.unwrap();
    drop(deaf);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_gets_all_of_a_large_answer() {
    let core = start(vec![("http.write_timeout_ms", "5000".to_owned())]).await;
    let sent = "GET /large HTTP/1.1\r\nhost: core\r\nconnection: close\r\n\r\n";
    let received = until_closed(connect(&core, sent).await).await;
    assert!(received.len() > 24 << 20, "{}", received.len());
}

/// S6: a flood from one address took the places of all.
#[tokio::test(flavor = "multi_thread")]
async fn who_holds_most_connections_gives_one_up_to_another_address() {
    let core = start(vec![
        ("http.max_connections", "8".to_owned()),
        ("http.header_timeout_ms", "300000".to_owned()),
    ])
    .await;
    let mut flood = Vec::new();
    for _ in 0..8 {
        flood.push(connect_from(&core, "127.0.0.2", "").await);
    }
    assert_eq!(
        until_closed(connect_from(&core, "127.0.0.2", ASK).await).await,
        ""
    );
    for _ in 0..3 {
        let answer = until_closed(connect_from(&core, "127.0.0.3", ASK).await).await;
        assert!(answer.contains(" 401 "), "{answer}");
    }
    // The oldest was closed, and no more than were needed.
    assert_eq!(until_closed(flood.remove(0)).await, "");
    let newest = flood.last_mut().unwrap();
    newest.write_all(ASK.as_bytes()).await.unwrap();
    let answer = until_closed(flood.pop().unwrap()).await;
    assert!(answer.contains(" 401 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_connections_and_a_trusted_proxy_any_number() {
    let limits = || {
        vec![
            ("http.max_connections_per_address", "2".to_owned()),
            ("http.header_timeout_ms", "300000".to_owned()),
        ]
    };
    let core = start(limits()).await;
    let held = [
        connect_from(&core, "127.0.0.2", "").await,
        connect_from(&core, "127.0.0.2", "").await,
    ];
    assert_eq!(
        until_closed(connect_from(&core, "127.0.0.2", ASK).await).await,
        ""
    );
    let other = until_closed(connect_from(&core, "127.0.0.3", ASK).await).await;
    assert!(other.contains(" 401 "), "{other}");
    drop(held);

    let mut trusting = limits();
    trusting.push(("http.trusted_proxies", "[\"127.0.0.2\"]".to_owned()));
    let core = start(trusting).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(connect_from(&core, "127.0.0.2", "").await);
    }
    let answer = until_closed(connect_from(&core, "127.0.0.2", ASK).await).await;
    assert!(answer.contains(" 401 "), "{answer}");
}

/// S4: an orchestrator that can't ask would take a core out that only has many customers.
#[tokio::test(flavor = "multi_thread")]
async fn the_probes_are_answered_while_all_connections_of_the_shop_are_in_use() {
    let core = start(vec![
        ("http.max_connections", "4".to_owned()),
        ("http.header_timeout_ms", "300000".to_owned()),
        ("http.health_listen", "127.0.0.1:0".to_owned()),
    ])
    .await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(connect(&core, "").await);
    }
    assert_eq!(until_closed(connect(&core, ASK).await).await, "");
    let probes = core.listener("health");
    for (path, status) in [("live", 200), ("ready", 200), ("../me", 404)] {
        let answer = reqwest::get(format!("http://{probes}/health/{path}")).await;
        assert_eq!(answer.unwrap().status(), status, "{path}");
    }
}

/// S4: each of them took connections of nine contexts, and opened a channel to the broker.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_probes_takes_one_connection_to_the_database() {
    let core = start(Vec::new()).await;
    let (line, url) = proxied(core.scope.database.url()).await;
    let line = line.unwrap();
    let serves = vec![
        ("process.roles", "[\"serve\"]".to_owned()),
        ("database.url", url),
    ];
    let shop = core.beside(serves, contexts).await;
    let url = format!("http://{}/health/ready", shop.address.unwrap());
    let before = line.connections();
    let flood = (0..100).map(|_| reqwest::get(&url));
    for answer in join_all(flood).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    let taken = line.connections() - before;
    assert!(taken <= 1, "{taken}");
    line.cut();
    let gone = async || reqwest::get(&url).await.unwrap().status() == 503;
    until("the database's absence is told", gone).await;
    line.heal();
    let back = async || reqwest::get(&url).await.unwrap().status() == 200;
    until("the database is back", back).await;
    shop.stop().await;
}

/// C12, S13: each is the same client, behind a proxy that is trusted, on a listener for both versions.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_another_limit_by_writing_an_address_in_another_way() {
    let core = start(vec![
        ("http.listen", "[::]:0".to_owned()),
        ("http.trusted_proxies", "[\"127.0.0.0/8\"]".to_owned()),
        ("http.rate_limits.normal_per_second", "1".to_owned()),
        ("http.rate_limits.normal_burst", "3".to_owned()),
    ])
    .await;
    let port = core.url().rsplit(':').next().unwrap().to_owned();
    for (client, lines) in [
        (
            "203.0.113.1",
            [
                &["203.0.113.1"][..],
                &["6.6.6.6, 203.0.113.1"],
                &["6.6.6.6", "203.0.113.1:4711"],
                &["[::ffff:203.0.113.1]:80"],
            ],
        ),
        (
            "2001:db8::/64",
            [
                &["2001:db8::1"][..],
                &["[2001:db8::2]"],
                &["[2001:db8::3]:443"],
                &["6.6.6.6", "2001:db8::4, 127.0.0.9"],
            ],
        ),
        (
            "the proxy",
            [
                &["unknown"][..],
                &["_hidden"],
                &["1.2.3.4,"],
                &["1.2.3.4", "unknown"],
            ],
        ),
    ] {
        let mut statuses = Vec::new();
        for lines in lines {
            let asked = reqwest::Client::new().get(format!("http://127.0.0.1:{port}/me"));
            let asked = lines
                .iter()
                .fold(asked, |asked, line| asked.header("x-forwarded-for", *line));
            statuses.push(send(asked).await.status);
        }
        assert_eq!(statuses, [401, 401, 401, 429], "{client}");
    }
}
