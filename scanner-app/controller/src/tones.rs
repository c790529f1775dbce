//! What a verdict sounds and feels like: rhythms that differ without hearing pitch, computed as samples.
//!
//! Deliberately absent: sound devices. Whoever plays the samples is outside.

use std::{f32::consts::PI, time::Duration};

use crate::view::Class;

/// One sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rhythm {
    /// The trigger was pulled. Says nothing about the ticket.
    Click,
    Go,
    Used,
    Stop,
    Hold,
    /// The node has locked; once.
    Siren,
    /// A verdict of a drill, whatever it is: unlike each real one.
    Drill,
    /// Of the button in the settings.
    Test,
    /// Somebody is out again: a guest has left, or an admission was taken back.
    Exit,
}

impl Rhythm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Click,
        Self::Go,
        Self::Used,
        Self::Stop,
        Self::Hold,
        Self::Siren,
        Self::Drill,
        Self::Test,
        Self::Exit,
    ];

    /// Of a real verdict.
    #[must_use]
    pub fn of(class: Class) -> Self {
        match class {
            Class::Go => Self::Go,
            Class::Used => Self::Used,
            Class::Stop => Self::Stop,
            Class::Hold => Self::Hold,
            Class::Done => Self::Exit,
        }
    }

    /// Tones and the pauses behind them.
    fn parts(self) -> &'static [Part] {
        const fn tone(ms: u32, hz: f32, pause_ms: u32) -> Part {
            Part {
                ms,
                from_hz: hz,
                to_hz: hz,
                pause_ms,
            }
        }
        const fn sweep(from_hz: f32, to_hz: f32) -> Part {
            Part {
                ms: 500,
                from_hz,
                to_hz,
                pause_ms: 0,
            }
        }
        match self {
            Self::Click => const { &[tone(15, 1_500.0, 0)] },
            Self::Go => const { &[tone(120, 880.0, 0)] },
            Self::Used => const { &[tone(150, 660.0, 100), tone(150, 660.0, 0)] },
            Self::Stop => const { &[tone(600, 350.0, 0)] },
            Self::Hold => const { &[tone(80, 520.0, 80), tone(80, 520.0, 80), tone(80, 520.0, 0)] },
            Self::Siren => {
                const {
                    &[
                        sweep(600.0, 1_200.0),
                        sweep(1_200.0, 600.0),
                        sweep(600.0, 1_200.0),
                        sweep(1_200.0, 600.0),
                    ]
                }
            }
            Self::Drill => const { &[tone(30, 1_000.0, 300), tone(30, 1_000.0, 0)] },
            Self::Test => const { &[tone(300, 440.0, 0)] },
            Self::Exit => const { &[tone(50, 740.0, 60), tone(300, 560.0, 0)] },
        }
    }

    /// Milliseconds on, off, on, …; empty for what is only heard.
    #[must_use]
    pub fn vibration_ms(self) -> &'static [u32] {
        match self {
            Self::Go => &[80],
            Self::Used => &[150, 100, 150],
            Self::Stop => &[500],
            Self::Hold => &[80, 80, 80, 80, 80],
            Self::Exit => &[50, 60, 300],
            Self::Click | Self::Siren | Self::Drill | Self::Test => &[],
        }
    }

    /// How long it takes.
    #[must_use]
    pub fn length(self) -> Duration {
        let parts = self.parts().iter();
        let ms = parts.map(|part| u64::from(part.ms + part.pause_ms)).sum();
        Duration::from_millis(ms)
    }

    /// Mono samples between -1 and 1. `volume` is 0 to 100.
    #[must_use]
    pub fn samples(self, rate_hz: u32, volume: u8) -> Vec<f32> {
        // Loudness is heard by its logarithm: the square makes the steps of the setting even.
        let part = f32::from(volume.min(100)) / 100.0;
        let peak = part * part;
        let mut samples = Vec::new();
        for part in self.parts() {
            part.render(rate_hz, peak, &mut samples);
        }
        samples
    }
}

/// A tone, which may glide, and silence behind it.
struct Part {
    ms: u32,
    from_hz: f32,
    to_hz: f32,
    pause_ms: u32,
}

/// Rise and fall of a tone: without them loudspeakers click.
const EDGE_MS: u32 = 4;

impl Part {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a tone has less than 2^24 samples"
    )]
    fn render(&self, rate_hz: u32, peak: f32, samples: &mut Vec<f32>) {
        let count = count(self.ms, rate_hz);
        let edge = count_f32(EDGE_MS, rate_hz);
        let mut phase = 0.0_f32;
        for at in 0..count {
            let (at, left) = (at as f32, (count - 1 - at) as f32);
            let gain = raised_cosine(at / edge) * raised_cosine(left / edge);
            samples.push(peak * gain * phase.sin());
            let hz = self.from_hz + (self.to_hz - self.from_hz) * at / count as f32;
            phase = (phase + 2.0 * PI * hz / rate_hz as f32) % (2.0 * PI);
        }
        let silence = samples.len() + self::count(self.pause_ms, rate_hz);
        samples.resize(silence, 0.0);
    }
}

