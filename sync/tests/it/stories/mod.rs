//! A node's way through its modes and its scans, step by step (`ADMISSION` 1 to 6).

mod acts;
mod answers;
mod codes;
mod failover;
mod held;
mod losses;
mod modes;
mod refunds;
mod returning;
mod rules;
mod scans;
mod shows;
mod slow;
mod snapshots;
mod staff;
mod unreadable;
mod venue;

use eventify_protocol::verdict::Verdict;

fn is_used(verdict: &Verdict, confirmed: bool) -> bool {
    matches!(verdict, Verdict::AlreadyUsed { first } if first.confirmed == confirmed)
}
