//! What clients may send.

use super::{
    code, contexts_folder, files_of, folders_of_contexts, kernel_files, layered_files, root,
};

/// A field that nobody reads is a client's mistake, and is told so.
#[test]
fn what_clients_send_denies_unknown_fields() {
    let contexts = folders_of_contexts();
    let of_contexts = contexts
        .iter()
        .flat_map(|context| layered_files(context))
        .filter(|(layer, _)| layer == "routes" || layer == "model");
    let of_kernel = kernel_files()
        .into_iter()
        .filter(|(part, _)| part == "http");
    // The broker is no client: RabbitMQ asks as its version asks.
    let broker = contexts_folder().join("fleet/model/broker.rs");
    let mut seen = 0;
    for (_, file) in of_contexts.chain(of_kernel) {
        for declared in declarations(&code(&file)) {
            assert!(
                file == broker || is_strict(&declared),
                "{}: {declared}",
                file.display()
            );
            seen += 1;
        }
    }
    let protocol = root().join("protocol/src");
    let mut of_nodes = files_of(&protocol.join("lan"), "rs");
    of_nodes.push(protocol.join("enrolment.rs"));
    for file in of_nodes {
        for declared in declarations(&code(&file)) {
            let is_request = declared.trim_end().ends_with("Request");
            assert!(!is_request || is_strict(&declared), "{declared}");
            seen += usize::from(is_request);
        }
    }
    assert!(seen > 30, "only {seen} types");
}

/// A time of any year would be an error of the database, or a panic of a calculation.
#[test]
fn a_time_that_a_client_names_is_of_a_year_that_exists() {
    let contexts = folders_of_contexts();
    let routes = contexts
        .iter()
        .flat_map(|context| layered_files(context))
        .filter(|(layer, _)| layer == "routes");
    let mut seen = 0;
    for (_, file) in routes {
        for body in bodies(&code(&file)) {
            assert!(
                !body.contains("DateTime<Utc>"),
                "{}: {body}",
                file.display()
            );
            seen += body.matches("GivenTime").count();
        }
    }
    assert!(seen > 3, "only {seen} times");
}

/// The fields of the types that clients send.
fn bodies(code: &str) -> Vec<String> {
    let of_derive = |rest: &str| {
        let (derives, rest) = rest.split_once(')')?;
        let body = rest.split_once('{')?.1.split('}').next()?;
        derives.contains("Deserialize").then(|| body.to_owned())
    };
    code.split("#[derive(")
        .skip(1)
        .filter_map(of_derive)
        .collect()
}

/// What stands between a derive of `Deserialize` and the type's body.
fn declarations(code: &str) -> Vec<String> {
    code.split("#[derive(")
        .skip(1)
        .filter(|rest| {
            let derives = rest.split(')').next().unwrap_or_default();
            derives.contains("Deserialize")
        })
        .map(|rest| rest.split(['{', ';']).next().unwrap_or_default().to_owned())
        .collect()
}

/// Fields that don't exist are refused; an enum of words has none.
fn is_strict(declared: &str) -> bool {
    declared.contains("deny_unknown_fields") || declared.contains("enum ")
}
