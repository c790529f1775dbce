//! A stream whose peer has to take what is sent to it: one that reads nothing, or a byte now and then, keeps
//! neither its connection nor the answer that waits for it.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::clock::Clock;

/// Bytes a second that a peer takes at least, counted over the time in which we wait for it.
const LEAST_RATE: f64 = 4_096.0;

pub(super) struct Paced<S> {
    stream: S,
    clock: Clock,
    /// Longest that the peer may keep us waiting.
    longest: Duration,
    /// What is left of that; it grows again with each byte that the peer takes.
    left: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, longest: Duration, clock: Clock) -> Self {
        Self {
            stream,
            clock,
            longest,
            left: longest,
            waiting: None,
        }
    }

    fn poll_paced(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            let taken = written.as_ref().map_or(0, |bytes| *bytes);
            if let Some((since, _)) = self.waiting.take() {
                let waited = self.clock.instant().duration_since(since);
                self.left = self.left.saturating_sub(waited);
            }
            let taken = f64::from(u32::try_from(taken).unwrap_or(u32::MAX));
            let earned = Duration::from_secs_f64(taken / LEAST_RATE);
            self.left = (self.left + earned).min(self.longest);
            return Poll::Ready(written);
        }
        let (clock, left) = (&self.clock, self.left);
        let (_, end) = self
            .waiting
            .get_or_insert_with(|| (clock.instant(), Box::pin(sleep(left))));
        ready!(end.as_mut().poll(cx));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.poll_paced(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.poll_paced(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// S6
    #[tokio::test]
    async fn a_peer_that_reads_nothing_ends_the_stream() {
        let (near, far) = duplex(16);
        let mut paced = Paced::new(near, Duration::from_millis(50), Clock::system());
        let error = paced.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(far);
    }

    #[tokio::test]
    async fn a_peer_that_reads_a_byte_now_and_then_ends_it_too() {
        let (near, mut far) = duplex(16);
        let mut paced = Paced::new(near, Duration::from_millis(50), Clock::system());
        let bytes = [0; 4_096];
        let trickle = async {
            let mut pause = tokio::time::interval(Duration::from_millis(10));
            loop {
                pause.tick().await;
                if far.read_u8().await.is_err() {
                    return;
                }
            }
        };
        let ended = tokio::select! {
            ended = paced.write_all(&bytes) => ended,
            () = trickle => unreachable!("the stream is still there"),
        };
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_reads_gets_all_of_it() {
        let (near, mut far) = duplex(16);
        let mut paced = Paced::new(near, Duration::from_secs(20), Clock::system());
        let sending = async {
            paced.write_all(&[7; 100_000]).await.unwrap();
            paced.shutdown().await.unwrap();
        };
        let mut received = Vec::new();
        let (_, taken) = tokio::join!(sending, far.read_to_end(&mut received));
        assert_eq!((taken.unwrap(), received), (100_000, vec![7; 100_000]));
    }
}
