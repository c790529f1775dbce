//! `eventify-edge pair`.

use std::{io::Write, process::ExitCode};

use anyhow::{Context as _, bail};
use eventify_protocol::ids::GateId;

use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

use crate::{
    config::Config,
    control::{self, Answer, Question},
};

pub(super) async fn pair(
    config: &Config,
    gates: Vec<GateId>,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let gates = if gates.is_empty() { None } else { Some(gates) };
    let answer = control::ask(&config.data_dir, &Question::Pair { gates })
        .await
        .with_context(|| {
            format!(
                "no node runs on {}: start it first",
                config.data_dir.display()
            )
        })?;
    match answer {
        Answer::PairingCode {
            code,
            expires_in_seconds,
        } => {
            writeln!(output, "{code}\n\n{}", qr(&code)?)?;
            let minutes = expires_in_seconds / 60;
            writeln!(
                output,
                "\nOne scanner, within {minutes} minutes: scan or type this code there."
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Answer::Failed { message } => bail!(message),
        Answer::Status { .. } => bail!("the node answered something else"),
    }
}

/// The code as a QR of block characters, light on dark as screens are.
fn qr(code: &str) -> anyhow::Result<String> {
    let picture = QrCode::with_error_correction_level(code, EcLevel::L)?
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    Ok(picture)
}
