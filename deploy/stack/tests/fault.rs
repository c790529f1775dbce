//! The fault proxy does what it says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use eventify_stack::{Carried, FaultProxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Long enough for a loopback answer, short enough for a test that expects none.
const SILENCE: Duration = Duration::from_millis(200);

/// Answers each byte with the next one.
async fn counter() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(byte) = peer.read_u8().await {
                    if peer.write_u8(byte + 1).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

async fn line() -> (FaultProxy, TcpStream) {
    let proxy = FaultProxy::start(counter().await).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut client, 1).await.unwrap(), 2);
    (proxy, client)
}

async fn ask(client: &mut TcpStream, byte: u8) -> std::io::Result<u8> {
    client.write_u8(byte).await?;
    client.read_u8().await
}

#[tokio::test]
async fn a_cut_line_resets_old_and_new_connections_and_can_be_healed() {
    let (proxy, mut client) = line().await;
    proxy.cut();
    assert_eq!(
        client.read_u8().await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut refused, 1).await.is_err());
    proxy.heal();
    let mut again = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut again, 5).await.unwrap(), 6);
}

#[tokio::test]
async fn a_black_hole_is_silent_for_old_and_new_connections_and_keeps_what_was_sent() {
    let (proxy, mut client) = line().await;
    proxy.black_hole();
    let mut newcomer = TcpStream::connect(proxy.address()).await.unwrap();
    client.write_u8(7).await.unwrap();
    newcomer.write_u8(9).await.unwrap();
    assert!(timeout(SILENCE, client.read_u8()).await.is_err());
    assert!(timeout(SILENCE, newcomer.read_u8()).await.is_err());
    proxy.heal();
    assert_eq!(client.read_u8().await.unwrap(), 8);
    assert_eq!(newcomer.read_u8().await.unwrap(), 10);
}

#[tokio::test]
async fn a_connection_held_when_the_line_is_cut_stays_dead() {
    let (proxy, mut client) = line().await;
    proxy.black_hole();
    client.write_u8(7).await.unwrap();
    proxy.cut();
    proxy.heal();
    assert!(client.read_u8().await.is_err());
}

#[tokio::test]
async fn each_direction_can_be_held_alone() {
    let (proxy, mut client) = line().await;
    proxy.hold_down();
    client.write_u8(7).await.unwrap();
    assert!(timeout(SILENCE, client.read_u8()).await.is_err());
    // The question has arrived meanwhile: with only the way up held its answer still comes.
    proxy.heal();
    proxy.hold_up();
    assert_eq!(client.read_u8().await.unwrap(), 8);
    client.write_u8(9).await.unwrap();
    assert!(timeout(SILENCE, client.read_u8()).await.is_err());
    proxy.heal();
    assert_eq!(client.read_u8().await.unwrap(), 10);
}

#[tokio::test]
async fn a_delay_holds_each_direction_and_keeps_the_order() {
    let (proxy, mut client) = line().await;
    proxy.delay(SILENCE);
    for byte in 1..=10 {
        client.write_u8(byte).await.unwrap();
    }
    assert!(timeout(SILENCE, client.read_u8()).await.is_err());
    for byte in 1..=10 {
        assert_eq!(client.read_u8().await.unwrap(), byte + 1);
    }
}

#[tokio::test]
async fn a_swallowed_answer_is_lost_after_the_question_was_heard() {
    let (proxy, mut client) = line().await;
    proxy.swallow_answers(1);
    assert!(ask(&mut client, 7).await.is_err());
    proxy.swallowed(1).await;
    let mut again = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut again, 7).await.unwrap(), 8);
}

#[tokio::test]
async fn a_restarted_target_is_found_at_its_new_address() {
    let (proxy, mut client) = line().await;
    proxy.retarget(counter().await);
    proxy.reset_connections();
    assert!(client.read_u8().await.is_err());
    let mut again = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut again, 3).await.unwrap(), 4);
}

#[tokio::test]
async fn what_was_carried_is_counted_each_way() {
    let (proxy, mut client) = line().await;
    assert_eq!(ask(&mut client, 7).await.unwrap(), 8);
    proxy.hold_down();
    client.write_u8(1).await.unwrap();
    timeout(SILENCE, client.read_u8()).await.unwrap_err();
    assert_eq!(
        proxy.carried(),
        Carried { up: 3, down: 2 },
        "an answer that is held has not arrived"
    );
}
