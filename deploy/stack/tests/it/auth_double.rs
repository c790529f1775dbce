//! Answers RabbitMQ's questions by a rule, as a core would, and records them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::routing::post;
use tokio::sync::watch;
use tokio::time::timeout;

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
    questions: watch::Sender<Vec<Question>>,
}

impl AuthDouble {
    pub(crate) async fn start(rule: Rule) -> Self {
        let questions = watch::Sender::default();
        let router = Router::new().route("/broker/{about}", post(answer));
        let router = router.with_state((questions.clone(), rule));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, questions }
    }

    pub(crate) fn questions(&self, about: &str) -> Vec<BTreeMap<String, String>> {
        let questions = self.questions.borrow();
        questions
            .iter()
            .filter(|q| q.about == about)
            .map(|q| q.form.clone())
            .collect()
    }

    /// Waits for a question: the core of another test may have answered it first.
    pub(crate) async fn until_asked(&self, wanted: impl Fn(&Question) -> bool) {
        let mut questions = self.questions.subscribe();
        let asked = questions.wait_for(|all| all.iter().any(&wanted));
        let asked = timeout(Duration::from_secs(20), asked).await;
        asked.expect("the question did not come").unwrap();
    }
}

async fn answer(
    State((questions, rule)): State<(watch::Sender<Vec<Question>>, Rule)>,
    Path(about): Path<String>,
    Form(form): Form<BTreeMap<String, String>>,
) -> &'static str {
    let question = Question { about, form };
    let allowed = rule(&question);
    questions.send_modify(|all| all.push(question));
    if allowed { "allow" } else { "deny" }
}
