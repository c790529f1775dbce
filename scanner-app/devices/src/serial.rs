//! Imagers on a serial line: 8 data bits, no parity, 1 stop bit, no flow control.

use std::{
    io::{self, ErrorKind, Read as _},
    sync::mpsc::SyncSender,
    time::Duration,
};

use eventify_scanner_controller::io::SerialBytes;

use crate::{
    DeviceEvent, Worker, clock,
    worker::{End, Stop, spawn},
};

/// How most imagers leave the factory.
pub const DEFAULT_BAUD: u32 = 9_600;

/// Longest wait for a byte, after which the thread looks whether it has to end.
const PATIENCE: Duration = Duration::from_millis(100);

/// Reads the line at `path` until the worker is dropped.
///
/// # Errors
/// The system starts no thread.
pub fn open(path: &str, baud: u32, events: SyncSender<DeviceEvent>) -> io::Result<Worker> {
    let path = path.to_owned();
    spawn("serial", events, move |stop, emit| {
        read(&path, baud, stop, emit)
    })
}

/// Lines that could have an imager.
#[must_use]
pub fn list() -> Vec<String> {
    let ports = serialport::available_ports().unwrap_or_default();
    ports.into_iter().map(|port| port.port_name).collect()
}

fn read(path: &str, baud: u32, stop: &Stop, emit: &dyn Fn(DeviceEvent) -> bool) -> End {
    let mut line = match serialport::new(path, baud).timeout(PATIENCE).open() {
        Ok(line) => line,
        Err(error) => return End::Gone(error.to_string()),
    };
    if !emit(DeviceEvent::Found) {
        return End::Stopped;
    }
    let mut buffer = [0; 1_024];
    loop {
        let went_out = match line.read(&mut buffer) {
            Ok(0) => return End::Gone("the line has ended".to_owned()),
            Ok(count) => emit(DeviceEvent::Bytes {
                bytes: SerialBytes(buffer[..count].to_vec()),
                at_ms: clock::milliseconds(),
            }),
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                true
            }
            Err(error) => return End::Gone(error.to_string()),
        };
        if !went_out || stop.wait(Duration::ZERO) {
            return End::Stopped;
        }
    }
}
