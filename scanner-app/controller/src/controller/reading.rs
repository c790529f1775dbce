//! Keys, bytes and codes: from a device to the part of the app that they concern.

use eventify_protocol::lan::PairingCode;

use super::{Controller, Source, Stage, drill, kiosk::Overlay, pairing::Pairing};
use crate::{
    command::KeyStroke,
    io::Now,
    settings::code,
    view::{Act, ImportProblem, Notice},
    wedge::{
        Assembled, Key, key,
        keys::{Function, byte, named},
    },
};

impl Controller {
    pub(super) fn keys(&mut self, source: Source, strokes: &[KeyStroke], now: Now) {
        let mut assembled = Vec::new();
        let device = &mut self.inputs[source as usize];
        for stroke in strokes {
            if let Some(key) = key(stroke) {
                device.assembler.press(key, stroke.at_ms, &mut assembled);
                device.last = now.boot;
            }
        }
        self.assembled(assembled, now);
    }

    /// A pad on the glass has no speed to tell an imager by, and needs none.
    pub(super) fn tap(&mut self, code: &str, now: Now) {
        if let Some(key) = named(code, false) {
            self.press(key, now);
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8], at_ms: u32, now: Now) {
        let mut assembled = Vec::new();
        let device = &mut self.inputs[Source::Serial as usize];
        for key in bytes.iter().filter_map(|read| byte(*read)) {
            device.assembler.press(key, at_ms, &mut assembled);
            device.last = now.boot;
        }
        self.assembled(assembled, now);
    }

    pub(super) fn assembled(&mut self, assembled: Vec<Assembled>, now: Now) {
        for part in assembled {
            match part {
                Assembled::Code { text, inverted } => {
                    if inverted {
                        self.notices.pass(Notice::CapsLock, now.boot);
                    }
                    self.code(text, now);
                }
                Assembled::Half => self.notices.pass(Notice::HalfCode, now.boot),
                Assembled::Typed(key) => self.press(key, now),
            }
            self.out.changed();
        }
    }

    /// A whole code, from whichever device.
    pub(super) fn code(&mut self, text: String, now: Now) {
        self.notices.code_came();
        let is_import = code::read(&text) != Err(ImportProblem::NotSettings);
        if is_import && matches!(self.overlay, Overlay::Settings { .. }) {
            self.import(&text);
            return;
        }
        // Whoever is on the way to a gate or a shift stays there.
        let is_on_way = self.must_choose() || self.must_sign_in();
        if !(is_on_way && matches!(self.overlay, Overlay::People(_) | Overlay::Reason(_))) {
            self.overlay = Overlay::None;
        }
        let is_pairing = text.parse::<PairingCode>().is_ok();
        match &mut self.stage {
            Stage::Starting => {}
            Stage::Pair(pairing) => pairing.submit(&text, &mut self.out),
            Stage::Working if is_pairing && self.link.pair_again.is_some() => {
                let mut pairing = Pairing::default();
                pairing.submit(&text, &mut self.out);
                self.stage = Stage::Pair(pairing);
            }
            Stage::Working if self.drill.is_some() => self.read_in_drill(&text, now),
            Stage::Working => {
                let is_other = is_import || is_pairing || text.starts_with(drill::PREFIX);
                if is_other {
                    self.notices.pass(Notice::OtherCode, now.boot);
                } else if self.must_choose() {
                    self.notices.pass(Notice::GateFirst, now.boot);
                } else if self.must_sign_in() {
                    self.notices.pass(Notice::SignInFirst, now.boot);
                } else {
                    self.typing.clear();
                    self.trigger(text, false, now);
                }
            }
        }
    }

    /// A key that a person has pressed.
    pub(super) fn press(&mut self, key: Key, now: Now) {
        if matches!(self.overlay, Overlay::Pin(_)) {
            self.press_on_pin(key, now);
            return;
        }
        if matches!(&self.overlay, Overlay::People(flow) if flow.takes_digits()) {
            self.press_digit(key, now.boot);
            return;
        }
        match key {
            Key::Escape => self.dismiss(now),
            Key::Function(function) => self.press_function(function, now),
            Key::Char(_) | Key::Enter | Key::Backspace | Key::Tab => self.type_key(key, now),
        }
    }

    fn press_function(&mut self, function: Function, now: Now) {
        match function {
            Function::Search => self.show_search(now.boot),
            Function::History => self.overlay = Overlay::History,
            Function::Supervisor => self.show_supervisor(now),
            Function::People => self.show_people(),
            Function::Gate => self.change_gate(now),
            Function::Mute => self.toggle_mute(),
            Function::Settings if matches!(self.overlay, Overlay::Settings { .. }) => {
                self.dismiss(now);
            }
            Function::Settings => self.show_settings(),
            Function::EndDrill => self.end_drill(),
        }
    }

    pub(super) fn type_key(&mut self, key: Key, now: Now) {
        if !matches!(self.overlay, Overlay::None) {
            return;
        }
        if let Stage::Pair(pairing) = &mut self.stage {
            match key {
                Key::Char(char) => pairing.push(char),
                Key::Backspace => pairing.pop(),
                Key::Enter => pairing.submit_typed(&mut self.out),
                Key::Tab | Key::Escape | Key::Function(_) => {}
            }
            return;
        }
        if self.drill.is_some() {
            match key {
                Key::Char('1') => self.answer_drill(Act::LetIn, now),
                Key::Char('2') => self.answer_drill(Act::Stop, now),
                Key::Char('3') => self.answer_drill(Act::Call, now),
                Key::Char(' ') => self.next_case(now),
                Key::Char(_)
                | Key::Backspace
                | Key::Enter
                | Key::Tab
                | Key::Escape
                | Key::Function(_) => {}
            }
            return;
        }
        if !self.is_scanning() {
            return;
        }
        match key {
            Key::Char(char) => {
                if self.typing.push(char, now.boot) {
                    self.glass.clear(now.boot);
                }
            }
            Key::Backspace => self.typing.pop(),
            Key::Enter => {
                if let Some(code) = self.typing.take() {
                    self.trigger(code, true, now);
                }
            }
            Key::Tab | Key::Escape | Key::Function(_) => {}
        }
    }
}
