//! The scanner app in its real window, and the person in front of it: reads what stands on the glass,
//! presses what is printed on it, and holds tickets before an imager that types.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use eventify_stack::{Window, WindowOptions, us_keyboard::named};
use serde::Deserialize;

use super::process;
use crate::{clock, wait};

/// A handheld's glass, in pixels.
const GLASS: (u16, u16) = (540, 960);
/// The longest time that anything takes to be seen, on a machine that is busy with other things.
const SOON: Duration = Duration::from_secs(60);
/// Of an imager, before its person gives up.
const TRIES: u32 = 6;
/// Between two keys of somebody who looks for each.
const BY_HAND: Duration = Duration::from_millis(180);

/// How the app is started.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// Its own folder: a scanner is paired for as long as it has the same one.
    pub data: &'a Path,
    pub language: &'a str,
    /// Whole screen, and left by the PIN alone.
    pub kiosk: bool,
    /// More arguments, such as `--serial PATH`.
    pub arguments: &'a [&'a str],
}

/// An open window.
#[derive(Debug)]
pub struct GateWindow {
    window: Window,
}

/// What stands on the glass.
#[derive(Clone, Debug, Deserialize)]
pub struct Glass {
    /// The largest word.
    pub word: String,
    /// Of a verdict, or of the lack of one: `go`, `used`, `stop`, `hold`.
    pub class: Option<String>,
    /// All of it.
    pub text: String,
    /// Where somebody signs in: what the provider calls this sign-in.
    pub user_code: Option<String>,
    /// It has come since the last scan.
    pub fresh: bool,
}

/// Marks what stands there: a verdict that comes is drawn anew, whatever it says.
const MARK_SEEN: &str = "document.querySelector('main section')?.setAttribute('data-seen', '')";

const GLASS_OF_PAGE: &str = "
    const word = document.querySelector('main h1, main output.code');
    return {
        word: word ? word.textContent.trim() : '',
        class: document.querySelector('.frame')?.dataset.class ?? null,
        text: document.body.innerText,
        user_code: document.querySelector('main .code output')?.textContent ?? null,
        fresh: !document.querySelector('main section')?.hasAttribute('data-seen'),
    };";

impl GateWindow {
    /// Opens the app's window on a display of its own.
    ///
    /// # Errors
    /// There is no display or no web driver, or the program does not start.
    pub async fn open(start: Start<'_>) -> Result<Self> {
        let data = start.data.to_str().context("the path is not text")?;
        let own = ["--data", data, "--language", start.language];
        let windowed: &[&str] = if start.kiosk { &[] } else { &["--windowed"] };
        let options = WindowOptions {
            program: process::program("eventify-scanner")?,
            arguments: [&own, windowed, start.arguments]
                .concat()
                .into_iter()
                .map(Into::into)
                .collect(),
            environment: vec![
                ("TZ", "Europe/Paris".to_owned()),
                ("ALSA_CONFIG_PATH", silence(start.data)?),
            ],
            size: GLASS,
        };
        let window = Window::open(options).await?;
        let opened = Self { window };
        opened.drawn().await?;
        Ok(opened)
    }

    async fn drawn(&self) -> Result<Glass> {
        self.until("a word on the glass", |glass| !glass.word.is_empty())
            .await
    }

    /// Switches the scanner off and on.
    ///
    /// # Errors
    /// It does not come back.
    pub async fn restart(&mut self) -> Result<()> {
        self.window.restart().await?;
        self.drawn().await?;
        Ok(())
    }

    /// The window itself.
    #[must_use]
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// What stands on the glass now.
    ///
    /// # Errors
    /// The page does not answer.
    pub async fn glass(&self) -> Result<Glass> {
        let seen = self.window.run(GLASS_OF_PAGE).await?;
        Ok(serde_json::from_value(seen)?)
    }

    /// Waits until the glass is as wanted.
    ///
    /// # Errors
    /// It is not in time; the error has what stands there.
    pub async fn until(&self, what: &str, is: impl Fn(&Glass) -> bool) -> Result<Glass> {
        let waited = wait::until(what, SOON, || async {
            let glass = self.glass().await?;
            Ok(is(&glass).then_some(glass))
        });
        match waited.await {
            Ok(glass) => Ok(glass),
            Err(error) => {
                let glass = self.glass().await?;
                Err(error.context(format!("on the glass: {}", glass.text)))
            }
        }
    }

    /// Waits for the largest word.
    ///
    /// # Errors
    /// It does not come in time.
    pub async fn word(&self, word: &str) -> Result<Glass> {
        self.until(word, |glass| glass.word == word).await
    }

    /// Waits for a text anywhere.
    ///
    /// # Errors
    /// It does not come in time.
    pub async fn says(&self, text: &str) -> Result<Glass> {
        self.until(text, |glass| glass.text.contains(text)).await
    }

    /// Waits for the verdict of the last scan.
    ///
    /// # Errors
    /// It does not come in time.
    pub async fn verdict(&self, word: &str) -> Result<Glass> {
        let is_it = |glass: &Glass| glass.fresh && glass.class.is_some() && glass.word == word;
        self.until(word, is_it).await
    }

    /// Waits for the answer to the last scan, whatever it is.
    ///
    /// # Errors
    /// None comes in time.
    pub async fn any_verdict(&self) -> Result<Glass> {
        let who = ["decided", "Décidé"];
        let is_answered = |glass: &Glass| {
            glass.fresh && glass.class.is_some() && who.iter().any(|who| glass.text.contains(who))
        };
        self.until("an answer", is_answered).await
    }

