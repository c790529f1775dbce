//! Imagers that this machine was told of.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use eventify_scanner_controller::{
    io::Input,
    view::{Device, DeviceKind},
};
use eventify_scanner_devices::{DeviceEvent, Worker, keyboard, serial};
use tokio::sync::mpsc;

use crate::Arguments;

/// Events of one device that wait.
const MAX_WAITING: usize = 256;

/// The devices' threads, which end with this.
#[derive(Debug)]
pub(crate) struct Imagers {
    _workers: Vec<Worker>,
}

/// Opens all of them; one that is not there yet is used when it is.
pub(crate) fn open(arguments: &Arguments, inputs: &mpsc::Sender<Input>) -> io::Result<Imagers> {
    let known = Arc::new(Mutex::new(devices(arguments)));
    let mut workers = Vec::new();
    for path in &arguments.keyboard {
        let events = follow(name(path), &known, inputs)?;
        workers.push(keyboard::open(path.clone(), events)?);
    }
    for path in &arguments.serial {
        let events = follow(name(path), &known, inputs)?;
        workers.push(serial::open(&name(path), arguments.baud, events)?);
    }
    Ok(Imagers { _workers: workers })
}

fn devices(arguments: &Arguments) -> Vec<Device> {
    let of = |kind| {
        move |path| Device {
            id: name(path),
            kind,
            in_use: false,
        }
    };
    let keyboards = arguments.keyboard.iter().map(PathBuf::as_path);
    let lines = arguments.serial.iter().map(PathBuf::as_path);
    keyboards
        .map(of(DeviceKind::Wedge))
        .chain(lines.map(of(DeviceKind::Serial)))
        .collect()
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Where a device's events go.
fn follow(
    id: String,
    known: &Arc<Mutex<Vec<Device>>>,
    inputs: &mpsc::Sender<Input>,
) -> io::Result<SyncSender<DeviceEvent>> {
    let (sender, events) = sync_channel(MAX_WAITING);
    let (known, inputs) = (Arc::clone(known), inputs.clone());
    thread::Builder::new()
        .name("imager".to_owned())
        .spawn(move || pass_on(&id, &events, &known, &inputs))?;
    Ok(sender)
}

fn pass_on(
    id: &str,
    events: &Receiver<DeviceEvent>,
    known: &Mutex<Vec<Device>>,
    inputs: &mpsc::Sender<Input>,
) {
    for event in events {
        let input = match event {
            DeviceEvent::Keys(strokes) => Input::GrabbedKeys(strokes),
            DeviceEvent::Bytes { bytes, at_ms } => Input::SerialBytes { bytes, at_ms },
            DeviceEvent::Found => {
                tracing::info!(
                    code = "scanner.imager_found",
                    imager = id,
                    "an imager is there"
                );
                Input::Devices(mark(known, id, true))
            }
            DeviceEvent::Gone { reason } => {
                tracing::warn!(
                    code = "scanner.imager_gone",
                    imager = id,
                    reason,
                    "an imager is gone"
                );
                Input::Devices(mark(known, id, false))
            }
        };
        if inputs.blocking_send(input).is_err() {
            return;
        }
    }
}

fn mark(known: &Mutex<Vec<Device>>, id: &str, in_use: bool) -> Vec<Device> {
    let mut devices = known.lock().unwrap_or_else(PoisonError::into_inner);
    for device in devices.iter_mut().filter(|device| device.id == id) {
        device.in_use = in_use;
    }
    devices.clone()
}
