//! With a code that gives no right to join the venue.

use anyhow::Result;
use eventify_protocol::enrolment::{EnrolmentCode, EnrolmentSecret};

use super::stopped;
use crate::{clock, scenes::Play, story::Story, wait, world::edge};

pub(super) async fn refuses(story: &mut Story, play: &Play) -> Result<()> {
    story.part("a node that wants to join");
    let left: EnrolmentCode = play.left_code.code.parse()?;
    let invented = EnrolmentCode {
        secret: EnrolmentSecret([7; 20]),
        ..left
    };
    let used = play.gates[0].edge.code();
    for (what, code, names) in [
        ("a code that is none", "evn1.nonsense", "no enrolment code"),
        (
            "a code that nobody gave",
            &invented.to_string(),
            "enrolment_code_unknown",
        ),
        ("a code that was used", used, "enrolment_code_used"),
    ] {
        let ended = edge::try_to_enrol(&play.world.folder, code).await?;
        stopped(story, what, 1, &[names], &ended);
    }
    // It was given when the evening began.
    let left = &play.left_code;
    wait::until("the code to expire", wait::START * 2, || async {
        Ok((clock::now() > left.expires_at).then_some(()))
    })
    .await?;
    let ended = edge::try_to_enrol(&play.world.folder, &left.code).await?;
    let what = "a code that was left to expire";
    stopped(story, what, 1, &["enrolment_code_expired"], &ended);
    Ok(())
}
