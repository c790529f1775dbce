//! `eventify-edge enrol CODE`.

use std::{io::Write, process::ExitCode};

use eventify_protocol::enrolment::EnrolmentCode;

use crate::{config::Config, enrol};

pub(super) async fn enrol(
    config: &Config,
    code: &str,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let code: EnrolmentCode = code.parse()?;
    let identity = enrol::enrol(&code, &config.data_dir).await?;
    writeln!(
        output,
        "enrolled as {} ({})\nvenue      {}\nbroker     {}:{}\nLAN key    {}\n\nStart the node \
         with `eventify-edge run`.",
        identity.label,
        identity.node_id,
        identity.venue_id,
        identity.broker.host,
        identity.broker.port,
        identity.lan_fingerprint().map_err(anyhow::Error::msg)?,
    )?;
    Ok(ExitCode::SUCCESS)
}
