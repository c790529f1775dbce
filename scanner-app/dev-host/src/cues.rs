//! What a developer does in the place of guests, of the line and of the identity provider: a key each.

use anyhow::{Result, anyhow};
use eventify_scanner_mock_node::MockNode;

/// One key and what it brings about.
#[derive(Clone, Copy, Debug)]
pub struct Cue {
    /// A letter: with Alt in the browser, as a line in the terminal.
    pub key: char,
    pub does: &'static str,
    part: Part,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    /// The imager reads a new pairing code of the node.
    Pair,
    /// … a ticket that nobody had before.
    NewTicket,
    /// … the ticket of before.
    SameTicket,
    /// … this text.
    Text(&'static str),
    /// The node is told so.
    Node(&'static [&'static str]),
}

/// All of them.
pub const CUES: [Cue; 20] = [
    cue('P', "pair: the imager reads a code of the node", Part::Pair),
    cue('A', "a new ticket: admitted", Part::NewTicket),
    cue(
        'B',
        "the same ticket again: used; out, where exits are scanned (F4, on shift)",
        Part::SameTicket,
    ),
    cue('U', "a used ticket", Part::Text("MOCK:USED")),
    cue(
        'C',
        "used, but nobody has confirmed it",
        Part::Text("MOCK:UNCONFIRMED"),
    ),
    cue('F', "a forged ticket", Part::Text("MOCK:FORGED")),
    cue('R', "a revoked ticket", Part::Text("MOCK:REVOKED")),
    cue(
        'Y',
        "too early; a supervisor may override it",
        Part::Text("MOCK:NOT-YET"),
    ),
    cue('H', "for another gate", Part::Text("MOCK:NOT-HERE")),
    cue(
        'Z',
        "a code that is no ticket",
        Part::Text("MOCK:UNREADABLE"),
    ),
    cue(
        'D',
        "the core's line is cut: the node decides alone for 2 minutes",
        Part::Node(&["mode degraded 120"]),
    ),
    cue(
        'L',
        "the node is locked: its cache is too old",
        Part::Node(&["mode locked"]),
    ),
    cue(
        'S',
        "the node catches up with the core",
        Part::Node(&["mode resyncing"]),
    ),
    cue('G', "the node is gone", Part::Node(&["cut"])),
    cue(
        'W',
        "the node takes requests and answers none",
        Part::Node(&["silent on"]),
    ),
    cue(
        'X',
        "the next answer is lost on its way",
        Part::Node(&["lose 1"]),
    ),
    cue(
        'O',
        "all is well again: there, online, nothing refused",
        Part::Node(&[
            "heal",
            "silent off",
            "mode online",
            "accept",
            "acts accept",
            "search on",
            "shift free",
        ]),
    ),
    cue(
        'T',
        "nobody scans without a shift",
        Part::Node(&["shift needed"]),
    ),
    cue(
        'I',
        "the sign-in that waits is granted",
        Part::Node(&["sign-in grant"]),
    ),
    cue(
        'K',
        "the node has forgotten this scanner",
        Part::Node(&["unpair"]),
    ),
];

const fn cue(key: char, does: &'static str, part: Part) -> Cue {
    Cue { key, does, part }
}

/// Plays them.
#[derive(Debug, Default)]
pub(crate) struct Script {
    tickets: u32,
}

impl Script {
    /// What the imager reads by this, if it does.
    pub(crate) fn play(&mut self, cue: Cue, node: &MockNode) -> Result<Option<String>> {
        Ok(match cue.part {
            Part::Pair => Some(node.pairing_code().to_string()),
            Part::NewTicket => {
                self.tickets += 1;
                Some(self.ticket())
            }
            Part::SameTicket => Some(self.ticket()),
            Part::Text(text) => Some(text.to_owned()),
            Part::Node(lines) => {
                for line in lines {
                    let obeyed = node.command(line);
                    obeyed.map_err(|help| anyhow!("the node knows no {line:?}, but {help}"))?;
                }
                None
            }
        })
    }

    fn ticket(&self) -> String {
        format!("MOCK:ADMIT {}", self.tickets)
    }
}

/// By its key, whichever case.
#[must_use]
pub fn find(key: &str) -> Option<Cue> {
    let mut cues = CUES.into_iter();
    cues.find(|cue| key.eq_ignore_ascii_case(cue.key.encode_utf8(&mut [0; 4])))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test]
    async fn each_cue_has_a_key_of_its_own_and_is_one_that_the_node_knows() {
        let address = "127.0.0.1:0".parse().expect("an address");
        let node = MockNode::start(address).await.expect("a node");
        let keys: BTreeSet<char> = CUES.iter().map(|cue| cue.key).collect();
        assert_eq!(keys.len(), CUES.len());
        let mut script = Script::default();
        for cue in CUES {
            assert!(cue.key.is_ascii_uppercase(), "{cue:?}");
            let played = script.play(cue, &node);
            assert!(played.is_ok(), "{cue:?}: {played:?}");
        }
    }

    #[test]
    fn a_key_is_found_in_either_case() {
        assert_eq!(find("a").map(|cue| cue.key), Some('A'));
        assert_eq!(find("A").map(|cue| cue.key), Some('A'));
        assert!(find("").is_none() && find("aa").is_none() && find("1").is_none());
    }
}
