//! Enrolment codes that give no right to join the venue.

use anyhow::Result;
use eventify_protocol::enrolment::{EnrolmentCode, EnrolmentSecret};

use super::refuses_to_start;
use crate::{clock, scenes::Demo, story::Story, wait, world::edge};

pub(super) async fn refuses(story: &mut Story, demo: &Demo) -> Result<()> {
    story.part("a node that enrols");
    let left: EnrolmentCode = demo.left_code.code.parse()?;
    let invented = EnrolmentCode {
        secret: EnrolmentSecret([7; 20]),
        ..left
    };
    let used = demo.gates[0].edge.code();
    for (what, code, names) in [
        (
            "a text that is not a code",
            "evn1.nonsense",
            "no enrolment code",
        ),
        (
            "an unknown code",
            &invented.to_string(),
            "enrolment_code_unknown",
        ),
        ("a used code", used, "enrolment_code_used"),
    ] {
        let ended = edge::try_to_enrol(&demo.world.folder, code).await?;
        refuses_to_start(story, what, 1, &[names], &ended);
    }
    // The code was made at the start of the story.
    let left = &demo.left_code;
    wait::until("the code to expire", wait::START * 2, || async {
        Ok((clock::now() > left.expires_at).then_some(()))
    })
    .await?;
    let ended = edge::try_to_enrol(&demo.world.folder, &left.code).await?;
    let what = "an expired code";
    refuses_to_start(story, what, 1, &["enrolment_code_expired"], &ended);
    Ok(())
}
