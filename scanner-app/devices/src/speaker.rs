//! Plays samples on the machine's default output.

use std::{
    io,
    num::{NonZeroU16, NonZeroU32},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use rodio::{DeviceSinkBuilder, MixerDeviceSink, Player, buffer::SamplesBuffer};

/// One speaker.
const MONO: NonZeroU16 = NonZeroU16::MIN;
/// Sounds that wait; a person would not understand more.
const MAX_WAITING: usize = 8;

/// Samples of one channel between -1 and 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    pub samples: Vec<f32>,
    /// In hertz.
    pub sample_rate: NonZeroU32,
}

/// Where sounds go. They are played by a thread that ends when this is dropped.
#[derive(Clone, Debug)]
pub struct Speaker(SyncSender<Sound>);

/// Whether the machine makes sounds at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpeakerEvent {
    Works,
    /// There is no output, or it is gone. Each sound tries again.
    Silent,
}

impl Speaker {
    /// Says in `events` when sounds can't be heard, and when they can again.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn start(events: SyncSender<SpeakerEvent>) -> io::Result<Self> {
        let (sender, sounds) = sync_channel(MAX_WAITING);
        thread::Builder::new()
            .name("speaker".to_owned())
            .spawn(move || run(&sounds, &events))?;
        Ok(Self(sender))
    }

    /// Plays a sound at once; what is being played ends. One that nobody could tell apart any more is
    /// dropped.
    pub fn play(&self, sound: Sound) {
        drop(self.0.try_send(sound));
    }
}

fn run(sounds: &Receiver<Sound>, events: &SyncSender<SpeakerEvent>) {
    let mut output: Option<(MixerDeviceSink, Player)> = None;
    let mut last = None;
    for sound in sounds {
        if output.is_none() {
            output = open();
        }
        let state = match &output {
            Some((_, player)) => {
                player.clear();
                player.append(SamplesBuffer::new(MONO, sound.sample_rate, sound.samples));
                player.play();
                SpeakerEvent::Works
            }
            None => SpeakerEvent::Silent,
        };
        if last.replace(state) != Some(state) && events.send(state).is_err() {
            return;
        }
    }
}

fn open() -> Option<(MixerDeviceSink, Player)> {
    match DeviceSinkBuilder::open_default_sink() {
        Ok(mut sink) => {
            sink.log_on_drop(false);
            let player = Player::connect_new(sink.mixer());
            Some((sink, player))
        }
        Err(error) => {
            tracing::debug!(%error, "no sound output");
            None
        }
    }
}
