use std::collections::BTreeSet;

use chrono::Duration;

use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn caller(user: u128, org: Option<&str>, role: Role) -> Principal {
    Principal {
        user_id: Uuid::from_u128(user),
        iss: "https://idp".to_owned(),
        sub: user.to_string(),
        roles: BTreeSet::from([role]),
        scopes: BTreeSet::new(),
        org_id: org.map(str::to_owned),
        client_id: None,
        jti: None,
    }
}

fn details(title: &str, tags: &[&str]) -> Details {
    Details {
        title: title.to_owned(),
        description: String::new(),
        city: None,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

fn draft() -> Event {
    let owner = caller(1, Some("opera"), Role::Organizer);
    Event::draft(
        EventId(Uuid::from_u128(5)),
        &owner,
        details("Tosca", &[]),
        now(),
    )
    .unwrap()
}

#[test]
fn an_event_only_moves_forward() {
    let later = now() + Duration::hours(1);
    assert_eq!(draft().publish(0, later), Err(EventError::NothingToSell));
    let published = draft().publish(1, later).unwrap();
    assert_eq!(
        (published.published_at(), published.version),
        (Some(later), 2)
    );
    assert_eq!(published.clone().publish(1, later), Ok(published.clone()));
    assert_eq!(
        published.clone().archive(1, later),
        Err(EventError::PerformancesAhead)
    );
    let archived = published.clone().archive(0, later).unwrap();
    assert_eq!(archived.published_at(), Some(later));
    assert_eq!(
        archived.clone().cancel(later),
        Err(EventError::Closed("archived"))
    );
    let cancelled = published.cancel(later).unwrap();
    assert_eq!(cancelled.clone().cancel(later), Ok(cancelled.clone()));
    assert_eq!(
        cancelled.clone().publish(1, later),
        Err(EventError::Closed("cancelled"))
    );
    assert_eq!(
        cancelled.edit(details("Other", &[]), later),
        Err(EventError::Closed("cancelled"))
    );
}

#[test]
fn each_change_raises_the_version_by_one() {
    let edited = draft().edit(details("Aida", &[]), now()).unwrap();
    assert_eq!((edited.version, edited.details.title.as_str()), (2, "Aida"));
}

#[test]
fn owner_organisation_and_administrator_manage_it() {
    for (who, may) in [
        (caller(1, None, Role::Organizer), true),
        (caller(2, Some("opera"), Role::Organizer), true),
        (caller(2, Some("opera"), Role::Customer), false),
        (caller(2, Some("circus"), Role::Organizer), false),
        (caller(2, None, Role::Organizer), false),
        (caller(2, None, Role::Admin), true),
    ] {
        assert_eq!(draft().is_managed_by(&who), may, "{who:?}");
    }
    let mut without_organisation = draft();
    without_organisation.org_id = None;
    assert!(!without_organisation.is_managed_by(&caller(2, None, Role::Organizer)));
}

#[test]
fn tags_are_lower_case_and_each_once() {
    let checked = details(" Tosca ", &["Opera", "opera ", "italian"])
        .check()
        .unwrap();
    assert_eq!(
        (checked.title.as_str(), checked.tags),
        ("Tosca", vec!["italian".to_owned(), "opera".to_owned()])
    );
    for (details, field) in [
        (details("  ", &[]), "title"),
        (details(&"x".repeat(201), &[]), "title"),
        (details("x", &[""]), "tags"),
    ] {
        match details.check() {
            Err(EventError::Invalid { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn rows_that_cannot_exist_are_not_read() {
    assert_eq!(Status::of("published", None), None);
    assert_eq!(Status::of("draft", Some(now())), None);
    assert_eq!(Status::of("sold", None), None);
    for status in [Status::Draft, Status::Published { at: now() }] {
        let at = if status == Status::Draft {
            None
        } else {
            Some(now())
        };
        assert_eq!(Status::of(status.name(), at), Some(status));
    }
}

#[test]
fn a_name_with_a_control_character_is_refused_and_a_description_has_lines() {
    let with = |title: &str, description: &str, tag: &str, city: &str| Details {
        description: description.to_owned(),
        city: Some(city.to_owned()),
        ..details(title, &[tag])
    };
    let good = with(
        "Nuit blanche 🎉",
        "Two\nlines\r\n\tand \u{200f}more",
        "rock",
        "Lyon",
    );
    assert!(good.check().is_ok());
    for (details, at) in [
        (with("Tosca\u{1b}[31m", "", "rock", "Lyon"), "title"),
        (with("Tosca\nSet-Cookie: a", "", "rock", "Lyon"), "title"),
        (with("Nuit \u{202e}blanche", "", "rock", "Lyon"), "title"),
        (with("\u{200d}\u{fe0f}", "", "rock", "Lyon"), "title"),
        (with("Tosca", "", "\u{200d}", "Lyon"), "tags"),
        (with("Tosca", "\u{7}", "rock", "Lyon"), "description"),
        (with("Tosca", "", "ro\u{85}ck", "Lyon"), "tags"),
        (with("Tosca", "", "rock", "Ly\u{0}on"), "city"),
    ] {
        let refused = details.check();
        assert!(
            matches!(refused, Err(EventError::Invalid { field, .. }) if field == at),
            "{refused:?}"
        );
    }
    for reason in ["storm\u{1b}", "storm \u{202e}", "sto\u{200b}rm"] {
        assert!(check_reason(reason).is_err(), "{reason:?}");
    }
    assert!(check_reason("A storm.\nSorry").is_ok());
}
