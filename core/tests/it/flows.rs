//! `flows.rs` and the contexts say the same: every step has its function, every function its step,
//! every event its route and schema.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use eventify_contracts::flows;
use eventify_core::config::DEFAULT;

use crate::world::{made, product};

#[test]
fn every_step_has_its_function_and_every_function_its_step() {
    let contexts = made(product);
    let registered: BTreeSet<_> = contexts
        .iter()
        .flat_map(|context| {
            let handlers = context.consumers.list();
            handlers.map(|(kind, name)| (context.name, kind, name))
        })
        .collect();
    let drawn: BTreeSet<_> = flows::STEPS
        .iter()
        .map(|step| (step.consumer, step.event, step.handler))
        .collect();
    let missing: Vec<_> = drawn.difference(&registered).collect();
    let undrawn: Vec<_> = registered.difference(&drawn).collect();
    assert!(missing.is_empty(), "steps without a function: {missing:#?}");
    assert!(undrawn.is_empty(), "functions without a step: {undrawn:#?}");
}

#[test]
fn every_deadline_has_its_job() {
    let contexts = made(product);
    let jobs = contexts.iter().flat_map(|context| context.jobs.list());
    let jobs: BTreeSet<_> = jobs.map(|job| (job.context, job.name)).collect();
    for deadline in flows::DEADLINES {
        let job = (deadline.context, deadline.job);
        assert!(jobs.contains(&job), "{deadline:?}, jobs: {jobs:?}");
    }
}

#[test]
fn deadlines_name_settings_that_exist() {
    let defaults: toml::Table = DEFAULT.parse().unwrap();
    let mut settings = 0;
    for deadline in flows::DEADLINES {
        let Some((section, key)) = deadline.after.split_once('.') else {
            continue;
        };
        let setting = defaults.get(section).and_then(|section| section.get(key));
        assert!(setting.is_some(), "{deadline:?}");
        settings += 1;
    }
    assert_eq!(settings, 6);
}

#[test]
fn contexts_publish_their_own_events_only() {
    for context in made(product) {
        for event in &context.events {
            assert_eq!(event.publisher, context.name, "{}", event.kind);
        }
    }
}

/// A tracked event that nobody marks would hold the venues' truth back for ever.
#[test]
fn tracked_events_are_projected_by_fleet() {
    let contexts = made(product);
    let events = contexts.iter().flat_map(|context| &context.events);
    let tracked: Vec<_> = events.filter(|event| event.tracked).collect();
    let publishers: BTreeSet<_> = tracked.iter().map(|event| event.publisher).collect();
    assert_eq!(publishers, BTreeSet::from(flows::FEEDING));
    for event in tracked {
        let is_projected =
            |step: &&flows::Step| step.consumer == "fleet" && step.event == event.kind;
        assert!(
            flows::STEPS.iter().any(|step| is_projected(&step)),
            "{}",
            event.kind
        );
    }
}

#[test]
fn what_is_consumed_is_published() {
    let contexts = made(product);
    let published: BTreeSet<_> = contexts
        .iter()
        .flat_map(|context| context.events.iter().map(|event| event.kind))
        .collect();
    for context in &contexts {
        for (kind, name) in context.consumers.list() {
            assert!(
                published.contains(kind),
                "{} consumes {kind} with {name}",
                context.name
            );
        }
    }
}

/// A job is a constant, so a wake can't be misspelt; and one that no context registers would wake nobody.
#[test]
fn every_job_that_is_named_is_registered() {
    let contexts = made(product);
    let registered: BTreeSet<_> = contexts
        .iter()
        .flat_map(|context| context.jobs.list().map(|job| (context.name, job.name)))
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contexts");
    let mut named = 0;
    for context in &contexts {
        for text in texts(&folder.join(context.name)) {
            for part in text.split("Job::of(NAME, \"").skip(1) {
                let name = part.split('"').next().unwrap_or_default();
                let found = registered.iter().any(|job| *job == (context.name, name));
                assert!(found, "{} has no job {name}", context.name);
                named += 1;
            }
        }
    }
    assert!(named > 30, "jobs are named as Job::of(NAME, …): {named}");
}

/// All of a folder's Rust, file by file.
fn texts(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts.extend(self::texts(&path));
        } else {
            texts.extend(fs::read_to_string(path));
        }
    }
    texts
}
