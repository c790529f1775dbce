//! A device's thread.

use std::{
    cell::Cell,
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use crate::DeviceEvent;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// A device that is read until this is dropped; its thread ends within a quarter of a second after.
#[derive(Debug)]
pub struct Worker {
    _stop: SyncSender<()>,
}

/// Whether the thread has to end.
#[derive(Debug)]
pub(crate) struct Stop(Receiver<()>);

impl Stop {
    /// Waits so long; true if the thread has to end.
    pub(crate) fn wait(&self, pause: Duration) -> bool {
        !matches!(self.0.recv_timeout(pause), Err(RecvTimeoutError::Timeout))
    }
}

/// Why a device is read no longer.
pub(crate) enum End {
    /// The handle was dropped, or nobody takes the events.
    Stopped,
    /// The device is gone.
    Gone(String),
}

/// Runs `read` on a thread, again after each time that the device was gone. `read` returns when it is
/// gone, or when `Stop` says so; it reports the device as found itself.
pub(crate) fn spawn(
    name: &str,
    events: SyncSender<DeviceEvent>,
    read: impl Fn(&Stop, &dyn Fn(DeviceEvent) -> bool) -> End + Send + 'static,
) -> io::Result<Worker> {
    let (stop, stopped) = sync_channel(1);
    let stop_of_thread = Stop(stopped);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let (mut pause, mut was_said) = (FIRST_PAUSE, false);
            loop {
                let found = Cell::new(false);
                let emit = |event: DeviceEvent| {
                    found.set(found.get() || event == DeviceEvent::Found);
                    events.send(event).is_ok()
                };
                let End::Gone(reason) = read(&stop_of_thread, &emit) else {
                    return;
                };
                if found.get() {
                    (pause, was_said) = (FIRST_PAUSE, false);
                }
                // Once, however often it is looked for.
                if !std::mem::replace(&mut was_said, true)
                    && events.send(DeviceEvent::Gone { reason }).is_err()
                {
                    return;
                }
                if stop_of_thread.wait(pause) {
                    return;
                }
                pause = (pause * 2).min(MAX_PAUSE);
            }
        })?;
    Ok(Worker { _stop: stop })
}
