//! Answers RabbitMQ's questions by a rule, as a core would, and records them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::routing::post;

/// A question of RabbitMQ: the last part of the path, and the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) about: String,
    pub(crate) form: BTreeMap<String, String>,
}

type Rule = fn(&Question) -> bool;

#[derive(Debug, Clone)]
pub(crate) struct AuthDouble {
    pub(crate) url: String,
    questions: Arc<Mutex<Vec<Question>>>,
}

#[derive(Clone)]
struct Core {
    nodes: Vec<String>,
    rule: Rule,
    questions: Arc<Mutex<Vec<Question>>>,
}

impl AuthDouble {
    /// Knows these nodes, and denies others; the rule decides what they may do. Questions about a
    /// user go to the doubles of all tests, and one `allow` is enough.
    pub(crate) async fn start(nodes: &[&str], rule: Rule) -> Self {
        let questions = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().route("/broker/{about}", post(answer));
        let core = Core {
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            rule,
            questions: Arc::clone(&questions),
        };
        let router = router.with_state(core);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, questions }
    }

    pub(crate) fn questions(&self, about: &str) -> Vec<BTreeMap<String, String>> {
        let questions = self.questions.lock().unwrap();
        questions
            .iter()
            .filter(|q| q.about == about)
            .map(|q| q.form.clone())
            .collect()
    }
}

async fn answer(
    State(core): State<Core>,
    Path(about): Path<String>,
    Form(form): Form<BTreeMap<String, String>>,
) -> &'static str {
    let question = Question { about, form };
    let is_about = |node: &String| question.form.get("username") == Some(node);
    if !core.nodes.iter().any(is_about) {
        return "deny";
    }
    let allowed = (core.rule)(&question);
    core.questions.lock().unwrap().push(question);
    if allowed { "allow" } else { "deny" }
}
