//! First sync of 100,000 tickets, as it went when the site was prepared.

use crate::bench::{
    budget::{Budget, Line, Unit},
    site::{FirstSync, Site},
};

const MAX_SECONDS: f64 = 5.0;
const MAX_BYTES_PER_TICKET: f64 = 100.0;

pub(super) fn measure(site: &Site) -> Vec<Line> {
    let FirstSync {
        took,
        bytes,
        tickets,
        ..
    } = site.node.first_sync;
    #[expect(clippy::cast_precision_loss, reason = "some 10 MB and 100,000 tickets")]
    let per_ticket = bytes as f64 / tickets as f64;
    vec![
        Line {
            what: format!("first sync of {tickets} tickets"),
            budget: Budget::AtMost { bound: MAX_SECONDS },
            measured: took.as_secs_f64(),
            unit: Unit::Seconds,
            note: "from the start of a new node's program; the core cuts the snapshot in it".into(),
        },
        Line {
            what: "first sync, each ticket on the wire".into(),
            budget: Budget::AtMost {
                bound: MAX_BYTES_PER_TICKET,
            },
            measured: per_ticket,
            unit: Unit::Bytes,
            note: format!("{bytes} bytes towards the node, with MQTT and TLS"),
        },
    ]
}
