//! Texts of the provider that become ours: of a length and of characters that a row, an index and a URL
//! have a place for.

use serde::Deserialize;

/// The provider's own are no longer: <https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backward-compatible>.
const MAX_CHARS: usize = 255;

/// The id of an object, or its secret. Kept as it is, or not read at all.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub(super) struct Name(pub(super) String);

/// A text that names no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the provider")]
pub(super) struct NoName;

impl TryFrom<String> for Name {
    type Error = NoName;

    fn try_from(text: String) -> Result<Self, NoName> {
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"_-".contains(&it);
        let fits = (1..=MAX_CHARS).contains(&text.len()) && text.bytes().all(is_plain);
        fits.then_some(Self(text)).ok_or(NoName)
    }
}

/// What is said in a code, a reason for example: as much of it as can be kept, because what it stands
/// beside counts whatever the reason.
pub(super) fn code(text: Option<String>) -> Option<String> {
    let text = text?;
    let kept = text
        .chars()
        .filter(|it| eventify_protocol::text::shows(*it));
    let kept: String = kept.take(MAX_CHARS).collect();
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_as_it_is_or_not_read() {
        for good in ["pi_3NkOj2", "pi_1_secret_2", "evt-1", &"x".repeat(255)] {
            assert_eq!(Name::try_from(good.to_owned()).unwrap().0, good);
        }
        for strange in [
            "",
            "pi\0",
            "pi_1/capture",
            "..",
            "pi 1",
            "é",
            &"x".repeat(256),
        ] {
            assert_eq!(Name::try_from(strange.to_owned()), Err(NoName), "{strange}");
        }
    }

    #[test]
    fn of_a_code_as_much_is_kept_as_can_be() {
        let of = |text: &str| code(Some(text.to_owned()));
        assert_eq!(of("fraudulent").as_deref(), Some("fraudulent"));
        assert_eq!(of("a\0b\n").as_deref(), Some("ab"));
        assert_eq!(of(&"é".repeat(300)).unwrap().chars().count(), 255);
        assert_eq!((of(""), of("\0"), code(None)), (None, None, None));
    }
}
