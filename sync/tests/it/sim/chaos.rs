//! Trouble: drawn for a run from its seed, in advance.

use super::{
    clock::{MS, Nanos, S},
    event::Event,
    guests::GuestEvent,
    refunds::{self, Whose},
    rng::Rng,
    world::World,
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Cut {
        node: usize,
        up: bool,
        down: bool,
    },
    Mend {
        node: usize,
    },
    Lossy {
        node: usize,
    },
    Crash {
        node: usize,
        stays_down: Nanos,
        reboots: bool,
        restores: bool,
    },
    Start {
        node: usize,
    },
    SetWall {
        node: usize,
        by: i64,
    },
    /// Somebody sets the wall clock as soon as it hurts.
    Ambush {
        node: usize,
        moment: Moment,
        by: i64,
    },
    Suspend {
        node: usize,
        lasts: Nanos,
    },
    /// The machine and its boottime stop, as under a hypervisor; the wall clock is right again when it
    /// continues.
    Pause {
        node: usize,
        lasts: Nanos,
    },
    /// It continues, if its process still exists.
    GoOn {
        node: usize,
        life: u32,
        lasts: Nanos,
    },
    SlowDisk {
        node: usize,
        lasts: Nanos,
    },
    /// Another program holds the journal's file.
    HoldJournal {
        node: usize,
        lasts: Nanos,
    },
    /// The replica's file can't be used so many times.
    BreakReplica {
        node: usize,
        times: u32,
    },
    Image {
        node: usize,
    },
    /// The journal's file comes back from a power cut without its end, or is gone.
    Shorten {
        node: usize,
    },
    Misapply {
        node: usize,
    },
    /// A copy of the disk is switched on in another machine.
    Copy {
        node: usize,
    },
    Recount {
        node: usize,
        damage: bool,
    },
    Checkpoint,
    FailOver,
    RevokeNode {
        node: usize,
    },
    RevokeTicket,
    /// Somebody asks for the money back.
    OpenRefund {
        whose: Whose,
    },
    /// The money went, or the refund is given up.
    EndRefund {
        refund: usize,
    },
    Compact,
    StallFeed {
        lasts: Nanos,
    },
    Policy,
    /// The organiser moves a show.
    MoveShow {
        away: bool,
    },
}

/// Where a clock that jumps hurts most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Between a question and its answer.
    Asked,
    /// Between a decision and its fsync.
    Decided,
    /// Just before the cache is too old.
    NearTheLimit,
}

/// How long the trouble lasts, drawn for a run.
pub(crate) fn plan(world: &mut World) -> Nanos {
    let lasts = match world.rng.between(0, 100) {
        0..60 => world.rng.between(60 * S, 150 * S),
        60..92 => world.rng.between(150 * S, 300 * S),
        // Long enough for rule 1.7 and for a cache to pass the constant limit.
        _ => world.rng.between(400 * S, 800 * S),
    };
    let end = world.at + lasts;
    let sold_before = world.rng.between(10, 40);
    for _ in 0..sold_before {
        world.after(0, 2 * S, Event::Guest(GuestEvent::Buy));
    }
    for _ in 0..world.rng.between(10, 50) {
        let at = world.rng.between(world.at, end);
        world.schedule(at, Event::Guest(GuestEvent::Buy));
    }
    for _ in 0..world.rng.between(1, 8) {
        schedule(world, end, Fault::RevokeTicket);
    }
    for _ in 0..world.rng.between(0, 5) {
        let away = world.rng.percent(60);
        schedule(world, end, Fault::MoveShow { away });
    }
    let sets_clocks = world.rng.percent(60);
    for _ in 0..world.rng.between(3, 16) {
        trouble(world, end, sets_clocks);
    }
    if lasts > 400 * S {
        long_one_way_cut(world, end);
    }
    refunds::plan(world, end);
    end
}

fn schedule(world: &mut World, end: Nanos, fault: Fault) -> Nanos {
    let at = world.rng.between(world.at, end);
    world.schedule(at, Event::Fault(fault));
    at
}

/// A line that works only downwards, for longer than the limit.
fn long_one_way_cut(world: &mut World, end: Nanos) {
    let node = world.rng.index(world.nodes.len());
    let at = world.rng.between(world.at, world.at + (end - world.at) / 4);
    let down = world.rng.percent(30);
    world.schedule(
        at,
        Event::Fault(Fault::Cut {
            node,
            up: true,
            down,
        }),
    );
    world.schedule(end - S, Event::Fault(Fault::Mend { node }));
}

