//! Lists where an object is expected: serde would read the object's fields from them, by their places, and a client
//! that relies on that breaks when a field is added.

use serde_json::Value;

use super::Step;
use crate::http::shape::Shape;

/// The place of the first one.
pub(super) fn in_place_of_an_object(sent: &Value, shape: Shape<'_>) -> Option<Vec<Step>> {
    let mut path = Vec::new();
    is_within(sent, shape, &mut path).then_some(path)
}

fn is_within(sent: &Value, shape: Shape<'_>, path: &mut Vec<Step>) -> bool {
    match sent {
        Value::Array(items) => match shape.item() {
            Some(of_each) => (0..).zip(items).any(|(index, item)| {
                path.push(Step::Item(index));
                let is_within = is_within(item, of_each, path);
                if !is_within {
                    path.pop();
                }
                is_within
            }),
            None => shape.is_object(),
        },
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let Some(of_field) = shape.field(name) else {
                return false;
            };
            path.push(Step::Field(name.clone()));
            let is_within = is_within(value, of_field, path);
            if !is_within {
                path.pop();
            }
            is_within
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::super::read_body;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Order {
        number: u8,
        #[serde(default)]
        notes: Vec<String>,
        #[serde(default)]
        items: Vec<Item>,
        #[serde(default)]
        buyer: Option<Item>,
        #[serde(default)]
        address: serde_json::Map<String, serde_json::Value>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Item {
        seat: String,
    }

    #[test]
    fn an_object_is_not_read_from_a_list() {
        for (sent, wanted) in [
            (
                "[7]",
                "'body': must be an object with address, buyer, items, notes, number; given: a list of 1",
            ),
            (
                r#"{"number":7,"items":[{"seat":"A"},["B"]]}"#,
                "'items[1]': must be an object with seat; given: a list of 1",
            ),
            (
                r#"{"number":7,"buyer":["B"]}"#,
                "'buyer': must be an object with seat; given: a list of 1",
            ),
        ] {
            let refused = read_body::<Order>(sent.as_bytes()).unwrap_err();
            let said = format!("{refused:?}");
            assert!(said.contains(wanted), "{sent}: {said}");
        }
        let good = r#"{"number":7,"notes":["a"],"items":[{"seat":"A"}],"address":{"lines":["1"]}}"#;
        let order: Order = read_body(good.as_bytes()).unwrap();
        assert_eq!(
            (order.number, order.notes.len(), order.items.len()),
            (7, 1, 1)
        );
        assert!(order.buyer.is_none() && order.address.len() == 1);
    }
}
