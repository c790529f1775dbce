//! The prompt of `make up`: buy, scan and cut network links without writing a client.

use std::{
    io::{self, Write as _},
    str::FromStr,
};

use anyhow::{Context as _, Result, bail};
use eventify_log::Output;
use eventify_protocol::{lan::NodeStatus, verdict::Verdict};
use eventify_stack::Card;
use tokio::sync::mpsc;

use crate::world::{
    Gate, World,
    customer::{Outcome, Places, Ticket},
    fixture::Fixture,
    venue_it::VenueIt,
};

/// What can be typed.
pub const HELP: &str = "\
buy [SEAT …]       buy these seats (A-1 … T-25), or one standing place, as a new customer
scan GATE TICKET   scan a ticket at gate 1 or 2: its number from `buy`, or any text
cut GATE           cut the link between a gate's node and the core (GATE is 1, 2 or both)
heal GATE          repair the link
yes CODE NAME      sign in at a scanner that shows CODE, as steward-1, supervisor-1 or box-office-1
status             show the state of both nodes
report             show the reconciliation report of the outages, as JSON
help               show this list
quit               stop everything";

/// A typed command.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Command {
    Nothing,
    Help,
    Buy(Vec<String>),
    Scan { gate: usize, ticket: String },
    Cut(Gates),
    Heal(Gates),
    Yes { code: String, name: String },
    Status,
    Report,
    Quit,
}

/// Why the prompt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Quit,
    /// Standard input ended.
    NoInput,
}

/// One gate, from 0, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gates {
    One(usize),
    Both,
}

#[derive(Debug)]
pub struct Prompt {
    pub world: World,
    pub fixture: Fixture,
    pub venue_it: VenueIt,
    pub gates: [Gate; 2],
    tickets: Vec<Ticket>,
    customers: usize,
}

impl Prompt {
    #[must_use]
    pub fn new(world: World, fixture: Fixture, venue_it: VenueIt, gates: [Gate; 2]) -> Self {
        Self {
            world,
            fixture,
            venue_it,
            gates,
            tickets: Vec::new(),
            customers: 0,
        }
    }

    /// Runs typed commands until `quit` or the end of the input.
    pub async fn run(&mut self) -> End {
        let mut lines = typed_lines();
        while let Some(line) = lines.recv().await {
            let reply = match line.parse() {
                Ok(Command::Quit) => return End::Quit,
                Ok(command) => self.execute(command).await,
                Err(error) => Err(error),
            };
            let printed = match reply {
                Ok(text) if text.is_empty() => Ok(()),
                Ok(text) => print(&text),
                Err(error) => print(&format!("{error:#}")),
            };
            if printed.is_err() {
                return End::Quit;
            }
        }
        End::NoInput
    }

