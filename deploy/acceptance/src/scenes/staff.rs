//! Scene 2b: a steward signs in with the identity provider at a scanner, chooses a PIN, is on shift.

use anyhow::{Result, bail};
use eventify_protocol::lan::{PinProof, PinRequest, SignInState};

use super::{Demo, SOON};
use crate::{story::Story, wait};

/// At the identity provider.
const ACCOUNT: &str = "steward-1";
/// Among colleagues.
const NAME: &str = "Steward 1";
const PIN: &str = "804275";

pub(super) async fn sign_in(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step("2b. A steward signs in on a telephone, chooses a PIN, and is on shift");
    let oidc = &demo.world.scope.oidc;
    let account = (oidc.issuer.as_str(), ACCOUNT);
    let person = demo.venue_it.add_staff(account, NAME, &["STEWARD"]).await?;
    let scanner = demo.gates[0].scanner.lan();
    let begun = scanner.begin_sign_in().await?;
    oidc.answer_device(&begun.user_code, Some(ACCOUNT)).await?;
    let who = wait::until("the sign-in", SOON, || async {
        match scanner.sign_in(begun.sign_in_id).await? {
            SignInState::Pending => Ok(None),
            SignInState::Granted { person } => Ok(Some(person)),
            SignInState::Refused { reason } => bail!("refused: {reason:?}"),
        }
    })
    .await?;
    story.expect("the scanner knows who it is", NAME, who.name.as_str());
    let pin = || PIN.to_owned();
    let request = PinRequest {
        sign_in_id: begun.sign_in_id,
        pin: pin(),
    };
    scanner.set_pin(&request).await?;
    let proof = PinProof {
        person_id: who.person_id,
        pin: pin(),
    };
    let shift = scanner.begin_shift(demo.gates[0].scanner.gate, proof);
    let on_shift = shift.await?.person.person_id.to_string();
    story.expect("on shift by PIN alone", person.as_str(), on_shift.as_str());
    Ok(())
}
