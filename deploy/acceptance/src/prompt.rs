//! The prompt of `make up`: buy, scan, cut a line and look at what happens, without writing a client.

use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use eventify_protocol::{lan::NodeStatus, verdict::Verdict};
use eventify_stack::Card;
use tokio::sync::mpsc;

use crate::world::{
    Gate, World,
    customer::{Outcome, Ticket, Wish},
    office::Office,
    stage::Stage,
};

/// What can be typed.
pub const HELP: &str = "\
buy [SEAT …]       a new customer buys these seats (A-1 … T-25), or one standing place
scan GATE TICKET   shows a ticket at gate 1 or 2: its number from `buy`, or any text
cut GATE           cuts the line between a gate's node and the core (1, 2 or both)
heal GATE          mends it
status             how both nodes are
report             what the outages came to, as JSON
help               this list
quit               stops everything";

/// A typed line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Typed {
    Nothing,
    Help,
    Buy(Vec<String>),
    Scan { gate: usize, ticket: String },
    Cut(Gates),
    Heal(Gates),
    Status,
    Report,
    Quit,
}

/// Why nobody types any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `quit` was typed.
    Quit,
    /// Standard input is at its end.
    NobodyTypes,
}

/// One gate, from 0, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gates {
    One(usize),
    Both,
}

/// What the prompt acts on.
#[derive(Debug)]
pub struct Prompt {
    /// The running servers and core.
    pub world: World,
    /// The performance on sale.
    pub stage: Stage,
    /// Venue IT.
    pub office: Office,
    /// Both gates.
    pub gates: [Gate; 2],
    tickets: Vec<Ticket>,
    customers: usize,
}

impl Prompt {
    /// A prompt without tickets yet.
    #[must_use]
    pub fn new(world: World, stage: Stage, office: Office, gates: [Gate; 2]) -> Self {
        Self {
            world,
            stage,
            office,
            gates,
            tickets: Vec::new(),
            customers: 0,
        }
    }

    /// Carries out what is typed, until `quit` or until there is nobody to type.
    pub async fn listen(&mut self) -> End {
        let mut lines = typed_lines();
        while let Some(line) = lines.recv().await {
            let said = match line.parse() {
                Ok(Typed::Quit) => return End::Quit,
                Ok(typed) => self.obey(typed).await,
                Err(error) => Err(error),
            };
            match said {
                Ok(said) if said.is_empty() => {}
                Ok(said) => say(&said),
                Err(error) => say(&format!("{error:#}")),
            }
        }
        End::NobodyTypes
    }

    async fn obey(&mut self, typed: Typed) -> Result<String> {
        match typed {
            Typed::Nothing | Typed::Quit => Ok(String::new()),
            Typed::Help => Ok(HELP.to_owned()),
            Typed::Buy(seats) => self.buy(seats).await,
            Typed::Scan { gate, ticket } => self.scan(gate, &ticket).await,
            Typed::Cut(gates) => {
                self.each(gates, |gate| gate.edge.line.cut());
                Ok("cut".to_owned())
            }
            Typed::Heal(gates) => {
                self.each(gates, |gate| gate.edge.line.heal());
                Ok("mended".to_owned())
            }
            Typed::Status => self.status().await,
            Typed::Report => Ok(serde_json::to_string_pretty(
                &self.office.reconciliation().await?,
            )?),
        }
    }

    fn each(&self, gates: Gates, act: impl Fn(&Gate)) {
        for (number, gate) in self.gates.iter().enumerate() {
            if gates == Gates::Both || gates == Gates::One(number) {
                act(gate);
            }
        }
    }

    async fn buy(&mut self, seats: Vec<String>) -> Result<String> {
        let wish = if seats.is_empty() {
            Wish::Standing(1)
        } else {
            Wish::Seats(seats)
        };
        self.customers += 1;
        let customer = self.world.customer(self.customers).await?;
        match customer.buy(&self.stage, &wish, Card::Good).await? {
            Outcome::Tickets(tickets) => {
                let first = self.tickets.len() + 1;
                self.tickets.extend(tickets);
                let lines = (first..)
                    .zip(&self.tickets[first - 1..])
                    .map(|(n, ticket)| {
                        let place = ticket.seat.as_deref().unwrap_or("standing");
                        format!("ticket {n}: {place}\n  {}", ticket.token)
                    });
                Ok(lines.collect::<Vec<_>>().join("\n"))
            }
            Outcome::OutOfStock => Ok("somebody has that place".to_owned()),
            Outcome::Declined | Outcome::LeftToExpire => Ok("not sold".to_owned()),
        }
    }

