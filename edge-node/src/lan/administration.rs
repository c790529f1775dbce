//! What people at the node and venue IT at the core do with paired scanners. Each act is on disk first
//! and then in force at once: for the requests, tokens, streams and connections of the scanner.

use std::collections::BTreeMap;

use eventify_protocol::{
    ids::{GateId, ScannerId},
    lan::{GateStatus, NamedGate},
    time::CoreTime,
};
use serde::{Deserialize, Serialize};

use super::{
    Lan, locked,
    scanners::{Edit, Order, Paired, ScannerError, Scanners, Stamp},
};
use crate::owner::NoVerdict;

/// A paired scanner, as the tools show it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedScanner {
    /// Its id at this node.
    pub scanner_id: ScannerId,
    /// The staff's name for it.
    pub label: String,
    /// The gates that it may scan for; none means all gates of the node.
    pub gates: Option<Vec<NamedGate>>,
    /// RFC 3339; none if a release before has paired it.
    pub paired_at: Option<String>,
    /// RFC 3339, an hour coarse; none since a release that does not note it.
    pub last_seen: Option<String>,
    /// It was not seen for 30 days and has to pair again.
    pub expired: bool,
    /// Texts that are no tickets, since the node's start; none if it does not run.
    pub unreadable: Option<u64>,
}

/// A gate was named that the node does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownGate {
    /// Neither an id nor a name.
    #[error("no gate of this node is called {given:?}; it has: {known}")]
    Name {
        /// As it was given.
        given: String,
        /// Names and ids of those that there are.
        known: String,
    },
    /// More gates than one have this name.
    #[error("more than one gate of this node is called {given:?}; give the id: {known}")]
    Ambiguous {
        /// As it was given.
        given: String,
        /// Names and ids of those that there are.
        known: String,
    },
    /// It has no replica yet, so that it can't say.
    #[error("this node does not know its gates yet; without a connection to the core it has none")]
    None,
}

impl Lan {
    /// The present, for what is noted about scanners.
    pub(crate) fn stamp(&self) -> Stamp {
        match self.owner.latest().core_time {
            Some(at) => Stamp { at, proven: true },
            None => Stamp {
                at: CoreTime(self.clock.wall().0),
                proven: false,
            },
        }
    }

    /// All paired scanners.
    pub(crate) fn list_scanners(&self) -> Vec<ListedScanner> {
        let (now, status) = (self.stamp(), self.owner.latest());
        let unreadable = locked(&self.unreadable).clone();
        let mut listed = list(&self.scanners, &named(&status.gates), Some(now));
        for scanner in &mut listed {
            let count = unreadable.get(&scanner.scanner_id).copied();
            scanner.unreadable = Some(count.unwrap_or_default());
        }
        listed
    }

    /// Another label, other gates, from the next request on.
    pub(crate) fn edit_scanner(&self, scanner: ScannerId, edit: Edit) -> Result<(), ScannerError> {
        self.scanners.edit(scanner, edit)?;
        tracing::info!(
            code = "lan.scanner_edited",
            scanner_id = %scanner,
            "a scanner has another label or other gates"
        );
        Ok(())
    }

    /// Ends a pairing.
    pub(crate) fn unpair(&self, scanner: ScannerId) -> Result<(), ScannerError> {
        self.scanners.remove(scanner)?;
        self.end(scanner);
        Ok(())
    }

    /// Carries out an order of the core, once.
    pub(super) fn obey(&self, number: u64, order: Order) -> Result<(), ScannerError> {
        let removed = match &order {
            Order::Remove(scanner) => Some(*scanner),
            Order::Edit(..) => None,
        };
        if !self.scanners.obey(number, order)? {
            return Ok(());
        }
        tracing::info!(
            code = "lan.scanner_ordered",
            number,
            "an order of the core about a scanner was carried out"
        );
        if let Some(scanner) = removed {
            self.end(scanner);
        }
        Ok(())
    }

    fn end(&self, scanner: ScannerId) {
        locked(&self.access_tokens).end(scanner);
        locked(&self.quotas).forget(scanner);
        locked(&self.unreadable).remove(&scanner);
        self.end_staff_of(scanner);
        self.streams.end(scanner);
        self.connections.close(scanner);
        tracing::info!(code = "lan.scanner_unpaired", scanner_id = %scanner, "a scanner was unpaired");
    }

    /// One more text of a scanner that is no ticket.
    pub(super) fn count_unreadable(&self, scanner: ScannerId) {
        *locked(&self.unreadable).entry(scanner).or_default() += 1;
    }

