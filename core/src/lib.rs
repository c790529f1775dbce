//! The central system: its bounded contexts, and the top floor that puts them together. The floors
//! below are crates: [`eventify_contracts`] (events and sagas) and
//! [`eventify_kernel`] (what knows no context). `core/README.md` shows how to add an event, a
//! route, a job.

pub mod assembly;
pub mod config;
pub mod contexts;
