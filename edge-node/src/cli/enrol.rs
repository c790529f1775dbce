//! `eventify-edge enrol [CODE]`.

use std::{
    convert::Infallible,
    fmt,
    io::{BufRead, Write},
    process::ExitCode,
    str::FromStr,
};

use anyhow::Context as _;
use eventify_protocol::enrolment::EnrolmentCode;

use crate::{config::Config, enrol};

/// Longer than any code: what comes from standard input may be anything.
const MAX_INPUT_BYTES: u64 = 16 * 1024;

/// The code as the command line gives it: itself, or that it comes from standard input.
#[derive(Clone)]
pub(super) enum GivenCode {
    Argument(String),
    StandardInput,
}

/// Without the code: whoever has it enrols in the node's place.
impl fmt::Debug for GivenCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Argument(_) => "Argument(…)",
            Self::StandardInput => "StandardInput",
        })
    }
}

impl FromStr for GivenCode {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "-" => Self::StandardInput,
            code => Self::Argument(code.to_owned()),
        })
    }
}

impl GivenCode {
    /// The code; of standard input the first line.
    pub(super) fn read(self, input: impl BufRead) -> anyhow::Result<EnrolmentCode> {
        let text = match self {
            Self::Argument(code) => code,
            Self::StandardInput => {
                let mut line = String::new();
                let read = input.take(MAX_INPUT_BYTES).read_line(&mut line);
                read.context("the code could not be read from standard input")?;
                anyhow::ensure!(
                    !line.trim().is_empty(),
                    "standard input has no code: give the core's code as its first line"
                );
                line
            }
        };
        Ok(text.trim().parse()?)
    }
}

pub(super) async fn enrol(
    config: &Config,
    code: &EnrolmentCode,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let identity = enrol::enrol(code, &config.data_dir).await?;
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Arguments;

    /// S26
    #[test]
    fn a_code_on_the_command_line_is_not_shown_with_it() {
        let parsed = Arguments::try_parse_from(["eventify-edge", "enrol", "evn1.secret"]).unwrap();
        let shown = format!("{parsed:?}");
        assert!(
            shown.contains("Enrol") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn without_a_code_the_first_line_of_standard_input_is_it() {
        for arguments in [
            &["eventify-edge", "enrol"][..],
            &["eventify-edge", "enrol", "-"],
        ] {
            let parsed = Arguments::try_parse_from(arguments).unwrap();
            assert!(format!("{parsed:?}").contains("StandardInput"));
        }
        for (input, said) in [
            (&b""[..], "standard input has no code"),
            (b" \n", "standard input has no code"),
            (b"\xff", "could not be read"),
        ] {
            let refused = GivenCode::StandardInput.read(input).unwrap_err();
            assert!(refused.to_string().contains(said), "{refused}");
        }
        let given = GivenCode::Argument("evn1.no-code".to_owned())
            .read(&b""[..])
            .unwrap_err();
        let piped = GivenCode::StandardInput
            .read(&b"evn1.no-code\r\nmore"[..])
            .unwrap_err();
        assert_eq!(piped.to_string(), given.to_string());
    }
}