/// From 0 to 1 while `part` goes from 0 to 1, and 1 after that.
fn raised_cosine(part: f32) -> f32 {
    0.5 - 0.5 * (PI * part.min(1.0)).cos()
}

fn count(ms: u32, rate_hz: u32) -> usize {
    (ms as usize * rate_hz as usize) / 1_000
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an edge has some hundred samples"
)]
fn count_f32(ms: u32, rate_hz: u32) -> f32 {
    count(ms, rate_hz) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;
    /// Softer than this is silence.
    const FLOOR: f32 = 0.005;

    /// Lengths of the tones and of the silences between them, in milliseconds, as heard.
    fn heard(samples: &[f32]) -> Vec<u32> {
        // A tone crosses zero some hundred times a second; a silence is longer than that.
        let quiet = RATE as usize / 200;
        let loud: Vec<usize> = (0..samples.len())
            .filter(|at| samples[*at].abs() > FLOOR)
            .collect();
        let mut edges = vec![loud[0]];
        for pair in loud.windows(2) {
            if pair[1] - pair[0] > quiet {
                edges.extend(pair);
            }
        }
        edges.push(loud[loud.len() - 1]);
        let ms = |samples: usize| u32::try_from(samples * 1_000).unwrap() / RATE;
        edges.windows(2).map(|pair| ms(pair[1] - pair[0])).collect()
    }

    #[test]
    fn each_class_has_the_rhythm_that_staff_learn() {
        let expected: [(Rhythm, &[u32]); 7] = [
            (Rhythm::Click, &[15]),
            (Rhythm::Go, &[120]),
            (Rhythm::Used, &[150, 100, 150]),
            (Rhythm::Stop, &[600]),
            (Rhythm::Hold, &[80, 80, 80, 80, 80]),
            (Rhythm::Siren, &[2_000]),
            (Rhythm::Exit, &[50, 60, 300]),
        ];
        for (rhythm, expected) in expected {
            let heard = heard(&rhythm.samples(RATE, 100));
            assert_eq!(heard.len(), expected.len(), "{rhythm:?}: {heard:?}");
            for (heard, expected) in heard.iter().zip(expected) {
                assert!(
                    heard.abs_diff(*expected) <= 3,
                    "{rhythm:?}: {heard} for {expected}"
                );
            }
        }
    }

    #[test]
    fn a_refusal_is_low() {
        let samples = Rhythm::Stop.samples(RATE, 100);
        let crossings = samples
            .windows(2)
            .filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0);
        let hz = crossings.count() * 1_000 / 600;
        assert!((340..=360).contains(&hz), "{hz}");
    }

    #[test]
    fn no_tone_clicks_and_none_is_louder_than_it_may_be() {
        for rhythm in Rhythm::ALL {
            for rate in [8_000, 44_100, RATE] {
                let samples = rhythm.samples(rate, 100);
                assert!(samples.iter().all(|sample| sample.abs() <= 1.0));
                assert_eq!((samples[0], samples[samples.len() - 1]), (0.0, 0.0));
                // The steepest step of a sine of this frequency, and nothing on top of it at its ends.
                let steepest = samples.windows(2).map(|pair| (pair[1] - pair[0]).abs());
                let limit = 2.0 * PI * 1_500.0 / f64::from(rate) as f32 * 1.1;
                assert!(
                    steepest.fold(0.0, f32::max) <= limit,
                    "{rhythm:?} at {rate}"
                );
            }
        }
    }

    #[test]
    fn the_volume_is_obeyed_down_to_silence() {
        let peak = |volume| {
            let samples = Rhythm::Go.samples(RATE, volume);
            samples
                .iter()
                .fold(0.0_f32, |peak, sample| peak.max(sample.abs()))
        };
        assert!(peak(100) > 0.95 && peak(50) < 0.3 && peak(50) > 0.2);
        assert_eq!(peak(0), 0.0);
        assert_eq!(peak(200), peak(100));
    }

    #[test]
    fn lengths_and_vibrations_are_told_beside() {
        for rhythm in Rhythm::ALL {
            let samples = rhythm.samples(1_000, 50).len() as u128;
            assert_eq!(rhythm.length().as_millis(), samples, "{rhythm:?}");
        }
        let classes = [Class::Go, Class::Used, Class::Stop, Class::Hold];
        let patterns = classes.map(|class| Rhythm::of(class).vibration_ms());
        assert_eq!(
            patterns,
            [&[80][..], &[150, 100, 150], &[500], &[80, 80, 80, 80, 80]]
        );
    }

    #[test]
    fn a_drill_sounds_like_nothing_real() {
        let drill = heard(&Rhythm::Drill.samples(RATE, 100));
        for class in [
            Class::Go,
            Class::Used,
            Class::Stop,
            Class::Hold,
            Class::Done,
        ] {
            assert_ne!(drill, heard(&Rhythm::of(class).samples(RATE, 100)));
        }
    }
}
