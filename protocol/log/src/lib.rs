//! Standard error for the log lines of a program that goes on without them.
//!
//! A thread writes the lines. Whoever logs waits for nothing: while the reader of standard error stands
//! still, lines are kept up to a limit and the next ones dropped; when it reads again, one line says
//! how many. A disk without space loses lines and does nothing else.
//!
//! Deliberately absent: files, rotation, levels and formats.

mod output;
mod throttle;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

pub use output::{Output, ReaderGone};
pub use throttle::LogThrottle;

/// Lines that wait for a slow reader; a line has some hundred bytes.
const MAX_WAITING: usize = 4_096;
/// How long the end of the program waits for its last lines.
const LONGEST_FLUSH: Duration = Duration::from_secs(1);

/// A writer for each line: its one `write` is the line.
#[derive(Clone, Debug)]
pub struct LogLines {
    queue: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// Answered when all before it is written.
    Flush(SyncSender<()>),
}

/// Dropped at the end of the program, it waits a moment until the last lines are written.
#[derive(Debug)]
pub struct Flush(LogLines);

/// Lines to standard error. `of_loss` is the line that says how many were dropped, with its end.
///
/// # Errors
/// The system starts no thread.
pub fn to_stderr(of_loss: fn(u64) -> String) -> io::Result<(LogLines, Flush)> {
    to(io::stderr(), of_loss)
}

fn to(
    out: impl Write + Send + 'static,
    of_loss: fn(u64) -> String,
) -> io::Result<(LogLines, Flush)> {
    let (queue, entries) = sync_channel(MAX_WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let writer = Writer {
        out,
        of_loss,
        lost: Arc::clone(&lost),
    };
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || writer.run(&entries))?;
    let lines = LogLines { queue, lost };
    Ok((lines.clone(), Flush(lines)))
}

struct Writer<W> {
    out: W,
    of_loss: fn(u64) -> String,
    lost: Arc<AtomicU64>,
}

impl<W: Write> Writer<W> {
    fn run(mut self, entries: &Receiver<Entry>) {
        for entry in entries {
            match entry {
                Entry::Line(line) => self.write(&line),
                // Nobody may wait for it any more.
                Entry::Flush(done) => drop(done.send(())),
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                self.write((self.of_loss)(lost).as_bytes());
            }
        }
    }

    /// There is no other place where a failure could be reported.
    fn write(&mut self, line: &[u8]) {
        drop(self.out.write_all(line));
    }
}

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Entry::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let (done, written) = sync_channel(1);
        let queue = self.0.queue.clone();
        // The queue may be full: waiting for room counts towards the same limit.
        let asked = thread::Builder::new()
            .name("log-flush".to_owned())
            .spawn(move || queue.send(Entry::Flush(done)));
        if asked.is_ok() {
            let _late = written.recv_timeout(LONGEST_FLUSH);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// A reader that takes a line when it is let, and shows what it took.
    struct Slow {
        may_read: Mutex<Receiver<()>>,
        taken: Sender<String>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ended = self.may_read.lock().unwrap().recv();
            self.taken
                .send(String::from_utf8(bytes.to_vec()).unwrap())
                .unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn of_loss(lost: u64) -> String {
        format!("{lost} lost\n")
    }

    #[test]
    fn nobody_waits_for_a_reader_that_stands_still_and_what_was_dropped_is_counted() {
        let (let_read, may_read) = channel();
        let (taken, lines) = channel();
        let slow = Slow {
            may_read: Mutex::new(may_read),
            taken,
        };
        let (mut log, flush) = to(slow, of_loss).unwrap();
        let written = MAX_WAITING + 100;
        for number in 0..written {
            log.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        drop(let_read);
        let mut kept = 0;
        let lost = loop {
            let line = lines.recv().unwrap();
            match line.strip_suffix(" lost\n") {
                Some(lost) => break lost.parse::<usize>().unwrap(),
                None => {
                    assert_eq!(line, format!("{kept}\n"));
                    kept += 1;
                }
            }
        };
        assert!((99..=100).contains(&lost), "one may be in hand: {lost}");
        log.write_all(b"the next\n").unwrap();
        drop(flush);
        let rest: Vec<_> = lines.try_iter().collect();
        assert_eq!(rest.last().unwrap(), "the next\n");
        assert_eq!(kept + rest.len() - 1 + lost, written);
    }

    #[test]
    fn the_end_of_the_program_waits_for_the_lines_of_a_full_queue() {
        let (let_read, may_read) = channel();
        let (taken, lines) = channel();
        let slow = Slow {
            may_read: Mutex::new(may_read),
            taken,
        };
        let (mut log, flush) = to(slow, of_loss).unwrap();
        while log.lost.load(Ordering::Relaxed) == 0 {
            log.write_all(b"a line\n").unwrap();
        }
        drop(let_read);
        drop(flush);
        let written = lines.try_iter().filter(|line| line == "a line\n").count();
        assert!(written >= MAX_WAITING, "{written}");
    }

    #[test]
    fn a_disk_without_space_is_no_error_of_who_logs() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut log, flush) = to(Full, of_loss).unwrap();
        log.write_all(b"a line\n").unwrap();
        drop(flush);
    }
}
