//! Colour schemes and text sizes.

use anyhow::{Context as _, Result};
use eventify_stack::us_keyboard::named;

use super::{evening::Evening, words::ENGLISH};

const SCHEMES: [(&str, &str); 3] = [
    ("Light", "light"),
    ("Contrast", "highContrast"),
    ("Dark", "dark"),
];
const SIZES: [(&str, &str); 3] = [
    ("Large", "large"),
    ("Largest", "largest"),
    ("Normal", "normal"),
];

/// What the page has made of the settings: its ground's colour, and how much is wider than the glass.
const SEEN: &str = "
    const root = document.documentElement;
    return {
        theme: root.dataset.theme,
        text: root.dataset.text,
        ground: getComputedStyle(document.body).backgroundColor,
        wider: root.scrollWidth - innerWidth,
    };";

pub(super) async fn every_colour_scheme_and_size_can_be_read(evening: &mut Evening) -> Result<()> {
    let mut grounds = std::collections::BTreeSet::new();
    for (label, name) in SCHEMES {
        let seen = set(evening, label, "theme", name).await?;
        let ground = seen["ground"].as_str().context("a colour")?;
        grounds.insert(ground.to_owned());
        evening.keep(&format!("settings-{name}")).await?;
        evening.ready().await?;
        evening.keep(&format!("ready-{name}")).await?;
    }
    assert_eq!(grounds.len(), SCHEMES.len(), "{grounds:?}");
    for (label, name) in SIZES {
        let seen = set(evening, label, "text", name).await?;
        assert!(seen["wider"].as_i64() <= Some(0), "{name}: {seen}");
        evening.ready().await?;
        evening.keep(&format!("ready-text-{name}")).await?;
    }
    Ok(())
}

/// Presses a key of the settings, and waits until the page is as it says.
async fn set(
    evening: &Evening,
    label: &str,
    setting: &str,
    name: &str,
) -> Result<serde_json::Value> {
    evening.window.key(named::F10).await?;
    evening.window.word(ENGLISH.settings).await?;
    evening.window.press(label).await?;
    let what = format!("{setting} {name}");
    eventify_acceptance::wait::until(&what, super::evening::SOON, async || {
        let seen = evening.window.window().run(SEEN).await?;
        Ok((seen[setting] == name).then_some(seen))
    })
    .await
}
