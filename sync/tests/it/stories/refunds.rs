//! One guest, two gates and a refund: what each gate says, and what the core knows in the end
//! (`ADMISSION` 3.8).

use std::time::Duration;

use eventify_protocol::{
    sync::TicketState,
    verdict::{DecidedBy, Verdict},
};
use eventify_sync::{
    core::{Validity, reconcile::Class},
    edge::Input,
};

use super::{
    super::counter::{Counter, GATE_1, GATE_2, NODE_1, NODE_2, Pull, span},
    is_used,
    venue::{Venue, ticket_id, token},
};

/// The core, and a gate on either side of the house. The guest has ticket 1.
struct House {
    core: Counter,
    gate_1: Venue,
    gate_2: Venue,
}

impl House {
    /// The line of gate 1 has just been cut.
    fn with_gate_1_cut_off() -> Self {
        Self {
            core: Counter::new(),
            gate_1: Venue::cut_off(),
            gate_2: Venue::online(),
        }
    }

    /// The core commits it, and gate 2 has it in its feed.
    fn becomes(&mut self, validity: Validity) {
        self.core.standing.validity = validity;
        let state = self.core.standing.state();
        self.gate_2.publish(ticket_id(1), state);
    }

    fn gate_1_alone(&mut self) -> (Pull, Verdict) {
        let pull = self.core.new_scan(NODE_1, GATE_1);
        let verdict = alone(&mut self.gate_1, &pull);
        (pull, verdict)
    }

    /// Gate 2 asks the core, and shows what that says.
    fn gate_2_online(&mut self) -> Verdict {
        let pull = self.core.new_scan(NODE_2, GATE_2);
        self.gate_2.scan(pull.scan, token(1));
        let verdict = self.core.scan(&pull, 1_000);
        self.gate_2.verdict(pull.scan, verdict);
        self.gate_2.answer().verdict
    }

    /// The line of gate 1 is back: the core has its journal, and it has the core's feed.
    fn gate_1_returns(&mut self, pull: &Pull) -> Class {
        let shown = self.gate_1.decisions();
        let shown = shown.last().expect("a decision");
        assert_eq!(shown.scan, pull.scan);
        let class = (self.core).journal(pull, shown.verdict.clone(), span(100, 200));
        self.gate_1.step(Input::Connected);
        self.gate_1.welcome();
        self.gate_1.acknowledge();
        let state = self.core.standing.state();
        self.gate_1.publish(ticket_id(1), state);
        class
    }
}

fn alone(gate: &mut Venue, pull: &Pull) -> Verdict {
    gate.scan(pull.scan, token(1));
    gate.wait(Duration::from_millis(300));
    let answer = gate.answer();
    assert_eq!(answer.decided_by, DecidedBy::Edge, "{answer:?}");
    answer.verdict
}

/// The refund is opened when gate 1 can't know of it; the guest gets in there, and the line comes back.
fn admitted_during_the_refund() -> (House, Pull) {
    let mut house = House::with_gate_1_cut_off();
    house.becomes(Validity::Suspended);
    let (pull, verdict) = house.gate_1_alone();
    assert_eq!(verdict, Verdict::Admit);
    assert_eq!(house.gate_1_returns(&pull), Class::Admitted);
    (house, pull)
}

/// C05: from then on no gate lets anybody in, and the core knows who sits on the place, whatever becomes
/// of the money.
#[test]
fn a_guest_who_got_in_during_the_refund_is_known_and_gets_in_nowhere_else() {
    let (mut house, pull) = admitted_during_the_refund();
    assert_eq!(house.core.check_in().scan, pull.scan);
    assert!(house.core.check_in().is_confirmed());
    assert_eq!(house.core.standing.state(), TicketState::Suspended);
    assert_eq!(house.gate_2_online(), Verdict::Revoked);
    let (_, again) = house.gate_1_alone();
    assert_eq!(again, Verdict::Revoked, "its replica says so by now");

    house.becomes(Validity::Revoked);
    assert_eq!(house.gate_2_online(), Verdict::Revoked);
    assert_eq!(house.core.check_in().scan, pull.scan, "it is kept");

    let (mut given_up, _) = admitted_during_the_refund();
    given_up.becomes(Validity::Valid);
    let verdict = given_up.gate_2_online();
    assert!(is_used(&verdict, true), "as without a refund: {verdict:?}");
}

/// C05: the refund is given up, and its guest was never inside.
#[test]
fn a_guest_whose_refund_is_given_up_gets_in_with_the_same_code() {
    let mut house = House::with_gate_1_cut_off();
    house.becomes(Validity::Suspended);
    assert_eq!(house.gate_2_online(), Verdict::Revoked);
    house.gate_2.step(Input::Disconnected);
    let refused = house.core.new_scan(NODE_2, GATE_2);
    assert_eq!(alone(&mut house.gate_2, &refused), Verdict::Revoked);

    house.becomes(Validity::Valid);
    let next = house.core.new_scan(NODE_2, GATE_2);
    assert_eq!(alone(&mut house.gate_2, &next), Verdict::Admit);
    house.gate_2.scan(refused.scan, token(1));
    assert_eq!(house.gate_2.answer().verdict, Verdict::Revoked, "final");
}
