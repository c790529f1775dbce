use eventify_protocol::lan::{
    ActRequest, AuthorisationRequest, PairingRequest, PinRequest, ScanRequest, SearchRequest,
    ShiftRequest, SignInRequest, TokenRequest,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::{error::ApiError, request::json as read};

const ID: &str = "01a22511-fa05-766a-b0c1-f4c4134240d0";
/// What programmers call things.
const PROGRAMMERS_WORDS: [&str; 13] = [
    "struct", "enum", "tagged", "element", "variant", "newtype", "tuple", "sequence", "map",
    "string", "integer", "Option", "UUID",
];
/// It may be a PIN, or somebody's name.
const SECRET: &str = "s3cr3t";

/// A good body, and what reading it does.
struct Taken {
    sent: Value,
    read: fn(&[u8]) -> Result<(), ApiError>,
}

fn taken<T: DeserializeOwned + JsonSchema>(sent: Value) -> Taken {
    Taken {
        sent,
        read: |bytes| read::<T>(bytes).map(drop),
    }
}

/// Every body that the LAN API takes, with all its fields.
fn all() -> Vec<Taken> {
    let act = |act: Value| {
        taken::<ActRequest>(json!({
            "actId": ID, "gateId": ID, "act": act, "authorisation": "x",
            "reason": { "code": "other", "note": "x" },
        }))
    };
    let proof = json!({ "personId": ID, "pin": "123456" });
    vec![
        taken::<PairingRequest>(json!({ "code": "x", "publicKey": "x", "label": "x" })),
        taken::<TokenRequest>(json!({ "nonce": "x" })),
        taken::<ScanRequest>(json!({ "scanId": ID, "gateId": ID, "token": "x" })),
        act(json!({ "kind": "override", "scanId": ID })),
        act(json!({ "kind": "undo", "scanId": ID })),
        act(json!({ "kind": "exit", "token": "x" })),
        act(json!({ "kind": "changeGate" })),
        taken::<SearchRequest>(json!({
            "searchId": ID, "gateId": ID, "by": "name", "text": "x", "performanceId": ID,
            "authorisation": "x",
        })),
        taken::<SignInRequest>(json!({})),
        taken::<PinRequest>(json!({ "signInId": ID, "pin": "123456" })),
        taken::<ShiftRequest>(json!({ "gateId": ID, "proof": proof.clone() })),
        taken::<AuthorisationRequest>(json!({ "proof": proof })),
    ]
}

/// The places in a body: its own, and those of all its fields.
fn places(sent: &Value) -> Vec<String> {
    let mut all = vec![String::new()];
    for (name, value) in sent.as_object().into_iter().flatten() {
        all.extend(
            places(value)
                .into_iter()
                .map(|below| format!("/{name}{below}")),
        );
    }
    all
}

fn name(place: &str) -> String {
    match place.trim_start_matches('/') {
        "" => "body".to_owned(),
        path => path.replace('/', "."),
    }
}

/// What is said of a body that is refused: the field, and what is wrong with it.
fn said_of(read: fn(&[u8]) -> Result<(), ApiError>, sent: &Value) -> Option<(String, String)> {
    let refused = read(sent.to_string().as_bytes()).err()?;
    let message = refused.to_string();
    let ApiError::Malformed { field, issue } = refused else {
        panic!("{refused:?}")
    };
    for words in [&message, &issue] {
        let words_of_it: Vec<_> = words.split(|it: char| !it.is_alphanumeric()).collect();
        let programmers = PROGRAMMERS_WORDS.iter().find(|it| {
            words_of_it
                .iter()
                .any(|word| word.trim_end_matches('s') == **it)
        });
        assert_eq!(programmers, None, "{sent}: {words}");
        assert!(!words.contains(SECRET), "{sent}: {words}");
    }
    Some((field, issue))
}

#[test]
fn every_field_that_does_not_fit_is_named_with_what_is_taken() {
    let wrong = [
        json!(null),
        json!(true),
        json!(7),
        json!(-1.5),
        json!([]),
        json!([ID, ID, "x"]),
        json!({}),
        json!({ "x": SECRET }),
        json!(""),
        json!(SECRET),
    ];
    for Taken { sent, read } in all() {
        assert!(said_of(read, &sent).is_none(), "{sent}");
        for place in places(&sent) {
            let mut refusals = 0;
            for wrong in &wrong {
                let mut changed = sent.clone();
                *changed.pointer_mut(&place).unwrap() = wrong.clone();
                let Some((field, issue)) = said_of(read, &changed) else {
                    continue;
                };
                refusals += 1;
                let (own, below) = (name(&place), format!("{}.", name(&place)));
                let is_below = place.is_empty() || field.starts_with(&below);
                let at_it = field == own && issue.starts_with("must be ");
                let of_its_fields = is_below
                    && (issue.starts_with("is required") || issue.starts_with("is unknown; "));
                assert!(at_it || of_its_fields, "{changed}: {field}: {issue}");
            }
            assert!(refusals >= 6, "{place} of {sent} takes anything");
        }
    }
}

#[test]
fn a_field_that_is_not_there_and_one_that_does_not_belong_there_are_named() {
    for Taken { sent, read } in all() {
        for place in places(&sent) {
            let (around, last) = place.rsplit_once('/').unwrap_or_default();
            let mut changed = sent.clone();
            if let Some(fields) = changed.pointer_mut(around).and_then(Value::as_object_mut)
                && fields.remove(last).is_some()
                && let Some((field, issue)) = said_of(read, &changed)
            {
                assert_eq!(field, name(&place), "{changed}");
                assert!(issue.starts_with("is required: "), "{changed}: {issue}");
            }
            let mut changed = sent.clone();
            let at = changed.pointer_mut(&place).unwrap();
            let Some(fields) = at.as_object_mut() else {
                continue;
            };
            fields.insert("seat".to_owned(), json!(SECRET));
            let said = said_of(read, &changed);
            // A kind without fields of its own takes any.
            if sent.pointer(&place).unwrap() == &json!({ "kind": "changeGate" }) {
                continue;
            }
            let (field, issue) = said.unwrap_or_else(|| panic!("{changed} is taken"));
            let wanted = format!("{}.seat", name(&place));
            assert_eq!(field, wanted.trim_start_matches("body."), "{changed}");
            assert!(
                issue.starts_with("is unknown; allowed: "),
                "{changed}: {issue}"
            );
        }
    }
}
