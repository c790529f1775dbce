//! Whether webhooks reach us. Anybody can send one that is refused, and nobody is disturbed by that: it
//! counts only where it is certain that the provider sent it. That is so for what is signed with a secret
//! of ours (too old: a clock is wrong; no event: the endpoint is of another kind), and for what names this
//! installation, an id that only we and the provider have ever seen. So a secret that was rolled is known
//! from a stranger's noise by the body, and a stranger can neither raise the alarm nor keep it.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::contexts::payment::gateway::WebhookError;

/// How long it may be so before somebody is told. The provider repeats what was refused.
fn patience() -> TimeDelta {
    TimeDelta::minutes(15)
}

/// What is known of them, in all processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WebhookWatch {
    /// The first and the last one of the provider's that was refused.
    pub(crate) refused: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Since when a comparison has booked what none had told.
    pub(crate) missed_since: Option<DateTime<Utc>>,
    /// The last one that was taken since then.
    pub(crate) taken_at: Option<DateTime<Utc>>,
}

/// What that means now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// Perhaps only for a moment.
    Perhaps,
    Stands,
    /// It was, and is no more.
    Over,
}

/// Whether a refused webhook is the provider's.
pub(crate) fn is_of_provider(error: WebhookError, body: &[u8], installation: Uuid) -> bool {
    match error {
        WebhookError::NoSignature => false,
        WebhookError::WrongSignature => {
            let mark = installation.to_string();
            body.windows(mark.len()).any(|it| it == mark.as_bytes())
        }
        WebhookError::OutsideTolerance | WebhookError::Malformed => true,
    }
}

impl WebhookWatch {
    /// Whether the provider's webhooks are refused. One that is taken is no answer to that as long as
    /// others are refused: another process, or another endpoint, may have the wrong secret.
    pub(crate) fn rejected(&self, now: DateTime<Utc>) -> Trouble {
        let Some((since, last)) = self.refused else {
            return Trouble::None;
        };
        let taken = self.taken_at.is_some_and(|at| at > last);
        if taken && now >= last + patience() {
            return Trouble::Over;
        }
        match now >= since + patience() {
            true => Trouble::Stands,
            false => Trouble::Perhaps,
        }
    }

    /// Whether none come, as after an endpoint was switched off.
    pub(crate) fn missing(&self, now: DateTime<Utc>) -> Trouble {
        let Some(since) = self.missed_since else {
            return Trouble::None;
        };
        if self.taken_at.is_some_and(|at| at >= since) {
            return Trouble::Over;
        }
        match now >= since + patience() {
            true => Trouble::Stands,
            false => Trouble::Perhaps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_stranger_does_not_know_the_installation() {
        let ours = Uuid::from_u128(7);
        let body = format!(r#"{{"metadata": {{"installation": "{ours}"}}}}"#);
        let body = body.as_bytes();
        for (error, is_ours) in [
            (WebhookError::NoSignature, false),
            (WebhookError::WrongSignature, true),
            (WebhookError::OutsideTolerance, true),
            (WebhookError::Malformed, true),
        ] {
            assert_eq!(is_of_provider(error, body, ours), is_ours, "{error}");
        }
        let another = Uuid::from_u128(8);
        for noise in [body, b"", b"{}"] {
            assert!(!is_of_provider(
                WebhookError::WrongSignature,
                noise,
                another
            ));
        }
    }

    #[test]
    fn refused_ones_are_trouble_until_one_is_taken_and_no_more_are_refused() {
        let watch = |since, last, taken: Option<i64>| WebhookWatch {
            refused: Some((at(since), at(last))),
            taken_at: taken.map(at),
            ..WebhookWatch::default()
        };
        assert_eq!(WebhookWatch::default().rejected(at(90)), Trouble::None);
        for (since, last, taken, now, expected) in [
            (0, 0, None, 14, Trouble::Perhaps),
            (0, 0, None, 15, Trouble::Stands),
            (0, 0, None, 900, Trouble::Stands),
            (0, 0, Some(1), 15, Trouble::Over),
            (0, 14, Some(13), 15, Trouble::Stands),
            (0, 14, Some(15), 15, Trouble::Stands),
            (0, 14, Some(15), 29, Trouble::Over),
        ] {
            let watch = watch(since, last, taken);
            assert_eq!(watch.rejected(at(now)), expected, "{watch:?} at {now}");
        }
    }

    #[test]
    fn what_a_comparison_books_is_trouble_until_a_webhook_comes() {
        let watch = |taken: Option<i64>| WebhookWatch {
            missed_since: Some(at(10)),
            taken_at: taken.map(at),
            ..WebhookWatch::default()
        };
        assert_eq!(WebhookWatch::default().missing(at(90)), Trouble::None);
        for (taken, now, expected) in [
            (None, 24, Trouble::Perhaps),
            (None, 25, Trouble::Stands),
            (Some(9), 25, Trouble::Stands),
            (Some(11), 11, Trouble::Over),
        ] {
            assert_eq!(watch(taken).missing(at(now)), expected, "{taken:?} {now}");
        }
    }
}
