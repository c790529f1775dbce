//! Rhythms on the speaker.

use std::{io, num::NonZeroU32, sync::mpsc::sync_channel, thread};

use eventify_scanner_controller::{io::Input, tones::Rhythm};
use eventify_scanner_devices::speaker::{Sound, Speaker, SpeakerEvent};
use tokio::sync::mpsc;

const SAMPLE_RATE: NonZeroU32 = NonZeroU32::new(48_000).expect("it is not zero");
/// States of the speaker that wait to be read.
const MAX_WAITING: usize = 8;

#[derive(Debug)]
pub(crate) struct Sounds(Speaker);

impl Sounds {
    /// Tells the controller whether sounds can be heard.
    pub(crate) fn start(inputs: mpsc::Sender<Input>) -> io::Result<Self> {
        let (sender, states) = sync_channel(MAX_WAITING);
        let speaker = Speaker::start(sender)?;
        thread::Builder::new()
            .name("speaker-state".to_owned())
            .spawn(move || {
                for state in states {
                    let works = state == SpeakerEvent::Works;
                    if inputs.blocking_send(Input::Sound(works)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self(speaker))
    }

    pub(crate) fn play(&self, rhythm: Rhythm, volume: u8) {
        self.0.play(Sound {
            samples: rhythm.samples(SAMPLE_RATE.get(), volume),
            sample_rate: SAMPLE_RATE,
        });
    }
}
