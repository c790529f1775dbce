//! Scanners paired with nodes: what a node's report may hold, and what venue IT may order.

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::ids::GateId;
use eventify_protocol::sync::{
    MAX_SCANNERS, MAX_SCANNERS_A_MESSAGE, ScannerChange, ScannerGates, ScannerState, ScannersReport,
};
use eventify_protocol::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::node::MAX_GATES_PER_NODE;

/// Longest label of a scanner, in characters.
pub(crate) const MAX_LABEL_CHARS: usize = 64;
/// Orders of one node that it has not reported.
pub(crate) const MAX_OPEN_ORDERS: usize = 256;
/// A node that was heard within this is sent its orders at once; it reports its health every 10 s.
pub(crate) const HEARD_WITHIN: TimeDelta = TimeDelta::seconds(30);

/// When an order will be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effective {
    /// The node is connected and was told.
    Now,
    /// The node was not heard of late: it is told as soon as it connects, and works as before until then.
    AtNextContact,
}

impl Effective {
    pub(crate) fn of(heard_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        match heard_at {
            Some(heard_at) if now - heard_at <= HEARD_WITHIN => Self::Now,
            Some(_) | None => Self::AtNextContact,
        }
    }
}

/// An edit as it is asked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScannerEdit {
    label: Option<String>,
    /// Gates of its node.
    gates: Option<Vec<GateId>>,
    /// All gates of its node, also later ones.
    #[serde(default)]
    all_gates: bool,
}

impl ScannerEdit {
    /// # Errors
    /// The field that is wrong, and what it may be.
    pub(crate) fn check(self, of_node: &[GateId]) -> Result<ScannerChange, (&'static str, String)> {
        let label = self.label.map(|label| clean_label(&label)).transpose()?;
        let gates = match (self.gates, self.all_gates) {
            (Some(_), true) => {
                let issue = "'gates' or 'allGates', not both".to_owned();
                return Err(("allGates", issue));
            }
            (None, true) => Some(ScannerGates::All),
            (None, false) => None,
            (Some(mut gates), false) => {
                gates.sort_unstable();
                gates.dedup();
                if gates.is_empty() || !gates.iter().all(|gate| of_node.contains(gate)) {
                    let known: Vec<_> = of_node.iter().map(ToString::to_string).collect();
                    let issue = format!("one or more gates of this node: {}", known.join(", "));
                    return Err(("gates", issue));
                }
                Some(ScannerGates::Only(gates))
            }
        };
        if label.is_none() && gates.is_none() {
            let issue = "one of 'label', 'gates' and 'allGates'".to_owned();
            return Err(("label", issue));
        }
        Ok(ScannerChange::Edit { label, gates })
    }
}

fn clean_label(label: &str) -> Result<String, (&'static str, String)> {
    text::line(label, 1..=MAX_LABEL_CHARS).map_err(|unfit| ("label", unfit.to_string()))
}

/// A report whose numbers and texts fit their columns, whatever the node has sent.
pub(crate) fn bounded(report: &ScannersReport) -> ScannersReport {
    let most = i64::MAX.cast_unsigned() - 1;
    let scanners = report.scanners.iter().take(MAX_SCANNERS_A_MESSAGE);
    let most_scanners = u32::try_from(MAX_SCANNERS).unwrap_or(u32::MAX);
    ScannersReport {
        revision: report.revision.min(most),
        total: report.total.min(most_scanners),
        last_order: report.last_order.min(most),
        scanners: scanners.map(bounded_scanner).collect(),
    }
}

fn bounded_scanner(scanner: &ScannerState) -> ScannerState {
    let label = scanner.label.chars().filter(|c| text::shows(*c));
    let gates = match &scanner.gates {
        ScannerGates::All => ScannerGates::All,
        ScannerGates::Only(gates) => {
            ScannerGates::Only(gates.iter().take(MAX_GATES_PER_NODE).copied().collect())
        }
    };
    ScannerState {
        label: label.take(MAX_LABEL_CHARS).collect(),
        gates,
        ..scanner.clone()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn edit(json: serde_json::Value) -> Result<ScannerChange, (&'static str, String)> {
        let of_node = [1, 2].map(|id| GateId(Uuid::from_u128(id)));
        serde_json::from_value::<ScannerEdit>(json)
            .unwrap()
            .check(&of_node)
    }

    #[test]
    fn an_edit_changes_something_and_names_gates_of_the_node() {
        let gate = |id| GateId(Uuid::from_u128(id));
        let narrowed = edit(serde_json::json!({ "gates": [gate(2), gate(2)] }));
        let gates = Some(ScannerGates::Only(vec![gate(2)]));
        assert_eq!(narrowed, Ok(ScannerChange::Edit { label: None, gates }));
        for (wrong, field) in [
            (serde_json::json!({}), "label"),
            (serde_json::json!({ "label": " " }), "label"),
            (serde_json::json!({ "label": "x".repeat(65) }), "label"),
            (serde_json::json!({ "gates": [] }), "gates"),
            (serde_json::json!({ "gates": [gate(3)] }), "gates"),
            (
                serde_json::json!({ "gates": [gate(1)], "allGates": true }),
                "allGates",
            ),
        ] {
            assert_eq!(edit(wrong.clone()).unwrap_err().0, field, "{wrong}");
        }
    }

    #[test]
    fn an_order_is_in_force_now_only_at_a_node_that_was_heard_just_now() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        assert_eq!(Effective::of(None, now), Effective::AtNextContact);
        assert_eq!(Effective::of(Some(now), now), Effective::Now);
        let before = now - TimeDelta::minutes(1);
        assert_eq!(Effective::of(Some(before), now), Effective::AtNextContact);
    }
}
