//! The stored schemas under `protocol/schemas/` are what other programs rely on. A new event or an
//! added optional field is stored by `EVENTIFY_STORE_SCHEMAS=1 cargo test -p eventify-core --test
//! schemas`; an incompatible change is refused even then: raise the type's version instead.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::world::{made, product};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/schemas")
}

#[test]
fn events_keep_to_their_stored_schemas() {
    let store = std::env::var_os("EVENTIFY_STORE_SCHEMAS").is_some();
    for event in made(product).into_iter().flat_map(|context| context.events) {
        let path = folder().join(format!("{}.json", event.kind));
        let stored = std::fs::read_to_string(&path).ok();
        let stored: Option<Value> = stored.map(|text| serde_json::from_str(&text).unwrap());
        if let Some(stored) = &stored {
            let breaks = breaks(stored, &event.schema, event.kind);
            assert!(breaks.is_empty(), "incompatible: {breaks:#?}");
        }
        if stored.as_ref() == Some(&event.schema) {
            continue;
        }
        assert!(
            store,
            "{} has changed; see the top of this file",
            event.kind
        );
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(
            &path,
            serde_json::to_string_pretty(&event.schema).unwrap() + "\n",
        )
        .unwrap();
    }
}

/// What a consumer that relies on `old` would miss or misread in `new`.
fn breaks(old: &Value, new: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in ["type", "format", "const", "enum", "$ref", "pattern"] {
        if old.get(word).is_some() && old.get(word) != new.get(word) {
            found.push(format!(
                "{at}: '{word}' was {}, is {:?}",
                old[word],
                new.get(word)
            ));
        }
    }
    for name in names(old, "required").difference(&names(new, "required")) {
        found.push(format!(
            "{at}: '{name}' was always there, now it is optional or gone"
        ));
    }
    for group in ["properties", "$defs"] {
        for (name, schema) in old
            .get(group)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let place = format!("{at}.{name}");
            match new.get(group).and_then(|group| group.get(name)) {
                Some(now) => found.extend(breaks(schema, now, &place)),
                None => found.push(format!("{place}: is gone")),
            }
        }
    }
    if let (Some(old), Some(new)) = (old.get("items"), new.get("items")) {
        found.extend(breaks(old, new, &format!("{at}[]")));
    }
    found
}

fn names(schema: &Value, list: &str) -> BTreeSet<String> {
    let list = schema.get(list).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_comparison_knows_a_break_from_an_addition() {
    let old = serde_json::json!({
        "type": "object", "required": ["a"],
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
    });
    let mut added = old.clone();
    added["properties"]["c"] = serde_json::json!({"type": "string"});
    added["required"] = serde_json::json!(["a", "c"]);
    assert!(breaks(&old, &added, "x").is_empty());
    let mut gone = old.clone();
    gone["properties"].as_object_mut().unwrap().remove("b");
    assert_eq!(breaks(&old, &gone, "x"), ["x.b: is gone"]);
    let mut optional = old.clone();
    optional["required"] = serde_json::json!([]);
    assert_eq!(breaks(&old, &optional, "x").len(), 1);
    let mut retyped = old.clone();
    retyped["properties"]["a"]["type"] = serde_json::json!("integer");
    assert_eq!(breaks(&old, &retyped, "x").len(), 1);
}