    async fn execute(&mut self, command: Command) -> Result<String> {
        match command {
            Command::Nothing | Command::Quit => Ok(String::new()),
            Command::Help => Ok(HELP.to_owned()),
            Command::Buy(seats) => self.buy(seats).await,
            Command::Scan { gate, ticket } => self.scan(gate, &ticket).await,
            Command::Cut(gates) => {
                self.each(gates, |gate| gate.edge.link.cut());
                Ok("cut".to_owned())
            }
            Command::Heal(gates) => {
                self.each(gates, |gate| gate.edge.link.heal());
                Ok("repaired".to_owned())
            }
            Command::Yes { code, name } => {
                let oidc = &self.world.scope.oidc;
                let answered = oidc.answer_device(&code, Some(&name)).await;
                answered.context(
                    "no sign-in waits with that code: each is good once, for ten minutes; begin again at the \
                     scanner and type the one that it shows then",
                )?;
                Ok(format!(
                    "{name} has signed in; the scanner says how it goes on"
                ))
            }
            Command::Status => self.status().await,
            Command::Report => Ok(serde_json::to_string_pretty(
                &self.venue_it.reconciliation().await?,
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
        let asked = seats.clone();
        let places = if seats.is_empty() {
            Places::Standing(1)
        } else {
            Places::Seats(seats)
        };
        self.customers += 1;
        let customer = self.world.customer(self.customers).await?;
        match customer.buy(&self.fixture, &places, Card::Good).await? {
            Outcome::Tickets(mut tickets) => {
                in_order(&mut tickets, &asked);
                let first = self.tickets.len() + 1;
                self.tickets.extend(tickets);
                let lines = (first..)
                    .zip(&self.tickets[first - 1..])
                    .map(|(n, ticket)| {
                        let place = ticket.seat.as_deref().unwrap_or("standing");
                        let code = &ticket.short_code;
                        let (id, order) = (&ticket.id, &ticket.order);
                        format!(
                            "ticket {n}: {place}, short code {code}\n  id {id}, order {order}\n  {}",
                            ticket.token
                        )
                    });
                Ok(lines.collect::<Vec<_>>().join("\n"))
            }
            Outcome::OutOfStock => Ok("not sold: another customer has this place".to_owned()),
            Outcome::Declined | Outcome::Expired => Ok("not sold".to_owned()),
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
        // The token lives for minutes, and people type slowly.
        scanner.refresh().await?;
        let answer = scanner.scan(token).await?;
        let mut text = format!("{} ({:?}", answer.verdict.name(), answer.mode);
        if let Some(age) = answer.cache_age_ms {
            text += &format!(", cache {:.1} s old", age as f64 / 1_000.0);
        }
        text += ")";
        if let Verdict::AlreadyUsed { first } = &answer.verdict {
            let gate = answer.first_gate_name.as_deref().unwrap_or("another gate");
            let sure = if first.confirmed { "" } else { ", unconfirmed" };
            text += &format!(": first at {gate}{sure}");
            if let Some(ago) = answer.first_ago_ms {
                text += &format!(", {} s ago", ago / 1_000);
            }
        }
        Ok(text)
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

/// As the seats were asked for.
fn in_order(tickets: &mut [Ticket], asked: &[String]) {
    tickets.sort_by_key(|ticket| {
        let of = |seat: &String| ticket.seat.as_ref() == Some(seat);
        asked.iter().position(of)
    });
}

impl FromStr for Command {
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
                // As typed, because a token may contain spaces.
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
            ["yes", code, name] => Self::Yes {
                code: code.to_uppercase(),
                name: (*name).to_owned(),
            },
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

/// An index from 0 for the gate numbers 1 and 2.
fn gate_number(word: &str) -> Result<usize> {
    match word {
        "1" => Ok(0),
        "2" => Ok(1),
        _ => bail!("there are gates 1 and 2, not {word:?}"),
    }
}

/// The lines of standard input. Its thread lives as long as the process.
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

/// A line for the user.
///
/// # Errors
/// Nobody reads it.
pub fn print(text: &str) -> io::Result<()> {
    writeln!(Output::stdout(), "{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Command {
        line.parse().expect("a valid command")
    }

    #[test]
    fn commands_are_parsed() {
        assert_eq!(parsed("  "), Command::Nothing);
        assert_eq!(parsed("buy"), Command::Buy(vec![]));
        assert_eq!(
            parsed("buy a-1 B-2"),
            Command::Buy(vec!["A-1".to_owned(), "B-2".to_owned()])
        );
        for commas in ["buy a-1, B-2", "buy A-1,B-2", "BUY a-1 , b-2,"] {
            assert_eq!(parsed(commas), parsed("buy A-1 B-2"), "{commas}");
        }
        let scan = |gate, ticket: &str| Command::Scan {
            gate,
            ticket: ticket.to_owned(),
        };
        assert_eq!(parsed("scan 2 1"), scan(1, "1"));
        assert_eq!(parsed("scan 1 EV1:A B  C"), scan(0, "EV1:A B  C"));
        assert_eq!(parsed("SCAN 1 EV1:a B  C"), scan(0, "EV1:a B  C"));
        assert_eq!(parsed("Quit"), Command::Quit);
        assert_eq!(parsed("exit"), Command::Quit);
        assert_eq!(parsed("Cut BOTH"), Command::Cut(Gates::Both));
        assert_eq!(parsed("cut both"), Command::Cut(Gates::Both));
        assert_eq!(parsed("heal 1"), Command::Heal(Gates::One(0)));
    }

    /// N3
    #[test]
    fn tickets_stand_in_the_order_that_was_asked_for() {
        let ticket = |seat: &str| Ticket {
            id: String::new(),
            order: String::new(),
            seat: Some(seat.to_owned()),
            token: String::new(),
            short_code: String::new(),
        };
        let asked = ["A-10", "A-2", "B-1"].map(ToOwned::to_owned);
        let mut tickets = ["B-1", "A-2", "A-10"].map(ticket);
        in_order(&mut tickets, &asked);
        let seats = tickets.map(|ticket| ticket.seat.unwrap_or_default());
        assert_eq!(seats, asked);
    }

    #[test]
    fn an_unknown_command_is_explained() {
        for (line, expected) in [
            ("scan 3 1", "there are gates 1 and 2, not \"3\""),
            ("scan 1", "type one of:"),
            ("cut", "type one of:"),
            ("sell", "type one of:"),
        ] {
            let error = line.parse::<Command>().expect_err("an invalid command");
            assert!(error.to_string().starts_with(expected), "{line}: {error}");
        }
    }
}
