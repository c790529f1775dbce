//! `flows.rs` and the contexts say the same: every step has its function, every function its step,
//! every event its route and schema.

use std::collections::BTreeSet;

use eventify_core::{context, flows, routing};

/// Contexts that have been built; steps of the others wait for them.
fn built() -> BTreeSet<&'static str> {
    context::all().iter().map(|context| context.name).collect()
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
        .filter(|step| built().contains(step.consumer))
        .map(|step| (step.consumer, step.event, step.handler))
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
