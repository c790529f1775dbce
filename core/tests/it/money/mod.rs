//! Money has one truth, and the provider may contradict us: refused keys, refunds at the dashboard, banks
//! that send money back or take it, amounts that differ, and what people decide.

mod admission;
mod attempts;
mod comparison;
mod contradictions;
mod decisions;
mod delays;
mod inside;
mod nothing_due;
mod outage;
mod pace;
mod permission;
mod revocations;
mod unknown;
mod webhooks;
