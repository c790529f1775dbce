use std::{
    fs::File,
    io::Write as _,
    os::unix::fs::symlink,
    sync::mpsc::{Receiver, sync_channel},
    time::Duration,
};

use eventify_scanner_devices::{
    DeviceEvent, Worker,
    serial::{DEFAULT_BAUD, open},
};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Fails a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// An imager that is plugged in by a link, as udev does.
struct Imager {
    folder: tempfile::TempDir,
    line: Option<File>,
}

impl Imager {
    fn new() -> Self {
        let mut imager = Self {
            folder: tempfile::tempdir().unwrap(),
            line: None,
        };
        imager.plug_in();
        imager
    }

    fn path(&self) -> String {
        let path = self.folder.path().join("imager");
        path.to_str().unwrap().to_owned()
    }

    fn plug_in(&mut self) {
        let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&line).unwrap();
        unlockpt(&line).unwrap();
        let name = ptsname(&line, Vec::new()).unwrap();
        symlink(name.to_str().unwrap(), self.path()).unwrap();
        self.line = Some(File::from(line));
    }

    fn unplug(&mut self) {
        self.line = None;
        std::fs::remove_file(self.path()).unwrap();
    }

    fn send(&mut self, bytes: &[u8]) {
        self.line.as_mut().unwrap().write_all(bytes).unwrap();
    }

    fn open(&self) -> (Worker, Receiver<DeviceEvent>) {
        let (sender, events) = sync_channel(64);
        let worker = open(&self.path(), DEFAULT_BAUD, sender).unwrap();
        (worker, events)
    }
}

/// Reads until so many bytes have come, however they were cut.
fn bytes(events: &Receiver<DeviceEvent>, count: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < count {
        let event = events.recv_timeout(PATIENCE).unwrap();
        let DeviceEvent::Bytes { bytes, .. } = event else {
            panic!("{event:?} in the place of bytes");
        };
        got.extend(bytes.0);
    }
    got
}

#[test]
fn a_code_comes_whole_though_it_is_sent_in_halves() {
    let mut imager = Imager::new();
    let (_worker, events) = imager.open();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(DeviceEvent::Found));
    imager.send(b"EV1:ABC");
    assert_eq!(bytes(&events, 7), b"EV1:ABC");
    imager.send(b"DEF\r\n");
    assert_eq!(bytes(&events, 5), b"DEF\r\n");
}

#[test]
fn an_imager_that_is_unplugged_in_a_code_is_said_to_be_gone_and_used_again_when_it_is_back() {
    let mut imager = Imager::new();
    let (_worker, events) = imager.open();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(DeviceEvent::Found));
    imager.send(b"EV1:HAL");
    assert_eq!(bytes(&events, 7), b"EV1:HAL");
    imager.unplug();
    let gone = events.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(gone, DeviceEvent::Gone { .. }), "{gone:?}");
    imager.plug_in();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(DeviceEvent::Found));
    imager.send(b"EV1:WHOLE\r");
    assert_eq!(bytes(&events, 10), b"EV1:WHOLE\r");
}

#[test]
fn an_imager_that_is_not_there_is_said_to_be_gone_once() {
    let mut imager = Imager::new();
    imager.unplug();
    let (worker, events) = imager.open();
    let gone = events.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(gone, DeviceEvent::Gone { .. }), "{gone:?}");
    imager.plug_in();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(DeviceEvent::Found));
    drop(worker);
    assert!(
        events.recv_timeout(PATIENCE).is_err(),
        "the thread has ended, and has nothing more to say"
    );
}
