//! Open and closed loops of requests.
//!
//! In an open loop each request has a due time, and its latency counts from then, even if all
//! connections were still busy: so a stall counts for every request that was due during it. In a closed
//! loop each connection sends the next request after the response, which gives the maximum rate.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::task::JoinSet;

use super::wire::{Connection, Response};
use crate::{clock, story::percentile};

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// An open loop with this rate.
    PerSecond(u32),
    /// A closed loop, for at most this long.
    AsAnswered(Duration),
}

/// The results of the requests, in any order.
#[derive(Debug)]
pub(super) struct Driven<T> {
    pub(super) answers: Vec<T>,
    latencies: Vec<Duration>,
    took: Duration,
}

impl<T> Driven<T> {
    /// The latency within which this share of the requests was answered, in milliseconds.
    pub(super) fn latency_ms(&self, share: f64) -> f64 {
        percentile(self.latencies.clone(), share)
    }

    /// Results a second that `count` accepts.
    pub(super) fn rate(&self, count: impl Fn(&T) -> bool) -> f64 {
        rate(
            self.answers.iter().filter(|answer| count(answer)).count(),
            self.took,
        )
    }

    /// Results for each of these seconds, such as a program's processor time.
    pub(super) fn per_second_of(&self, seconds: f64) -> f64 {
        rate(self.answers.len(), Duration::from_secs_f64(seconds))
    }

    /// Median, tail and number, as text.
    pub(super) fn spread(&self) -> String {
        format!(
            "p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms of {}",
            self.latency_ms(0.5),
            self.latency_ms(0.99),
            self.latency_ms(1.0),
            self.latencies.len()
        )
    }
}

/// Events a second.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
pub(super) fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// When a request is due, after the start.
fn due(number: usize, per_second: u32) -> Duration {
    let nanoseconds = u128::try_from(number).unwrap_or(u128::MAX) * 1_000_000_000;
    let after = nanoseconds / u128::from(per_second.max(1));
    Duration::from_nanos(u64::try_from(after).unwrap_or(u64::MAX))
}

/// Sends the requests over the connections and decodes each response with `read`, which fails the run
/// if the response is wrong.
pub(super) async fn drive<T: Send + 'static>(
    connections: &mut Vec<Connection>,
    requests: Vec<Vec<u8>>,
    pace: Pace,
    read: fn(&Response) -> Result<T>,
) -> Result<Driven<T>> {
    let shared = Arc::new(Shared {
        requests,
        next: AtomicUsize::new(0),
        begin: clock::instant(),
        pace,
    });
    let mut lanes = JoinSet::new();
    for connection in connections.drain(..) {
        lanes.spawn(lane(connection, Arc::clone(&shared), read));
    }
    let (mut answers, mut latencies) = (Vec::new(), Vec::new());
    while let Some(lane) = lanes.join_next().await {
        let (connection, done) = lane??;
        connections.push(connection);
        for (answer, latency) in done {
            answers.push(answer);
            latencies.push(latency);
        }
    }
    Ok(Driven {
        answers,
        latencies,
        took: shared.begin.elapsed(),
    })
}

struct Shared {
    requests: Vec<Vec<u8>>,
    next: AtomicUsize,
    begin: Instant,
    pace: Pace,
}

impl Shared {
    /// The next request and the time from which it counts, when it is due.
    async fn take(&self) -> Option<(&[u8], Instant)> {
        if let Pace::AsAnswered(limit) = self.pace
            && self.begin.elapsed() >= limit
        {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let request = self.requests.get(number)?;
        let from = match self.pace {
            Pace::PerSecond(rate) => {
                let at = self.begin + due(number, rate);
                tokio::time::sleep_until(at.into()).await;
                at
            }
            Pace::AsAnswered(_) => clock::instant(),
        };
        Some((request, from))
    }
}

type Done<T> = Vec<(T, Duration)>;

async fn lane<T>(
    mut connection: Connection,
    shared: Arc<Shared>,
    read: fn(&Response) -> Result<T>,
) -> Result<(Connection, Done<T>)> {
    let mut done = Vec::new();
    while let Some((request, from)) = shared.take().await {
        let answer = connection.ask(request).await?;
        done.push((read(&answer)?, from.elapsed()));
    }
    Ok((connection, done))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn the_schedule_neither_drifts_nor_rounds_up() {
        assert_eq!(due(0, 1_000), Duration::ZERO);
        assert_eq!(due(1, 1_000), Duration::from_millis(1));
        assert_eq!(due(3_000, 300), Duration::from_secs(10));
        assert_eq!(due(1, 3), Duration::from_nanos(333_333_333));
        assert_eq!(due(30, 3), Duration::from_secs(10));
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let samples: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        let at = |share| percentile(samples.clone(), share);
        assert!((at(0.5) - 100.0).abs() < 1e-9);
        assert!((at(0.99) - 198.0).abs() < 1e-9);
        assert!((at(1.0) - 200.0).abs() < 1e-9);
        assert!(percentile(Vec::new(), 0.5).is_nan());
        assert!((rate(500, Duration::from_millis(250)) - 2_000.0).abs() < 1e-9);
    }

    /// Answers nothing until all of a burst have been asked of it, one after the other.
    #[tokio::test]
    async fn who_comes_during_a_stall_waits_from_when_they_came() {
        const STALL: Duration = Duration::from_millis(300);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut request = [0; 4];
            peer.read_exact(&mut request).await.unwrap();
            tokio::time::sleep(STALL).await;
            loop {
                peer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                    .await
                    .unwrap();
                if peer.read_exact(&mut request).await.is_err() {
                    break;
                }
            }
        });
        let mut connections = vec![Connection::plain(address).await.unwrap()];
        let requests = vec![b"ask\n".to_vec(); 100];
        let read = |answer: &Response| Ok(answer.status);
        let driven = drive(&mut connections, requests, Pace::PerSecond(1_000), read)
            .await
            .unwrap();
        assert_eq!(driven.answers, [204; 100]);
        assert_eq!(connections.len(), 1, "the connection is given back");
        // All of the hundred came within the stall: the last one 99 ms after the first.
        assert!(driven.latency_ms(0.01) >= 200.0, "{}", driven.spread());
        assert!(driven.latency_ms(1.0) >= 300.0, "{}", driven.spread());
    }
}
