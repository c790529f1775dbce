//! What the node is told to be like, one line at a time.

use std::time::Duration;

use eventify_protocol::{time::MAX_CACHE_AGE, verdict::Mode};

use crate::{clock, state::State};

const HELP: &str = "mode online | mode degraded SECONDS | mode locked | mode resyncing | \
    silent on | silent off | lose NUMBER | cut | heal | refuse CODE | accept | restart | unpair | \
    shift needed | shift free | shift end | sign-in grant | sign-in deny | sign-in not-staff | \
    sign-in expire | acts refuse CODE | acts accept | search on | search off";

impl State {
    pub(crate) fn command(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["mode", "online"] => self.set(Mode::Online, None),
            ["mode", "degraded", seconds] => {
                let seconds = seconds.parse().map_err(|_| HELP.to_owned())?;
                let limit = Duration::from_secs(seconds);
                self.set(Mode::Degraded, Some((clock::boottime(), limit)));
            }
            ["mode", "locked"] => {
                let long_ago = clock::boottime().minus(MAX_CACHE_AGE);
                self.set(Mode::Locked, Some((long_ago, MAX_CACHE_AGE)));
            }
            ["mode", "resyncing"] => self.resync(),
            ["silent", "on"] => self.silent = true,
            ["silent", "off"] => self.silent = false,
            ["lose", number] => self.lose = number.parse().map_err(|_| HELP.to_owned())?,
            ["cut"] => {
                self.cut = true;
                self.end_connections();
            }
            ["heal"] => self.cut = false,
            ["refuse", code] => self.refuse = Some(code.to_owned()),
            ["accept"] => self.refuse = None,
            ["restart"] => self.restart(),
            ["unpair"] => self.unpair(),
            ["shift", "needed"] => self.staff.shift_needed = true,
            ["shift", "free"] => self.staff.shift_needed = false,
            ["shift", "end"] => self.staff.end_shifts(),
            ["sign-in", word] if self.staff.decide_sign_ins(word) => {}
            ["acts", "refuse", code] => self.acts.refuse = Some(code.to_owned()),
            ["acts", "accept"] => self.acts.refuse = None,
            ["search", "on"] => self.acts.search_off = false,
            ["search", "off"] => self.acts.search_off = true,
            _ => return Err(HELP.to_owned()),
        }
        Ok(())
    }
}