fn trouble(world: &mut World, end: Nanos, sets_clocks: bool) {
    let node = world.rng.index(world.nodes.len());
    let rng = &mut world.rng;
    let fault = match rng.between(0, 100) {
        0..24 => return cut(world, node, end),
        24..31 => clock_trouble(node, sets_clocks, rng),
        31..35 => Fault::Lossy { node },
        35..47 => Fault::Crash {
            node,
            stays_down: rng.between(100 * MS, 20 * S),
            reboots: false,
            restores: false,
        },
        47..54 => Fault::Crash {
            node,
            stays_down: rng.between(5 * S, 40 * S),
            reboots: true,
            restores: false,
        },
        54..57 => {
            let at = schedule(world, end, Fault::Image { node });
            let back = world.rng.between(at, end);
            let stays_down = world.rng.between(S, 20 * S);
            let fault = Fault::Crash {
                node,
                stays_down,
                reboots: true,
                restores: true,
            };
            return world.schedule(back, Event::Fault(fault));
        }
        57..58 => Fault::Shorten { node },
        58..60 => return set_back_in_a_stall(world, node, end),
        60..64 => clock_trouble(node, sets_clocks, rng),
        64..69 => Fault::Suspend {
            node,
            lasts: rng.between(S, 60 * S),
        },
        69..72 => Fault::SlowDisk {
            node,
            lasts: rng.between(5 * S, 60 * S),
        },
        72..74 => Fault::HoldJournal {
            node,
            lasts: rng.between(2 * S, 30 * S),
        },
        74..76 => Fault::Misapply { node },
        76..77 => Fault::Copy { node },
        77..79 => Fault::BreakReplica {
            node,
            times: u32::try_from(rng.between(1, 4)).expect("small"),
        },
        79..82 => Fault::Recount {
            node,
            damage: rng.percent(50),
        },
        82..86 => {
            let at = schedule(world, end, Fault::Checkpoint);
            let over = at + world.rng.between(MS, 8 * S);
            return world.schedule(over, Event::Fault(Fault::FailOver));
        }
        86..88 => Fault::RevokeNode { node },
        88..91 => Fault::Compact,
        91..97 => Fault::StallFeed {
            lasts: rng.between(2 * S, 90 * S),
        },
        _ => Fault::Policy,
    };
    schedule(world, end, fault);
}

/// A wall clock that is set, or a machine that stops. Never both in one world: a clock set
/// back hides a pause, as far as two clocks may differ.
fn clock_trouble(node: usize, sets_clocks: bool, rng: &mut Rng) -> Fault {
    if !sets_clocks {
        let lasts = if rng.percent(70) {
            rng.between(100 * MS, 2_500 * MS)
        } else {
            rng.between(S, 60 * S)
        };
        return Fault::Pause { node, lasts };
    }
    let bounds = [1_900_000, 3_000_000, 600_000_000, 4_000_000_000];
    let bound = bounds[rng.index(bounds.len())];
    let by = rng.signed(bound);
    let moments = [Moment::Asked, Moment::Decided, Moment::NearTheLimit];
    match moments.get(rng.index(5)) {
        Some(&moment) => Fault::Ambush { node, moment, by },
        None => Fault::SetWall { node, by },
    }
}

/// The disk is restored to a moment whose rows the core has, but has not acknowledged.
fn set_back_in_a_stall(world: &mut World, node: usize, end: Nanos) {
    let at = schedule(world, end, Fault::StallFeed { lasts: 60 * S });
    let mut later = |low, high, fault| {
        let at = at + world.rng.between(low, high);
        world.schedule(at, Event::Fault(fault));
    };
    later(S, 15 * S, Fault::Image { node });
    let stays_down = S;
    later(
        16 * S,
        40 * S,
        Fault::Crash {
            node,
            stays_down,
            reboots: true,
            restores: true,
        },
    );
}

fn cut(world: &mut World, node: usize, end: Nanos) {
    let (up, down) = match world.rng.between(0, 10) {
        0..6 => (true, true),
        6..8 => (true, false),
        _ => (false, true),
    };
    let at = schedule(world, end, Fault::Cut { node, up, down });
    let mended = at + world.rng.between(100 * MS, 90 * S);
    world.schedule(mended, Event::Fault(Fault::Mend { node }));
}
