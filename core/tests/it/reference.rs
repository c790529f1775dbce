//! What the API takes, and what it says of anything else. All routes are walked: one that is added tomorrow is too.

use eventify_core::assembly;
use eventify_core::config::Config;
use eventify_kernel::clock::Clock;
use eventify_kernel::http::{Field, Part, RouteInfo, Shape};
use serde_json::{Value, json};

use crate::world::TestApp;

fn routes() -> Vec<RouteInfo> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = Config::load(None, []).unwrap();
    let contexts = assembly::contexts(&config, &Clock::system()).unwrap();
    assembly::all_routes(&contexts)
}

fn fields(part: Part) -> Vec<Field> {
    Shape::of(&(part.schema)()).fields()
}

/// What a route says of a text; it has to say something.
#[track_caller]
fn refused(route: &RouteInfo, part: Part, sent: &str) -> String {
    match (part.read)(sent) {
        Ok(()) => panic!("{} {} takes {sent}", route.method, route.path),
        Err(error) => format!("{error:?}"),
    }
}

/// A body whose only field is this one: `places[].row` becomes `{"places": [{"row": …}]}`.
fn body_of(field: &str, value: Value) -> String {
    let sent = field.rsplit('.').fold(value, |inner, name| {
        let list = name.strip_suffix("[]");
        let inner = if list.is_some() {
            json!([inner])
        } else {
            inner
        };
        json!({ (list.unwrap_or(name)): inner })
    });
    sent.to_string()
}

/// N6
#[test]
fn a_field_that_a_route_does_not_know_is_answered_with_those_that_it_knows() {
    let mut walked = 0;
    for route in routes() {
        for (part, sent) in [
            (route.reads.query, "zzz=1"),
            (route.reads.body, r#"{"zzz":1}"#),
        ] {
            let Some(part) = part else { continue };
            let said = refused(&route, part, sent);
            assert!(
                said.contains("field 'zzz' is unknown; allowed: "),
                "{}: {said}",
                route.path
            );
            let known = fields(part)
                .into_iter()
                .filter(|field| !field.name.contains(['.', '[']));
            for field in known {
                assert!(said.contains(&field.name), "{}: {said}", route.path);
            }
            walked += 1;
        }
    }
    assert!(walked > 50, "{walked}");
}

/// N6
#[test]
fn a_value_that_a_field_does_not_take_is_answered_with_what_it_takes() {
    let mut walked = 0;
    for route in routes() {
        let Some(body) = route.reads.body else {
            continue;
        };
        for field in fields(body) {
            // An object is none of a text, a number, a list; a number is none of an object.
            let wrong = if ["an object", "an amount"]
                .iter()
                .any(|it| field.allowed.starts_with(it))
            {
                json!(7)
            } else {
                json!({})
            };
            let said = refused(&route, body, &body_of(&field.name, wrong));
            let named = format!("'{}': must ", field.name.replace("[]", "[0]"));
            let is_named =
                said.contains(&named) && said.contains(&field.allowed.replace('"', "\\\""));
            let is_nothing = said.contains("is invalid") || said.contains("of another kind");
            assert!(
                is_named && !is_nothing,
                "{} {named} {}: {said}",
                route.path,
                field.allowed
            );
            walked += 1;
        }
    }
    assert!(walked > 100, "{walked}");
}

/// N6: `'reason' is invalid` helped nobody.
#[test]
fn a_word_that_is_not_in_a_closed_list_is_answered_with_the_list() {
    let mut walked = 0;
    for route in routes() {
        for (part, is_body) in [(route.reads.query, false), (route.reads.body, true)] {
            let Some(part) = part else { continue };
            for field in fields(part) {
                if !field.allowed.starts_with("one of ") {
                    continue;
                }
                let sent = match is_body {
                    true => body_of(&field.name, json!("zzz")),
                    false => format!("{}=zzz", field.name),
                };
                let said = refused(&route, part, &sent);
                let wanted = format!("must be {}; given: 'zzz'", field.allowed);
                assert!(said.contains(&wanted), "{} {wanted}: {said}", route.path);
                walked += 1;
            }
        }
    }
    assert!(walked > 5, "{walked}");
}

/// N6
#[test]
fn the_reference_lists_what_each_route_takes() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = Config::load(None, []).unwrap();
    let contexts = assembly::contexts(&config, &Clock::system()).unwrap();
    let text = assembly::fields(&contexts);
    for line in [
        "POST /tickets/{ticket_id}/revoke\n    body  reason: one of refund, fraud, event_cancelled, replaced, required",
        "    query  page: a whole number of at least 0 (From 1.)",
        "    body  performanceId: an id, such as ",
        "    header  If-Match: the ETag of what was read, required",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("of another kind"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_reads_the_reference_from_the_core_itself() {
    let core = TestApp::start().await;
    let document: Value = core.anybody().get("/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let revoke = &document["paths"]["/tickets/{ticket_id}/revoke"]["post"];
    let body = &revoke["requestBody"]["content"]["application/json"]["schema"];
    let reasons = &body["properties"]["reason"]["enum"];
    assert_eq!(
        *reasons,
        json!(["refund", "fraud", "event_cancelled", "replaced"])
    );
    let routes = routes();
    for route in &routes {
        let method = route.method.as_str().to_ascii_lowercase();
        let listed = &document["paths"][route.path][&method];
        assert!(listed.is_object(), "{method} {}", route.path);
    }
}

/// N7: `eventify-core routes | head -1`.
#[test]
fn a_command_whose_reader_has_left_ends_quietly() {
    for arguments in [
        &["routes"][..],
        &["routes", "--openapi"],
        &["default-config"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = std::process::Command::new(env!("CARGO_BIN_EXE_eventify-core"))
            .args(arguments)
            .stdout(writer)
            .output()
            .unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(
            (ended.status.code(), said.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}
