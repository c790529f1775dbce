//! `eventify-edge pair`.

use std::{io::Write, process::ExitCode};

use anyhow::{Context as _, bail};
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

use crate::{
    config::Config,
    control::{self, Request, Response},
};

pub(super) async fn pair(
    config: &Config,
    gates: Vec<String>,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let gates = if gates.is_empty() { None } else { Some(gates) };
    let response = control::send(&config.data_dir, &Request::Pair { gates })
        .await
        .with_context(|| {
            format!(
                "no node runs on {}; start it first",
                config.data_dir.display()
            )
        })?;
    match response {
        Response::PairingCode {
            code,
            expires_in_seconds,
        } => {
            writeln!(output, "{code}\n\n{}", qr(&code)?)?;
            let minutes = expires_in_seconds / 60;
            writeln!(
                output,
                "\nScan or type this code on one scanner within {minutes} minutes."
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Response::Failed { message } => bail!(message),
        Response::Status { .. }
        | Response::Counts { .. }
        | Response::Scanners { .. }
        | Response::SignIns { .. } => {
            bail!("the node sent another kind of response")
        }
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