    /// Presses what has this text printed on it, with a finger.
    ///
    /// # Errors
    /// There is no such key.
    pub async fn press(&self, label: &str) -> Result<()> {
        let quoted = if label.contains('\'') {
            format!("\"{label}\"")
        } else {
            format!("'{label}'")
        };
        let path =
            format!("//button[@aria-label={quoted} or .//text()[normalize-space(.)={quoted}]]");
        wait::until(&format!("the key {label:?}"), SOON, || async {
            Ok(self.window.click(&path).await?.then_some(()))
        })
        .await
    }

    /// Presses a key of the keyboard, by its X key code.
    ///
    /// # Errors
    /// The display does not answer.
    pub async fn key(&self, code: u8) -> Result<()> {
        Ok(self.window.press(&[(code, false)]).await?)
    }

    /// Presses Escape: back, or done with what stands there.
    ///
    /// # Errors
    /// The display does not answer.
    pub async fn dismiss(&self) -> Result<()> {
        self.key(named::ESCAPE).await
    }

    /// An imager reads a code: it types it on its US keyboard, and Enter. Returns the moment before Enter.
    ///
    /// # Errors
    /// The display does not answer.
    pub async fn scan(&self, code: &str) -> Result<DateTime<Utc>> {
        self.window.run(MARK_SEEN).await?;
        self.type_code(code).await
    }

    /// Types a code and Enter, and asks nothing of the page. Returns the moment before Enter.
    ///
    /// # Errors
    /// The display does not answer.
    pub async fn type_code(&self, code: &str) -> Result<DateTime<Utc>> {
        self.half_a_code(code).await?;
        let before = clock::now();
        self.key(named::ENTER).await?;
        Ok(before)
    }

    /// An imager reads a code until the glass has this text: on a busy machine it types as slowly as a person, who
    /// is told something else.
    ///
    /// # Errors
    /// It never has.
    pub async fn scan_until(&self, code: &str, text: &str) -> Result<Glass> {
        for _ in 0..TRIES {
            self.scan(code).await?;
            let seen = wait::until(text, SOON / TRIES, || async {
                let glass = self.glass().await?;
                Ok(glass.text.contains(text).then_some(glass))
            });
            if let Ok(glass) = seen.await {
                return Ok(glass);
            }
            self.dismiss().await?;
        }
        self.says(text).await
    }

    /// An imager that stops before Enter.
    ///
    /// # Errors
    /// The display does not answer.
    pub async fn half_a_code(&self, code: &str) -> Result<()> {
        Ok(self.window.type_text(code, Duration::ZERO).await?)
    }

    /// A person types, key by key.
    ///
    /// # Errors
    /// The display does not answer.
    pub async fn type_by_hand(&self, text: &str) -> Result<()> {
        Ok(self.window.type_text(text, BY_HAND).await?)
    }

    /// Keeps what stands on the glass as a picture, once nothing moves on it.
    ///
    /// # Errors
    /// There is no picture, or it can't be written.
    pub async fn keep(&self, path: &Path) -> Result<PathBuf> {
        const MOVES: &str = "return document.getAnimations().some((one) => {
            const timing = one.effect?.getComputedTiming();
            return one.playState === 'running' && timing?.iterations !== Infinity;
        });";
        wait::until("a glass on which nothing moves", SOON, || async {
            let moves = self.window.run(MOVES).await?;
            Ok((moves == false).then_some(()))
        })
        .await?;
        let picture = self.window.picture().await?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, picture).with_context(|| path.display().to_string())?;
        Ok(path.to_owned())
    }

    /// Switches the scanner off.
    ///
    /// # Errors
    /// The program does not end.
    pub async fn close(self) -> Result<()> {
        Ok(self.window.close().await?)
    }
}

/// A loudspeaker that nobody hears, for machines that have none; returns its settings' file. ALSA's own `null`
/// takes sounds as fast as they are made, which keeps a processor busy; a pipe that is read at times does not.
fn silence(data: &Path) -> Result<String> {
    const READER: &str = "#!/bin/sh
while [ \"$(head -c 65536 | wc -c)\" -gt 0 ]; do sleep 0.1; done
";
    let (reader, settings) = (
        data.with_extension("silence"),
        data.with_extension("asoundrc"),
    );
    std::fs::write(&reader, READER)?;
    std::fs::set_permissions(&reader, Permissions::from_mode(0o755))?;
    let device = format!(
        "pcm.!default {{ type file slave.pcm {{ type null }} file \"|'{}'\" format raw }}\n\
         ctl.!default {{ type null }}\n",
        reader.display()
    );
    std::fs::write(&settings, device)?;
    let settings = settings.to_str().context("the path is not text")?;
    Ok(settings.to_owned())
}

/// Whether this machine can show a window to nobody.
///
/// # Errors
/// What it lacks.
pub fn can_be_had() -> Result<()> {
    for program in [
        "/usr/bin/Xvfb",
        "/usr/bin/WebKitWebDriver",
        "/usr/bin/xdotool",
    ] {
        if !Path::new(program).exists() {
            bail!("{program} is not installed");
        }
    }
    process::program("eventify-scanner")?;
    Ok(())
}
