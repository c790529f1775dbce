//! Which gate, and which performance.

use super::{Controller, acts::Asked, kiosk::Overlay, lan};
use crate::{
    io::{Now, StoredPlace, Write},
    view::{ActKind, GateChoice, Place, Screen},
};

impl Controller {
    /// The gates to choose from; none before the node has named them.
    fn choices(&self) -> Vec<GateChoice> {
        let allowed = self.paired.as_ref().map_or(&[][..], |paired| &paired.gates);
        let status = self.link.status.as_ref();
        status.map_or_else(Vec::new, |status| lan::gates(status, allowed))
    }

    pub(super) fn must_choose(&self) -> bool {
        self.choosing || self.place.is_none()
    }

    /// Not while a guest waits: the scan is bound to its gate.
    pub(super) fn change_gate(&mut self, now: Now) {
        if self.staff.is_on_shift() {
            self.start_act(ActKind::ChangeGate, now);
        } else {
            self.choose_another_gate();
        }
    }

    pub(super) fn choose_another_gate(&mut self) {
        let is_idle = self.scans.is_idle() && !self.acts.is_busy();
        if self.place.is_some() && is_idle && self.drill.is_none() {
            self.overlay = Overlay::None;
            self.choosing = true;
            self.link.ask_status();
        }
    }

    pub(super) fn choose(&mut self, gate_id: &str, performance_id: Option<&str>) {
        let choices = self.choices();
        let gate = choices.iter().find(|gate| gate.gate_id == gate_id);
        let Some((gate, id)) = gate.and_then(|gate| Some((gate, gate_id.parse().ok()?))) else {
            return;
        };
        let mut known = gate.performances.iter();
        let performance_id = performance_id
            .filter(|wanted| known.any(|known| known.performance_id == **wanted))
            .and_then(|wanted| wanted.parse().ok());
        let place = StoredPlace {
            gate_id: id,
            performance_id,
        };
        let leaves = self.place.is_some_and(|here| here.gate_id != place.gate_id);
        if leaves && self.staff.is_on_shift() {
            let gate = gate.name.clone();
            self.overlay = Overlay::Reason(Box::new(Asked::ChangeGate { place, gate }));
        } else {
            self.work_at(place);
        }
    }

    pub(super) fn work_at(&mut self, place: StoredPlace) {
        self.choosing = false;
        self.place = Some(place);
        self.out.write(Write::Place(place));
    }

    /// The node has named its gates: where there is one, nothing is to be chosen, and a gate that is no
    /// longer ours is no place.
    pub(super) fn check_place(&mut self, now: Now) {
        if self.link.status.is_none() {
            return;
        }
        let choices = self.choices();
        if choices.is_empty() {
            if self.must_choose() {
                self.link.poll_gates(now);
            }
            return;
        }
        let is_ours = |place: &mut StoredPlace| {
            let id = place.gate_id.to_string();
            choices.iter().any(|gate| gate.gate_id == id)
        };
        if self.scans.is_idle() {
            self.place = self
                .place
                .take()
                .filter(|place| is_ours(&mut place.clone()));
        }
        if let (None, [only]) = (self.place, &choices[..])
            && only.performances.len() <= 1
        {
            let gate_id = only.gate_id.clone();
            self.choose(&gate_id, None);
        }
    }

    pub(super) fn choose_screen(&self) -> Screen {
        Screen::Choose {
            gates: self.choices(),
            gate: self.place.map(|place| place.gate_id.to_string()),
        }
    }

    pub(super) fn place_view(&self) -> Option<Place> {
        let place = self.place?;
        let gate_id = place.gate_id.to_string();
        let choice = self
            .choices()
            .into_iter()
            .find(|gate| gate.gate_id == gate_id);
        let name = choice.as_ref().map(|gate| gate.name.clone());
        let performance = place.performance_id.and_then(|wanted| {
            let wanted = wanted.to_string();
            let mut performances = choice?.performances.into_iter();
            performances.find(|known| known.performance_id == wanted)
        });
        Some(Place {
            gate: name.unwrap_or_else(|| gate_id.clone()),
            gate_id,
            performance,
            scanner: self
                .paired
                .as_ref()
                .map_or_else(String::new, |paired| paired.label.clone()),
        })
    }
}
