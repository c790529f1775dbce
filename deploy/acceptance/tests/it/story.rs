//! The demo's story as the end-to-end test: real servers, real processes, real faults.

use std::path::Path;

use eventify_acceptance::{scenes, story::Story, world::claim::Claim};

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_evening_ends_as_expected() {
    crate::install_tls();
    let _alone = crate::ONE_WORLD.lock().await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("story");
    let mut story = Story::default();
    let claim = Claim::take(&folder).expect("the folder is free");
    scenes::run(&mut story, claim)
        .await
        .expect("the story runs to its end");
    assert_eq!(story.failures(), Vec::<String>::new());
    for name in [
        "ticket-1.png",
        "ticket-1.token",
        "keys.cose",
        "jwks.json",
        "journal-edge-1.jsonl",
        "journal-edge-2.jsonl",
        "reconciliation.json",
    ] {
        let bytes = std::fs::read(folder.join(name)).expect(name);
        assert!(!bytes.is_empty(), "{name} is empty");
    }
}
