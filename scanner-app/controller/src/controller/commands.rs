//! What the person wants, and what the node has answered.

use super::{
    Controller, Stage, glass::Glass, kiosk::Overlay, link::Link, pairing::Pairing, people::Staff,
};
use crate::{
    command::Command,
    io::{Answer, CallId, Now, Output, Write},
    tones::Rhythm,
    view::Device,
};

impl Controller {
    pub(super) fn command(&mut self, command: Command, now: Now) {
        match command {
            // Taken apart in `handle`.
            Command::Keys { .. } => {}
            Command::Tap { code } => self.tap(&code.0, now),
            // A camera checks what it reads: it is a whole code, or none.
            Command::CameraRead { text } => self.code(text.0, now),
            Command::Choose {
                gate_id,
                performance_id,
            } => self.choose(&gate_id, performance_id.as_deref()),
            Command::ChangeGate => self.change_gate(now),
            Command::ShowHistory => self.overlay = Overlay::History,
            Command::ShowSettings => self.show_settings(),
            Command::Change { settings } => self.change_settings(settings),
            Command::Import { code } => self.import(&code),
            Command::Dismiss => self.dismiss(now),
            Command::ToggleMute => self.toggle_mute(),
            Command::TestSound => {
                let volume = self.settings.volume;
                let rhythm = Rhythm::Test;
                self.out.push(Output::Play { rhythm, volume });
            }
            Command::StartDrill => {
                self.overlay = Overlay::None;
                self.start_drill();
            }
            Command::NextDrill => self.next_case(now),
            Command::AnswerDrill { act } => self.answer_drill(act, now),
            Command::EndDrill => self.end_drill(),
            Command::Unpair if self.link.pair_again.is_some() => self.unpair(),
            Command::Unpair => self.unpair_with_pin(),
            Command::SetPin { digits } => self.set_pin(digits.0, now),
            Command::Leave => self.leave(),
            Command::ShowPeople => self.show_people(),
            Command::ChoosePerson { person_id } => self.choose_person(&person_id, now.boot),
            Command::SignInAgain => self.sign_in_again(),
            Command::EndShift => self.end_shift(),
            Command::ShowSupervisor => self.show_supervisor(now),
            Command::StartAct { act } => self.start_act(act, now),
            Command::GiveReason { reason, note } => self.give_reason(reason, note.as_deref(), now),
            Command::RetryAct => self.retry_act(now),
            Command::ToggleExits => self.toggle_exits(now.boot),
            Command::ShowSearch => self.show_search(now.boot),
            Command::Search { by, text } => self.search(by, &text.0, now),
            Command::ShowCounts => self.show_counts(now.boot),
        }
    }

    /// The innermost thing that can be left.
    pub(super) fn dismiss(&mut self, now: Now) {
        if matches!(self.overlay, Overlay::People(_)) {
            self.leave_flow();
        } else if !matches!(self.overlay, Overlay::None) {
            self.overlay = Overlay::None;
        } else if let Stage::Pair(pairing) = &mut self.stage {
            pairing.clear();
            if self.paired.is_some() {
                self.stage = Stage::Working;
            }
        } else if self.choosing {
            self.choosing = false;
        } else if !self.typing.is_empty() {
            self.typing.clear();
        } else if self.drill.is_none() {
            if self.scans.checking(now.boot).is_some() {
                self.give_up(None, now);
            } else if self.acts.is_busy() {
                self.leave_unanswered(now);
            } else {
                self.glass.clear(now.boot);
                self.drop_unanswered();
            }
            self.notices.dismiss();
        }
    }

    pub(super) fn answered(&mut self, call: CallId, answer: Answer, now: Now) {
        match answer {
            Answer::Paired(result) => {
                let Stage::Pair(pairing) = &mut self.stage else {
                    return;
                };
                if !pairing.is_of(call) {
                    return;
                }
                match result {
                    Ok(new) => {
                        for old in self.scans.forget() {
                            self.out.write(Write::ScanClosed(old));
                        }
                        if let Some(old) = self.acts.forget() {
                            self.out.write(Write::ActClosed(old));
                        }
                        self.staff = Staff::default();
                        self.glass = Glass::default();
                        self.paired = Some(new.paired);
                        self.change_procedure(Vec::new());
                        self.change_time_zone(None);
                        self.notices.not_stored = !new.stored;
                        self.link = Link::with_access(new.access_for, now);
                        self.stage = Stage::Working;
                    }
                    Err(error) => pairing.failed(&error),
                }
            }
            Answer::Renewed(result) => self.link.on_renewed(call, result, now),
            Answer::Status(result) => {
                self.link.on_status(call, result, now);
                self.keep_procedure();
                self.keep_time_zone();
            }
            Answer::Scanned(result) => self.on_scanned(call, result, now),
            Answer::Listening(result) => {
                if result.is_ok() {
                    self.staff.ask_all();
                }
                self.link.on_listening(call, result, now);
            }
            Answer::People(answer) => self.on_people(call, answer, now),
            Answer::Ended => self.link.on_ended(call, now),
        }
    }

    /// A node that has nothing of the venue at present takes nothing back: that is when it is needed.
    fn keep_procedure(&mut self) {
        let Some(status) = &self.link.status else {
            return;
        };
        if status.replica.digest.is_some() || !status.procedure.is_empty() {
            self.change_procedure(status.procedure.clone());
        }
    }

    fn change_procedure(&mut self, procedure: Vec<String>) {
        if procedure != self.procedure {
            self.out.write(Write::Procedure(procedure.clone()));
            self.procedure = procedure;
        }
    }

    /// A node that has not heard of it says nothing of it.
    fn keep_time_zone(&mut self) {
        let status = self.link.status.as_ref();
        if let Some(zone) = status.and_then(|status| status.time_zone.clone()) {
            self.change_time_zone(Some(zone));
        }
    }

    fn change_time_zone(&mut self, zone: Option<String>) {
        if zone != self.time_zone {
            self.out.write(Write::TimeZone(zone.clone()));
            self.time_zone = zone;
        }
    }

    /// Begins as on the first day. The key goes with the pairing.
    pub(super) fn unpair(&mut self) {
        self.out.write(Write::ForgetPairing);
        self.paired = None;
        self.place = None;
        self.procedure = Vec::new();
        self.time_zone = None;
        self.choosing = false;
        self.drill = None;
        self.link = Link::default();
        self.scans.forget();
        self.acts.forget();
        self.staff = Staff::default();
        self.glass = Glass::default();
        self.overlay = Overlay::None;
        self.stage = Stage::Pair(Pairing::default());
    }

    pub(super) fn on_devices(&mut self, devices: Vec<Device>) {
        let mut gone = std::mem::take(&mut self.notices.gone);
        let was_used = self.devices.iter().filter(|device| device.in_use);
        gone.extend(was_used.map(|device| device.id.clone()));
        let is_there = |id: &String| {
            devices
                .iter()
                .any(|device| device.in_use && device.id == *id)
        };
        gone.retain(|id| !is_there(id));
        gone.dedup();
        self.notices.gone = gone;
        self.devices = devices;
        self.out.changed();
    }
}
