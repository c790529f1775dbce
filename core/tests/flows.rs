//! `flows.rs` and the contexts say the same: every step has its function, every function its step,
//! every event its route and schema.

use std::collections::BTreeSet;

use eventify_core::config::DEFAULT;
use eventify_core::{context, flows, routing};

/// Whether a context has been built; steps from and to the others wait for them.
fn is_built(name: &str) -> bool {
    context::all().iter().any(|context| context.name == name)
}

fn is_published(kind: &str) -> bool {
    routing::of(kind).is_some_and(|route| is_built(route.publisher))
}

#[test]
fn every_step_has_its_function_and_every_function_its_step() {
    let registered: BTreeSet<_> = context::all()
        .iter()
        .flat_map(|context| {
            context
                .consumers
                .list()
                .map(|(kind, name)| (context.name, kind, name))
                .collect::<Vec<_>>()
        })
        .collect();
    let drawn: BTreeSet<_> = flows::STEPS
        .iter()
        .filter(|step| is_built(step.consumer) && is_published(step.event))
        .map(|step| (step.consumer, step.event, step.handler))
        .collect();
    let registered: BTreeSet<_> = registered
        .into_iter()
        .filter(|(_, kind, _)| is_published(kind))
        .collect();
    let missing: Vec<_> = drawn.difference(&registered).collect();
    let undrawn: Vec<_> = registered.difference(&drawn).collect();
    assert!(missing.is_empty(), "steps without a function: {missing:#?}");
    assert!(undrawn.is_empty(), "functions without a step: {undrawn:#?}");
}

#[test]
fn every_deadline_has_its_job() {
    for context in context::all() {
        let jobs: BTreeSet<_> = context.jobs.names().collect();
        for deadline in flows::DEADLINES
            .iter()
            .filter(|it| it.context == context.name)
        {
            assert!(jobs.contains(deadline.job), "{deadline:?}, jobs: {jobs:?}");
        }
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
    assert_eq!(settings, 4);
}

#[test]
fn contexts_publish_their_own_events_only() {
    for context in context::all() {
        for event in &context.events {
            let route = routing::of(event.kind);
            let publisher = route.map(|route| route.publisher);
            assert_eq!(publisher, Some(context.name), "{}", event.kind);
        }
    }
}

#[test]
fn what_is_heard_is_published_by_somebody() {
    let contexts = context::all();
    let published: BTreeSet<_> = contexts
        .iter()
        .flat_map(|context| context.events.iter().map(|event| event.kind))
        .collect();
    for context in &contexts {
        for (kind, name) in context.consumers.list() {
            assert!(
                published.contains(kind),
                "{} hears {kind} with {name}",
                context.name
            );
        }
    }
}
