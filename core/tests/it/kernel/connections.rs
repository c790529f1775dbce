//! Connections of the HTTP server: how many, how slow, how long.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::start;
use crate::world::TestApp;

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
