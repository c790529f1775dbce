//! First sync of 100,000 tickets, measured while the site was prepared.

use crate::bench::{
    budget::{Budget, Measurement, Unit},
    site::{FirstSync, Site},
};

const MAX_SECONDS: f64 = 5.0;
const MAX_BYTES_PER_TICKET: f64 = 100.0;

pub(super) fn measure(site: &Site) -> Vec<Measurement> {
    let FirstSync {
        took,
        bytes,
        tickets,
        ..
    } = site.node.first_sync;
    #[expect(clippy::cast_precision_loss, reason = "some 10 MB and 100,000 tickets")]
    let per_ticket = bytes as f64 / tickets as f64;
    vec![
        Measurement {
            what: format!("first sync of {tickets} tickets"),
            budget: Budget::AtMost { bound: MAX_SECONDS },
            measured: took.as_secs_f64(),
            unit: Unit::Seconds,
            note: "from the start of a new node's program; includes the making of the snapshot"
                .into(),
        },
        Measurement {
            what: "first sync, each ticket on the wire".into(),
            budget: Budget::AtMost {
                bound: MAX_BYTES_PER_TICKET,
            },
            measured: per_ticket,
            unit: Unit::Bytes,
            note: format!("{bytes} bytes to the node, with MQTT and TLS"),
        },
    ]
}
