//! Mails to the people who run the core, through one SMTP server: the only module that uses `lettre`.
//!
//! Off unless `alarms.smtp_url` is set. A mail goes to each address alone: one that the server refuses keeps it
//! from no other.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::config;
use crate::connectivity::Connectivity;

const TIMEOUT: Duration = Duration::from_secs(10);

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Sends to those whom `alarms.mail_to` names.
#[derive(Debug)]
pub struct Mailer {
    transport: Transport,
    from: Mailbox,
    to: Vec<Mailbox>,
    server: Connectivity,
}

/// Nobody got the mail.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It can't be written: a header is too strange.
    #[error("the mail can't be written: {0}")]
    Message(#[from] lettre::error::Error),
    /// The server took it for nobody.
    #[error("the mail server took it for nobody: {0}")]
    NotTaken(String),
}

/// An address that the server took no mail for, and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// As configured.
    pub address: String,
    /// The server's words.
    pub why: String,
}

/// Whether a URL is one of a mail server.
#[must_use]
pub(crate) fn is_url(url: &str) -> bool {
    Transport::from_url(url).is_ok()
}

/// Whether a text is a mail address, perhaps with a name: `Night shift <night@example.org>`.
#[must_use]
pub(crate) fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

impl Mailer {
    /// As configured; none where it is off.
    ///
    /// # Errors
    /// A URL or address that can't be used.
    pub fn new(config: &config::Alarms) -> anyhow::Result<Option<Self>> {
        if config.smtp_url.is_empty() {
            return Ok(None);
        }
        let mut transport = Transport::from_url(&config.smtp_url)?.timeout(Some(TIMEOUT));
        if !config.smtp_user.is_empty() {
            let (user, password) = (config.smtp_user.clone(), config.smtp_password.clone());
            transport = transport.credentials(Credentials::new(user, password));
        }
        let to = config.mail_to.iter().map(|address| address.parse());
        Ok(Some(Self {
            transport: transport.build(),
            from: config.mail_from.parse()?,
            to: to.collect::<Result<_, _>>()?,
            server: Connectivity::of("mail server", config.smtp_url.clone(), "alarms.smtp_url"),
        }))
    }

    /// Sends a text to everybody. Answers who could not be reached, if somebody was.
    ///
    /// # Errors
    /// [`MailError`]: nobody has it, so it is to be sent again.
    pub async fn send(&self, subject: &str, text: &str) -> Result<Vec<Refused>, MailError> {
        let mut refused = Vec::new();
        for to in &self.to {
            let mail = Message::builder()
                .from(self.from.clone())
                .to(to.clone())
                .subject(subject)
                .header(ContentType::TEXT_PLAIN)
                .body(text.to_owned())?;
            if let Err(error) = self.transport.send(mail).await {
                let (address, why) = (to.to_string(), error.to_string());
                refused.push(Refused { address, why });
            }
        }
        let whys: Vec<_> = refused.iter().map(|it| it.why.as_str()).collect();
        if refused.len() == self.to.len() {
            let why = whys.join("; ");
            self.server.lost(&why);
            return Err(MailError::NotTaken(why));
        }
        self.server.found();
        Ok(refused)
    }
}
