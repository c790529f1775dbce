//! What the runs have met: a simulator that sees nothing happen proves nothing.

use eventify_sync::core::{
    Effect,
    reconcile::{Class, Outcome},
};

macro_rules! coverage {
    ($($name:ident),+ $(,)?) => {
        /// Counts over all runs.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct Coverage {
            $(pub(crate) $name: u64,)+
        }

        impl Coverage {
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }

            pub(crate) fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)+]
            }
        }
    };
}

coverage! {
    steps, scans, typed_codes, typed_codes_not_in_replica, repeats, id_reused,
    online_admits, shown_by_core, degraded_admits, own_scan_in_feed,
    already_used, revoked, not_valid_here, not_yet, expired, unreadable, unreadable_rows, forged, unknown_offline,
    resync_required, try_again, refused_again, locked_too_old, locked_clock, locked_unacknowledged, locked_no_proof,
    degraded_catching_up, voided, gave_up_on_core, decided_at_once, late_scans, replacing_scans,
    double_entries, orders_unknown, displaced, freed, promoted, rows_repeated, unknown_tickets,
    forks, forks_seen, successions, unknown_files, batches_again, batches_early,
    snapshots, snapshots_resumed, snapshots_gone, deltas, adoptions, epochs_changed, digest_mismatches,
    damaged_replicas, broken_replicas, crashes, torn_rows, reboots, restored_images, copies, duplicates_stopped, most_files, shortened, went_on_after_loss, locked_rows_lost, suspends, pauses, clock_jumps, ambushes,
    clocks_not_trusted, failovers, revoked_nodes, cuts, one_way_cuts, narrow_lines, slow_disks, held_journals, node_faults, taken_back_while_held, legit_admitted, moved_shows, returned,
    suspended, suspended_inside, suspended_at_core, suspended_offline, suspended_admitted_alone, suspended_entries_kept,
    overrides, overrides_alone, overrides_of_not_yet, undone, undone_again, left, passages_ended, of_an_earlier_passage,
    restarted, of_before_the_move, acts_refused, acts_in_locked, acts_repeated, acts_again, too_late_acts, too_many_acts, held_for_the_core, back_after_acts,
    refunds_of_used_refused, refunds_given_up, admitted_after_refund, refunded, refunded_inside,
}

impl Coverage {
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        match outcome.class {
            Class::DoubleEntry => self.double_entries += 1,
            Class::OrderUnknown => self.orders_unknown += 1,
            Class::UnknownTicket => self.unknown_tickets += 1,
            Class::Repeated => self.rows_repeated += 1,
            Class::Overridden => self.overrides += 1,
            Class::Undone => self.undone += 1,
            Class::Left => self.left += 1,
            Class::Admitted | Class::Refused => {}
        }
        for effect in &outcome.effects {
            match effect {
                Effect::Demote { .. } => self.displaced += 1,
                Effect::Free { .. } => self.freed += 1,
                Effect::Promote { .. } => self.promoted += 1,
                Effect::EndPassage(_) => self.passages_ended += 1,
                Effect::Restart(_) => self.restarted += 1,
                Effect::AddEarlier { .. } => self.of_an_earlier_passage += 1,
                Effect::AddPast(_) => self.of_before_the_move += 1,
                Effect::Insert(_)
                | Effect::Confirm { .. }
                | Effect::Move { .. }
                | Effect::AddConflict(_)
                | Effect::ConfirmConflict { .. }
                | Effect::DropConflict { .. } => {}
            }
        }
    }
}