    async fn scan(&mut self, gate: usize, ticket: &str) -> Result<String> {
        let token = match ticket.parse::<usize>() {
            Ok(number) => {
                let bought = number.checked_sub(1).and_then(|n| self.tickets.get(n));
                &bought
                    .with_context(|| format!("no ticket {number} yet: type `buy`"))?
                    .token
            }
            Err(_) => ticket,
        };
        let scanner = &mut self.gates[gate].scanner;
        // It lives for minutes, and people type slowly.
        scanner.refresh().await?;
        let answer = scanner.scan(token).await?;
        let mut said = format!("{} ({:?}", answer.verdict.name(), answer.mode);
        if let Some(age) = answer.cache_age_ms {
            said += &format!(", cache {:.1} s old", age as f64 / 1_000.0);
        }
        said += ")";
        if let Verdict::AlreadyUsed { first } = &answer.verdict {
            let gate = answer.first_gate_name.as_deref().unwrap_or("another gate");
            let sure = if first.confirmed { "" } else { ", unconfirmed" };
            said += &format!(": first at {gate}{sure}");
        }
        Ok(said)
    }

    async fn status(&self) -> Result<String> {
        let mut lines = Vec::new();
        for gate in &self.gates {
            let status: NodeStatus = gate.edge.status().await?;
            lines.push(format!(
                "{}: {:?}, cache {:.1} s of {} s, {} tickets, {} rows to send",
                gate.name,
                status.mode,
                status.cache_age_ms.unwrap_or(0) as f64 / 1_000.0,
                status.max_cache_age_ms / 1_000,
                status.replica.tickets,
                status.journal.unacknowledged,
            ));
        }
        Ok(lines.join("\n"))
    }
}

impl FromStr for Typed {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let lower = line.to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        Ok(match words.as_slice() {
            [] => Self::Nothing,
            ["help" | "?"] => Self::Help,
            ["buy", seats @ ..] => Self::Buy(
                seats
                    .iter()
                    .flat_map(|word| word.split(','))
                    .filter(|seat| !seat.is_empty())
                    .map(str::to_uppercase)
                    .collect(),
            ),
            ["scan", gate, _, ..] => Self::Scan {
                gate: gate_number(gate)?,
                // The text as typed: a token may have blanks.
                ticket: line
                    .trim()
                    .splitn(3, char::is_whitespace)
                    .last()
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
            },
            ["cut", gates] => Self::Cut(gates.parse()?),
            ["heal", gates] => Self::Heal(gates.parse()?),
            ["status"] => Self::Status,
            ["report"] => Self::Report,
            ["quit" | "exit"] => Self::Quit,
            _ => bail!("type one of:\n{HELP}"),
        })
    }
}

impl FromStr for Gates {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self> {
        if word == "both" {
            Ok(Self::Both)
        } else {
            gate_number(word).map(Self::One)
        }
    }
}

/// `1` and `2` on screen, 0 and 1 inside.
fn gate_number(word: &str) -> Result<usize> {
    match word {
        "1" => Ok(0),
        "2" => Ok(1),
        _ => bail!("there are gates 1 and 2, not {word:?}"),
    }
}

/// Standard input, line by line. The thread waits for a line as long as the process lives.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

#[expect(clippy::print_stdout, reason = "a prompt talks to its user")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Typed {
        line.parse().expect("it is understood")
    }

    #[test]
    fn what_is_typed_is_understood() {
        assert_eq!(typed("  "), Typed::Nothing);
        assert_eq!(typed("buy"), Typed::Buy(vec![]));
        assert_eq!(
            typed("buy a-1 B-2"),
            Typed::Buy(vec!["A-1".to_owned(), "B-2".to_owned()])
        );
        for commas in ["buy a-1, B-2", "buy A-1,B-2", "BUY a-1 , b-2,"] {
            assert_eq!(typed(commas), typed("buy A-1 B-2"), "{commas}");
        }
        let scan = |gate, ticket: &str| Typed::Scan {
            gate,
            ticket: ticket.to_owned(),
        };
        assert_eq!(typed("scan 2 1"), scan(1, "1"));
        assert_eq!(typed("scan 1 EV1:A B  C"), scan(0, "EV1:A B  C"));
        assert_eq!(typed("SCAN 1 EV1:a B  C"), scan(0, "EV1:a B  C"));
        assert_eq!(typed("Quit"), Typed::Quit);
        assert_eq!(typed("exit"), Typed::Quit);
        assert_eq!(typed("Cut BOTH"), Typed::Cut(Gates::Both));
        assert_eq!(typed("cut both"), Typed::Cut(Gates::Both));
        assert_eq!(typed("heal 1"), Typed::Heal(Gates::One(0)));
    }

    #[test]
    fn what_is_not_understood_is_explained() {
        for (line, said) in [
            ("scan 3 1", "there are gates 1 and 2, not \"3\""),
            ("scan 1", "type one of:"),
            ("cut", "type one of:"),
            ("sell", "type one of:"),
        ] {
            let error = line.parse::<Typed>().expect_err("not understood");
            assert!(error.to_string().starts_with(said), "{line}: {error}");
        }
    }
}
