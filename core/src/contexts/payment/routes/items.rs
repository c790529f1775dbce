//! `/payments/open-items`: what differs, stands or was refused, and what people decide.

use axum::extract::State;
use chrono::{DateTime, Utc};
use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::http::{
    Answer, ApiError, Caller, Json, Paged, Paging, Path, Policy, Query, Routes, not_null, shown,
};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId, TicketId, UserId};
use eventify_protocol::money::Money;
use eventify_protocol::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::out_of_order;
use crate::contexts::payment::acts::{self, AdvanceError, Decision, DecisionError};
use crate::contexts::payment::model::{Act, ItemKind, OpenItem};
use crate::contexts::payment::store::items::ItemFilter;
use crate::contexts::payment::{App, NAME, store};

const DECIDERS: &[Role] = &[Role::Organizer, Role::Admin];
const MAX_REFERENCE_CHARS: usize = 200;
const MAX_TICKETS: usize = 100;

pub(super) fn routes(routes: Routes<App>) -> Routes<App> {
    let read = Policy::roles(DECIDERS).owner("performance.owner_id");
    let decide = read.key_required().strict();
    routes
        .get("/payments/open-items", read.query(), list)
        .get("/payments/open-items/{item_id}", read, show)
        .post("/payments/open-items/{item_id}/retry", decide, retry)
        .post("/payments/open-items/{item_id}/accept", decide, accept)
        .post(
            "/payments/open-items/{item_id}/pay-otherwise",
            decide,
            pay_otherwise,
        )
        .post("/payments/open-items/{item_id}/revoke", decide, revoke)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListQuery {
    kind: Option<String>,
    order_id: Option<OrderId>,
    /// Default: `open`.
    state: Option<Listed>,
    page: Option<u32>,
    size: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Listed {
    Open,
    All,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PaidOtherwise {
    reference: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Revocation {
    /// Without it: all of the order.
    #[serde(default, deserialize_with = "not_null")]
    ticket_ids: Option<Vec<TicketId>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    item_id: Uuid,
    kind: &'static str,
    state: &'static str,
    /// Our refund or payment, or the provider's id of what it is about.
    subject: String,
    payment_id: PaymentId,
    order_id: OrderId,
    refund_id: Option<RefundId>,
    amount: Money,
    /// The provider's code, or the bank's.
    reason: String,
    /// What it is, and what to do.
    words: &'static str,
    since: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Of the refund, or of the whole order.
    ticket_ids: Vec<TicketId>,
    /// What may be done now.
    acts: Vec<&'static str>,
    /// Why the last decision was not carried out, a code.
    refused_because: Option<String>,
    /// How it ended, or what is being done, and by whom.
    act: Option<String>,
    acted_by: Option<UserId>,
    reference: Option<String>,
    done_at: Option<DateTime<Utc>>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Paged<View>>> {
    let paging = Paging::of(query.page, query.size)?;
    let filter = ItemFilter {
        kind: query.kind.as_deref().map(kind_named).transpose()?,
        order: query.order_id,
        done: matches!(query.state, Some(Listed::All)),
        run_by: run_by(caller.principal()?),
    };
    let mut conn = app.db.read(NAME).await?;
    let window = (paging.offset(), paging.limit());
    let (items, total) = store::items::list(&mut conn, &filter, window).await?;
    drop(conn);
    Ok(Json(paging.answer(views(&app, items).await?, total)))
}

async fn show(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> Answer<Json<View>> {
    let item = own(&app, &caller, id).await?;
    view(&app, item).await
}

async fn retry(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<Json<View>> {
    decide(&app, &caller, id, (Act::Retry, None, Vec::new())).await
}

async fn accept(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<Json<View>> {
    decide(&app, &caller, id, (Act::Accept, None, Vec::new())).await
}

/// The money was paid back by another way: a transfer, cash at the office.
async fn pay_otherwise(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<PaidOtherwise>,
) -> Answer<Json<View>> {
    let reference = text::line(&body.reference, 1..=MAX_REFERENCE_CHARS).map_err(|unfit| {
        let issue = format!("{unfit}; it has to find the payment again");
        ApiError::invalid("reference", issue)
    })?;
    let what = (Act::PayOtherwise, Some(reference), Vec::new());
    decide(&app, &caller, id, what).await
}

/// The tickets lose their value: all of the order, or the named ones.
async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<Revocation>,
) -> Answer<Json<View>> {
    let named = body.ticket_ids;
    let given = named.as_ref().map(Vec::len);
    if let Some(given) = given.filter(|given| !(1..=MAX_TICKETS).contains(given)) {
        let issue = format!("must be 1 to {MAX_TICKETS} tickets; given: {given}");
        return Err(ApiError::invalid("ticketIds", issue));
    }
    let what = (Act::Revoke, None, named.unwrap_or_default());
    decide(&app, &caller, id, what).await
}

async fn decide(
    app: &App,
    caller: &Caller,
    id: Uuid,
    (act, reference, tickets): (Act, Option<String>, Vec<TicketId>),
) -> Answer<Json<View>> {
    own(app, caller, id).await?;
    let decision = Decision {
        act,
        by: caller.principal()?.user_id.into(),
        reference,
        tickets,
    };
    let item = acts::decide(app, &caller.cause, id, decision).await?;
    view(app, item).await
}

/// An organiser sees the items of orders whose performances are all theirs.
async fn own(app: &App, caller: &Caller, id: Uuid) -> Answer<OpenItem> {
    let mut conn = app.db.read(NAME).await?;
    let item = store::items::find(&mut conn, id).await?;
    let item = item.ok_or(DecisionError::Unknown)?;
    if let Some((user, org)) = run_by(caller.principal()?) {
        let who = (user, org.as_deref());
        if !store::orders::is_run_by(&mut conn, item.payment_id, who).await? {
            return Err(ApiError::forbidden(
                "another organiser runs this performance",
            ));
        }
    }
    Ok(item)
}

/// `None` for an administrator, who sees all.
fn run_by(who: &Principal) -> Option<(UserId, Option<String>)> {
    let all = who.has_role(Role::Admin);
    (!all).then(|| (who.user_id.into(), who.org_id.clone()))
}

fn kind_named(name: &str) -> Answer<ItemKind> {
    ItemKind::parse(name).ok_or_else(|| {
        let names = ItemKind::ALL.map(ItemKind::name).join(", ");
        let kind = shown(name);
        ApiError::invalid("kind", format!("must be one of {names}; given: {kind}"))
    })
}

async fn view(app: &App, item: OpenItem) -> Answer<Json<View>> {
    let view = views(app, vec![item]).await?.pop();
    Ok(Json(view.ok_or(DecisionError::Unknown)?))
}

async fn views(app: &App, items: Vec<OpenItem>) -> Answer<Vec<View>> {
    let mut conn = app.db.read(NAME).await?;
    let orders: Vec<_> = items.iter().map(|item| item.order_id).collect();
    let tickets = store::orders::list_tickets(&mut conn, &orders).await?;
    let mut views = Vec::with_capacity(items.len());
    for item in items {
        let refund = match item.refund_id {
            Some(id) => store::find_refund(&mut conn, id).await?,
            None => None,
        };
        let of_order = tickets.iter().filter(|(order, _)| *order == item.order_id);
        let acts = match item.done {
            None => item.acts(refund.as_ref(), app.clock.now()),
            Some(_) => &[],
        };
        let (done, revoking) = (item.done, item.revoking);
        let revoke = revoking.as_ref().map(|_| Act::Revoke.name().to_owned());
        views.push(View {
            item_id: item.id,
            kind: item.kind.name(),
            state: match (&done, &revoking) {
                (Some(_), _) => "done",
                (None, Some(_)) => "revoking",
                (None, None) => "open",
            },
            subject: item.subject,
            payment_id: item.payment_id,
            order_id: item.order_id,
            refund_id: item.refund_id,
            amount: item.amount,
            reason: item.reason,
            words: item.kind.words(),
            since: item.since,
            updated_at: item.updated_at,
            ticket_ids: match refund {
                Some(refund) => refund.ticket_ids,
                None => of_order.map(|(_, ticket)| *ticket).collect(),
            },
            acts: acts.iter().map(|act| act.name()).collect(),
            refused_because: item.refused,
            act: done.as_ref().map(|it| it.act.clone()).or(revoke),
            acted_by: match &done {
                Some(done) => done.by,
                None => revoking.map(|it| it.by),
            },
            done_at: done.as_ref().map(|it| it.at),
            reference: done.and_then(|it| it.reference),
        });
    }
    Ok(views)
}

impl From<DecisionError> for ApiError {
    fn from(error: DecisionError) -> Self {
        let message = error.to_string();
        match error {
            DecisionError::Unknown => Self::not_found("open_item_not_found", message),
            DecisionError::Done(_) => Self::conflict("open_item_done", message),
            DecisionError::NotAllowed { acts, .. } => {
                let refused = Self::conflict("act_not_allowed", message);
                acts.into_iter()
                    .fold(refused, |it, act| it.field("act", act))
            }
            DecisionError::ForeignTicket(_) => Self::unprocessable("foreign_ticket", message),
            DecisionError::InRefund(_) => Self::conflict("ticket_in_refund", message),
            DecisionError::TicketsNotNamed => Self::invalid("ticketIds", message),
            DecisionError::Provider(AdvanceError::Db(error)) | DecisionError::Db(error) => {
                error.into()
            }
            DecisionError::Provider(error) => out_of_order(Some(&error)),
        }
    }
}
