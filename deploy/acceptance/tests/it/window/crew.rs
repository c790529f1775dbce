//! Who works at the venue tonight, and what they do with the scanner in their hands.

use anyhow::{Context as _, Result, ensure};
use eventify_acceptance::world::window::Glass;
use eventify_stack::us_keyboard::named;

use super::{evening::Evening, words::Words};

pub(super) struct Person {
    /// At the identity provider.
    pub(super) account: &'static str,
    /// Among colleagues.
    pub(super) name: &'static str,
    roles: &'static [&'static str],
    pub(super) pin: &'static str,
}

pub(super) const STEWARD: Person = Person {
    account: "steward-amelie",
    name: "Amélie Dubois",
    roles: &["STEWARD"],
    pin: "804275",
};
pub(super) const SUPERVISOR: Person = Person {
    account: "supervisor-maximilian",
    name: "Maximilian Okonkwo-Richardson",
    roles: &["SUPERVISOR"],
    pin: "517630",
};
/// Has never been at this node.
pub(super) const BOX_OFFICE: Person = Person {
    account: "box-office-jo",
    name: "Jo",
    roles: &["BOX_OFFICE"],
    pin: "",
};
pub(super) const ALL: [&Person; 3] = [&STEWARD, &SUPERVISOR, &BOX_OFFICE];

/// What the code on the glass says, as a telephone's camera reads it.
fn scanned_by_a_telephone(picture: &[u8]) -> Result<String> {
    let picture = image::load_from_memory(picture)?.into_luma8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let light = |x: usize, y: usize| picture.as_raw()[y * width + x];
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, light);
    let codes = prepared.detect_grids();
    let code = codes.first().context("no QR code on the glass")?;
    Ok(code.decode()?.1)
}

impl Evening {
    /// Venue IT adds those who work here; returns the id of each.
    pub(super) async fn hire(&self) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for Person {
            account,
            name,
            roles,
            ..
        } in ALL
        {
            let account = (self.world.scope.oidc.issuer.as_str(), *account);
            ids.push(self.venue_it.add_staff(account, name, roles).await?);
        }
        self.north.edge.catch_up(super::evening::SOON).await?;
        Ok(ids)
    }

    /// The list of those who work here, wherever the scanner is.
    pub(super) async fn who_is_here(&self, words: &Words) -> Result<Glass> {
        self.window.key(named::F6).await?;
        self.window.word(words.who_is_here).await
    }

    /// The sign-in on the glass, kept as a picture, and answered at the identity provider by whoever has read the
    /// code with a telephone: as this account, or with a no.
    pub(super) async fn answer_on_a_telephone(
        &self,
        account: Option<&str>,
        picture: &str,
    ) -> Result<()> {
        let glass = self
            .window
            .until("a code", |glass| glass.user_code.is_some())
            .await?;
        let code = glass.user_code.context("a code")?;
        self.keep(picture).await?;
        let address = scanned_by_a_telephone(&self.window.window().picture().await?)?;
        let oidc = &self.world.scope.oidc;
        ensure!(address.starts_with(&oidc.issuer), "{address}");
        ensure!(address.contains(&code), "{address} is not about {code}");
        Ok(oidc.answer_device(&code, account).await?)
    }

    /// A PIN, by finger.
    pub(super) async fn tap_pin(&self, pin: &str) -> Result<()> {
        for digit in pin.chars() {
            self.window.press(&digit.to_string()).await?;
        }
        Ok(())
    }

    /// Chooses a name and types the PIN.
    pub(super) async fn prove(&self, person: &Person) -> Result<()> {
        self.window.press(person.name).await?;
        self.window.word(person.name).await?;
        self.tap_pin(person.pin).await
    }

    /// From the ready screen to the ready screen, with this person on shift.
    pub(super) async fn begin_shift(&self, person: &Person, words: &Words) -> Result<Glass> {
        self.who_is_here(words).await?;
        self.prove(person).await?;
        self.on_shift(person, words).await
    }

    /// The ready screen names who is on shift.
    pub(super) async fn on_shift(&self, person: &Person, words: &Words) -> Result<Glass> {
        let is_here = |glass: &Glass| glass.word == words.ready && glass.text.contains(person.name);
        let what = format!("{} on shift", person.name);
        self.window.until(&what, is_here).await
    }

    pub(super) async fn end_shift(&self, words: &Words) -> Result<()> {
        let glass = self.who_is_here(words).await?;
        let here: Vec<_> = ALL.iter().map(|person| person.name).collect();
        ensure!(glass.text.contains("since"), "nobody is on shift: {here:?}");
        self.window.press(words.end_shift).await?;
        let is_over = |glass: &Glass| {
            glass.word == words.ready && !here.iter().any(|name| glass.text.contains(name))
        };
        self.window.until("the end of the shift", is_over).await?;
        Ok(())
    }
}