    /// The gates of this node with these names or ids.
    pub(crate) async fn find_gates(
        &self,
        wanted: &[String],
    ) -> Result<Result<Vec<GateId>, UnknownGate>, NoVerdict> {
        let status = self.status().await?;
        Ok(find_gates(wanted, &named(&status.gates)))
    }
}

/// All scanners in the files, with the names of the gates that are known.
pub(crate) fn list(
    scanners: &Scanners,
    gates: &[NamedGate],
    now: Option<Stamp>,
) -> Vec<ListedScanner> {
    let names: BTreeMap<GateId, &str> = gates
        .iter()
        .map(|gate| (gate.gate_id, gate.name.as_str()))
        .collect();
    scanners.read(|roll| {
        let all = roll.list().into_iter();
        all.map(|(id, paired)| listed(id, paired, &names, now))
            .collect()
    })
}

fn listed(
    scanner_id: ScannerId,
    paired: &Paired,
    names: &BTreeMap<GateId, &str>,
    now: Option<Stamp>,
) -> ListedScanner {
    let gates = paired.gates.as_deref().map(|gates| {
        let named = gates.iter().map(|gate| NamedGate {
            gate_id: *gate,
            name: names
                .get(gate)
                .map_or_else(|| gate.to_string(), ToString::to_string),
        });
        named.collect()
    });
    ListedScanner {
        scanner_id,
        label: paired.label.to_string(),
        gates,
        paired_at: paired.life.paired_at.and_then(date),
        last_seen: paired.life.seen.and_then(date),
        expired: now.is_some_and(|now| Scanners::is_over(paired, now)),
        unreadable: None,
    }
}

fn date(stamp: Stamp) -> Option<String> {
    let date = stamp.at.to_datetime()?;
    Some(date.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn named(gates: &[GateStatus]) -> Vec<NamedGate> {
    let named = gates.iter().map(|gate| NamedGate {
        gate_id: gate.gate_id,
        name: gate.name.clone(),
    });
    named.collect()
}

/// Gates by their ids or names, upper case or lower, each once.
pub(crate) fn find_gates(
    wanted: &[String],
    known: &[NamedGate],
) -> Result<Vec<GateId>, UnknownGate> {
    if known.is_empty() {
        return Err(UnknownGate::None);
    }
    let mut found = Vec::new();
    for given in wanted {
        let gate = find_gate(given.trim(), known)?;
        if !found.contains(&gate) {
            found.push(gate);
        }
    }
    Ok(found)
}

fn find_gate(given: &str, known: &[NamedGate]) -> Result<GateId, UnknownGate> {
    let id: Option<GateId> = given.parse().ok();
    if let Some(gate) = known.iter().find(|gate| Some(gate.gate_id) == id) {
        return Ok(gate.gate_id);
    }
    let mut called = known
        .iter()
        .filter(|gate| gate.name.trim().to_lowercase() == given.to_lowercase());
    let given = given.to_owned();
    match (called.next(), called.next()) {
        (Some(gate), None) => Ok(gate.gate_id),
        (Some(_), Some(_)) => Err(UnknownGate::Ambiguous {
            given,
            known: words(known),
        }),
        (None, _) => Err(UnknownGate::Name {
            given,
            known: words(known),
        }),
    }
}

fn words(known: &[NamedGate]) -> String {
    let words: Vec<_> = known
        .iter()
        .map(|gate| format!("{} ({})", gate.name, gate.gate_id))
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn gate(id: u128, name: &str) -> NamedGate {
        NamedGate {
            gate_id: GateId(Uuid::from_u128(id)),
            name: name.to_owned(),
        }
    }

    fn find(wanted: &[&str], known: &[NamedGate]) -> Result<Vec<GateId>, UnknownGate> {
        let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
        find_gates(&wanted, known)
    }

    #[test]
    fn gates_are_found_by_name_or_id_and_unknown_ones_name_those_that_there_are() {
        let known = [
            gate(1, "North"),
            gate(2, "Süd"),
            gate(3, "Bar"),
            gate(4, "bar"),
        ];
        let id = known[0].gate_id.to_string();
        let found = find(&["süd", " NORTH ", &id], &known);
        assert_eq!(found, Ok(vec![known[1].gate_id, known[0].gate_id]));
        let error = find(&["North", "Nort"], &known).unwrap_err().to_string();
        for part in ["\"Nort\"", "North (0000", "Süd"] {
            assert!(error.contains(part), "{error}");
        }
        let twice = find(&["Bar"], &known).unwrap_err();
        assert!(matches!(twice, UnknownGate::Ambiguous { .. }), "{twice}");
        assert_eq!(find(&["North"], &[]), Err(UnknownGate::None));
    }
}
