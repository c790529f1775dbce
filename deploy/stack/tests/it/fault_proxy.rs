//! Each fault of the fault proxy.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use eventify_stack::{FaultProxy, Traffic};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longer than a response on loopback takes; how long a test waits that expects none.
const SILENCE: Duration = Duration::from_millis(200);

/// A server that answers each byte with the next number.
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

async fn connected() -> (FaultProxy, TcpStream) {
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
async fn a_cut_link_resets_old_and_new_connections_and_can_be_healed() {
    let (proxy, mut client) = connected().await;
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
    let (proxy, mut client) = connected().await;
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
async fn a_connection_that_is_held_when_the_link_is_cut_stays_closed() {
    let (proxy, mut client) = connected().await;
    proxy.black_hole();
    client.write_u8(7).await.unwrap();
    proxy.cut();
    proxy.heal();
    assert!(client.read_u8().await.is_err());
}

#[tokio::test]
async fn each_direction_can_be_held_alone() {
    let (proxy, mut client) = connected().await;
    proxy.hold_responses();
    client.write_u8(7).await.unwrap();
    assert!(timeout(SILENCE, client.read_u8()).await.is_err());
    // The request has arrived, so its response comes even while requests are held.
    proxy.heal();
    proxy.hold_requests();
    assert_eq!(client.read_u8().await.unwrap(), 8);
    client.write_u8(9).await.unwrap();
    assert!(timeout(SILENCE, client.read_u8()).await.is_err());
    proxy.heal();
    assert_eq!(client.read_u8().await.unwrap(), 10);
}

#[tokio::test]
async fn a_delay_holds_each_direction_and_keeps_the_order() {
    let (proxy, mut client) = connected().await;
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
async fn a_dropped_response_is_lost_after_its_request_arrived() {
    let (proxy, mut client) = connected().await;
    proxy.drop_responses(1);
    assert!(ask(&mut client, 7).await.is_err());
    proxy.responses_dropped(1).await;
    let mut again = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut again, 7).await.unwrap(), 8);
}

#[tokio::test]
async fn a_restarted_target_is_found_at_its_new_address() {
    let (proxy, mut client) = connected().await;
    proxy.retarget(counter().await);
    proxy.reset_connections();
    assert!(client.read_u8().await.is_err());
    let mut again = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut again, 3).await.unwrap(), 4);
}

#[tokio::test]
async fn delivered_bytes_are_counted_in_each_direction() {
    let (proxy, mut client) = connected().await;
    assert_eq!(ask(&mut client, 7).await.unwrap(), 8);
    proxy.hold_responses();
    client.write_u8(1).await.unwrap();
    timeout(SILENCE, client.read_u8()).await.unwrap_err();
    assert_eq!(
        proxy.traffic(),
        Traffic { up: 3, down: 2 },
        "a held response is not delivered"
    );
}
