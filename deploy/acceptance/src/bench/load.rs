//! Open and closed loops of requests.
//!
//! In an open loop the guests come when they come: each request has its time, and its latency counts
//! from that time, also if the connections were still busy with the ones before. A stall is thus felt
//! by all who came during it. In a closed loop each connection asks again as soon as it was answered,
//! which says how much can be done at all.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::task::JoinSet;

use super::wire::{Answer, Connection};
use crate::{clock, story::percentile};

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// So many a second, whatever becomes of them.
    PerSecond(u32),
    /// Each connection as soon as it is free, for at most so long.
    AsAnswered(Duration),
}

/// What became of the requests, in no order.
#[derive(Debug)]
pub(super) struct Driven<T> {
    pub(super) answers: Vec<T>,
    latencies: Vec<Duration>,
    took: Duration,
}

impl<T> Driven<T> {
    /// The latency that this share of the requests kept, in milliseconds.
    pub(super) fn latency_ms(&self, share: f64) -> f64 {
        percentile(self.latencies.clone(), share)
    }

    /// Answers a second, those that `count` takes.
    pub(super) fn rate(&self, count: impl Fn(&T) -> bool) -> f64 {
        rate(
            self.answers.iter().filter(|answer| count(answer)).count(),
            self.took,
        )
    }

    /// Answers for each of these seconds of somebody's work.
    pub(super) fn per_second_of(&self, seconds: f64) -> f64 {
        rate(self.answers.len(), Duration::from_secs_f64(seconds))
    }

    /// Median, tail and number, for a note.
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

/// So many in that time, a second.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
pub(super) fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// After which time a request is due.
fn due(number: usize, per_second: u32) -> Duration {
    let nanoseconds = u128::try_from(number).unwrap_or(u128::MAX) * 1_000_000_000;
    let after = nanoseconds / u128::from(per_second.max(1));
    Duration::from_nanos(u64::try_from(after).unwrap_or(u64::MAX))
}

/// Sends the requests over the connections and reads each answer with `read`, which fails the run
/// for one that must not be. Gives the connections back.
pub(super) async fn drive<T: Send + 'static>(
    connections: &mut Vec<Connection>,
    requests: Vec<Vec<u8>>,
    pace: Pace,
    read: fn(&Answer) -> Result<T>,
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
    read: fn(&Answer) -> Result<T>,
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
        let read = |answer: &Answer| Ok(answer.status);
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
