//! Standard output of a command, whose reader may leave before all is written: `eventify-edge status | head -1`.
//! That is no fault, and nobody is left who would read of one.

use std::io::{self, ErrorKind, Write};

/// Writes there, and remembers whether its reader is still there.
#[derive(Debug)]
pub struct Output<W = io::Stdout> {
    to: W,
    reader_is_gone: bool,
}

/// Whoever read standard output has closed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderGone;

impl std::fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("standard output is closed")
    }
}

impl std::error::Error for ReaderGone {}

impl Output {
    /// Of this process.
    #[must_use]
    pub fn stdout() -> Self {
        Self::to(io::stdout())
    }
}

impl<W: Write> Output<W> {
    #[must_use]
    pub fn to(to: W) -> Self {
        Self {
            to,
            reader_is_gone: false,
        }
    }

    /// Whether a write has found nobody: what failed by it has not failed for anybody.
    #[must_use]
    pub fn reader_is_gone(&self) -> bool {
        self.reader_is_gone
    }

    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            if error.kind() != ErrorKind::BrokenPipe {
                return error;
            }
            self.reader_is_gone = true;
            io::Error::new(ErrorKind::BrokenPipe, ReaderGone)
        })
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes);
        self.noted(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.to.flush();
        self.noted(flushed)
    }
}

impl ReaderGone {
    /// Whether a write to an [`Output`] ended with this error.
    #[must_use]
    pub fn is(error: &io::Error) -> bool {
        let inner = error.get_ref();
        inner
            .and_then(|inner| inner.downcast_ref::<Self>())
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_left_is_told_from_a_disk_that_is_full() {
        for (kind, gone) in [
            (ErrorKind::BrokenPipe, true),
            (ErrorKind::StorageFull, false),
        ] {
            let mut output = Output::to(Fails(kind));
            assert!(!output.reader_is_gone());
            let error = output.write_all(b"mode").unwrap_err();
            assert_eq!((error.kind(), ReaderGone::is(&error)), (kind, gone));
            assert_eq!(output.reader_is_gone(), gone);
        }
        let elsewhere = io::Error::from(ErrorKind::BrokenPipe);
        assert!(!ReaderGone::is(&elsewhere), "a socket's");
    }
}
