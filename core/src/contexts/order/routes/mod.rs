//! `/orders`, and the refunds of `/payments/{id}`: this context decides about them.

mod errors;
mod guests;

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use eventify_contracts::order::{CancelReason, Item, RefundReason};
use eventify_kernel::auth::Role;
use eventify_kernel::http::{
    Answer, ApiError, Caller, Json, Paged, Paging, Path, Policy, Query, Routes, StatusCode, Words,
    not_null,
};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId, ReservationId, TicketId, UserId};
use eventify_protocol::money::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acts::{self, Cancelled, Organiser, Refunded, RequestedRefund};
use super::model::Order;
use super::{App, NAME, store};

const OWNER: &str = "order.customer_id or seller_id";
const BUYERS: &[Role] = &[Role::Customer, Role::BoxOffice, Role::Admin];
const REFUNDERS: &[Role] = &[Role::Organizer, Role::Admin];
const REFUND_READERS: &[Role] = &[
    Role::Customer,
    Role::BoxOffice,
    Role::Organizer,
    Role::Admin,
];
const MAX_TICKETS_PER_REFUND: usize = 100;

pub(super) fn routes() -> Routes<App> {
    let write = Policy::roles(BUYERS).scopes(&["order:write"]).owner(OWNER);
    let read = Policy::roles(BUYERS).owner(OWNER);
    let refund = Policy::roles(REFUNDERS)
        .owner("performance.owner_id")
        .key_required()
        .strict();
    Routes::new()
        .post("/orders", write.key_required(), place)
        .get("/orders", read.query(), list)
        .get("/orders/{order_id}", read, show)
        .put("/orders/{order_id}/guest", write, guests::name)
        .post("/orders/{order_id}/cancel", write, cancel)
        .post("/orders/{order_id}/refunds", refund, refund_of_order)
        .get(
            "/orders/{order_id}/refunds/{refund_id}",
            Policy::roles(REFUND_READERS)
                .owner("order.customer_id or seller_id, or who asked for it"),
            show_refund,
        )
        .post("/payments/{payment_id}/refunds", refund, refund_tickets)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Place {
    reservation_id: ReservationId,
    amount: Option<Money>,
    /// Who comes, for whoever wants to be found by name at the door.
    #[serde(default)]
    guest_name: Words,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListQuery {
    reservation_id: Option<ReservationId>,
    page: Option<u32>,
    size: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Cancel {
    /// Without it: all that may still be given back.
    #[serde(default, deserialize_with = "not_null")]
    ticket_ids: Option<Vec<TicketId>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Refund {
    ticket_ids: Vec<TicketId>,
    /// The organiser's explanation; `reason` is the blueprint's name for it.
    #[serde(default, alias = "reason")]
    note: Words,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    order_id: OrderId,
    reservation_id: ReservationId,
    customer_id: UserId,
    /// The box office that sold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    seller_id: Option<UserId>,
    status: &'static str,
    amount: Money,
    pay_until: DateTime<Utc>,
    payment_id: Option<PaymentId>,
    /// What went back at the payment provider without us.
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded_elsewhere: Option<Money>,
    paid_at: Option<DateTime<Utc>>,
    cancelled_reason: Option<&'static str>,
    items: Vec<Item>,
    created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guest_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tickets: Option<Vec<TicketView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refunds: Option<Vec<RefundView>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TicketView {
    ticket_id: TicketId,
    price: Money,
    refund_id: Option<RefundId>,
    /// Why it is worth nothing any more: `refund`, `fraud`, `event_cancelled`, `replaced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_reason: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundView {
    refund_id: RefundId,
    status: String,
    amount: Money,
    reason: RefundReason,
    /// The organiser's explanation.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The code with which it was refused, or came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    /// Who sent the money: `provider`, `elsewhere`, `hand`.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundStarted {
    order_id: OrderId,
    status: &'static str,
    refund_id: RefundId,
    /// `opened`: the tickets are being suspended, then the money is asked for.
    refund_status: &'static str,
    amount: Money,
    ticket_ids: Vec<TicketId>,
    reason: RefundReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// The order of a confirmed reservation; the confirmation has created it.
async fn place(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Place>,
) -> Answer<impl IntoResponse> {
    let order = find_or_wait(&app, &caller, body.reservation_id).await?;
    let amount = order.amount;
    if body.amount.is_some_and(|claimed| claimed != amount) {
        let refused = ApiError::unprocessable("price_mismatch", format!("the amount is {amount}"));
        return Err(refused.field("amount", format!("must be {amount}")));
    }
    let guest_name = guests::checked("guestName", body.guest_name)?;
    if guest_name.is_some() {
        acts::name_guest(&app, &caller.cause, order.id, guest_name.as_deref()).await?;
    }
    let location = [(LOCATION, format!("/orders/{}", order.id))];
    let view = View {
        guest_name,
        ..View::of(order)
    };
    Ok((StatusCode::CREATED, location, Json(view)))
}

/// The caller's order of a reservation; somebody else's is refused without a wait. Whose a reservation without
/// an order is, only reservation knows, which order may not ask: there the number of a caller's waits is the
/// limit.
async fn find_or_wait(app: &App, caller: &Caller, id: ReservationId) -> Answer<Order> {
    let user = caller.principal()?.user_id;
    let order = acts::wait_for_order(app, user, id).await?;
    let order = order.ok_or_else(|| {
        let message = "the reservation has no order yet; try again if it was confirmed just now";
        ApiError::not_found("order_not_found", message).retry_after(1)
    })?;
    caller.must_own_or_sell(order.customer_id, order.seller_id)?;
    Ok(order)
}

/// The caller's own orders, newest first.
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Paged<View>>> {
    let paging = Paging::of(query.page, query.size)?;
    let customer = caller.principal()?.user_id.into();
    let mut conn = app.db.read(NAME).await?;
    let window = (paging.offset(), paging.limit());
    let (orders, total) = store::list(&mut conn, customer, query.reservation_id, window).await?;
    Ok(Json(
        paging.answer(orders.into_iter().map(View::of).collect(), total),
    ))
}

/// An order with its tickets and refunds.
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<OrderId>,
) -> Answer<Json<View>> {
    let order = owned(&app, &caller, id).await?;
    let mut conn = app.db.read(NAME).await?;
    let mut revoked = store::list_revoked(&mut conn, id).await?;
    let tickets = store::list_tickets(&mut conn, id).await?.into_iter();
    let tickets = tickets.map(|ticket| TicketView {
        ticket_id: ticket.ticket_id,
        price: ticket.price,
        refund_id: ticket.refund_id,
        revoked_reason: revoked.remove(&ticket.ticket_id),
    });
    let refunds = store::list_refunds(&mut conn, id).await?.into_iter();
    let refunds = refunds.map(RefundView::from);
    Ok(Json(View {
        guest_name: store::find_guest_name(&mut conn, id).await?,
        tickets: Some(tickets.collect()),
        refunds: Some(refunds.collect()),
        ..View::of(order)
    }))
}

/// How a refund goes, for whose it is and for whoever asked for it: an organiser who pays tickets back may not read the
/// order.
async fn show_refund(
    State(app): State<App>,
    caller: Caller,
    Path((order, id)): Path<(OrderId, RefundId)>,
) -> Answer<Json<RefundView>> {
    let of = acts::find(&app, order).await?;
    let refund = store::find_refund(&mut *app.db.read(NAME).await?, id).await?;
    let refund = refund.filter(|it| it.order_id == order);
    let asked_by = refund.as_ref().and_then(|it| it.requested_by);
    if asked_by != Some(caller.principal()?.user_id.into()) {
        caller.must_own_or_sell(of.customer_id, of.seller_id)?;
    }
    let refund = refund
        .ok_or_else(|| ApiError::not_found("refund_not_found", "the order has no such refund"))?;
    Ok(Json(refund.into()))
}

impl From<store::Refund> for RefundView {
    fn from(refund: store::Refund) -> Self {
        Self {
            refund_id: refund.refund_id,
            status: refund.status,
            amount: refund.amount,
            reason: refund.reason,
            note: refund.note,
            failure_reason: refund.failure_reason,
            settled_by: refund.settled_by,
            reference: refund.reference,
            created_at: refund.created_at,
        }
    }
}

/// 200 with the cancelled order, or 202 with the refund of a paid one.
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<OrderId>,
    Json(body): Json<Cancel>,
) -> Answer<Response> {
    let order = owned(&app, &caller, id).await?;
    if let Some(named) = &body.ticket_ids {
        check_count(named)?;
    }
    let by = caller.principal()?.user_id.into();
    let is_seller = caller.must_own(order.customer_id).is_err();
    let named = body.ticket_ids.as_deref();
    let cancelled = acts::cancel(&app, &caller.cause, order.id, named, (by, is_seller)).await?;
    Ok(match cancelled {
        Cancelled::Unpaid(order) => Json(View::of(order)).into_response(),
        Cancelled::Refunding(refund) => accepted(refund).into_response(),
    })
}

/// An organiser or administrator refunds named tickets, at any time.
async fn refund_tickets(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PaymentId>,
    Json(body): Json<Refund>,
) -> Answer<impl IntoResponse> {
    refund(&app, &caller, Refunded::Of(id), body).await
}

/// The same by the order: a free one has no payment.
async fn refund_of_order(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<OrderId>,
    Json(body): Json<Refund>,
) -> Answer<impl IntoResponse> {
    refund(&app, &caller, Refunded::Order(id), body).await
}

async fn refund(
    app: &App,
    caller: &Caller,
    whose: Refunded,
    body: Refund,
) -> Answer<impl IntoResponse + use<>> {
    let principal = caller.principal()?;
    check_count(&body.ticket_ids)?;
    let by = Organiser {
        user_id: principal.user_id.into(),
        org_id: principal.org_id.clone(),
        is_admin: principal.has_role(Role::Admin),
    };
    let named = (body.ticket_ids.as_slice(), body.note.0);
    let refund = acts::refund(app, &caller.cause, whose, named, &by).await?;
    Ok(accepted(refund))
}

fn accepted(refund: RequestedRefund) -> impl IntoResponse {
    let RequestedRefund {
        order,
        refund_id,
        plan,
    } = refund;
    let view = RefundStarted {
        order_id: order.id,
        status: order.state.name(),
        refund_id,
        refund_status: store::OPENED,
        amount: plan.amount,
        ticket_ids: plan.tickets,
        reason: plan.reason,
        note: plan.note,
    };
    let path = format!("/orders/{}/refunds/{refund_id}", view.order_id);
    (StatusCode::ACCEPTED, [(LOCATION, path)], Json(view))
}

async fn owned(app: &App, caller: &Caller, id: OrderId) -> Answer<Order> {
    let order = acts::find(app, id).await?;
    caller.must_own_or_sell(order.customer_id, order.seller_id)?;
    Ok(order)
}

fn check_count(tickets: &[TicketId]) -> Answer<()> {
    if (1..=MAX_TICKETS_PER_REFUND).contains(&tickets.len()) {
        return Ok(());
    }
    let given = tickets.len();
    let issue = format!("must be 1 to {MAX_TICKETS_PER_REFUND} tickets; given: {given}");
    Err(ApiError::invalid("ticketIds", issue))
}

impl View {
    fn of(order: Order) -> Self {
        Self {
            order_id: order.id,
            reservation_id: order.reservation_id,
            customer_id: order.customer_id,
            seller_id: order.seller_id,
            status: order.state.name(),
            amount: order.amount,
            pay_until: order.pay_until,
            payment_id: order.payment_id,
            refunded_elsewhere: Some(order.refunded_elsewhere).filter(|it| it.minor() > 0),
            paid_at: order.state.paid_at(),
            cancelled_reason: order.state.cancel_reason().map(CancelReason::name),
            items: order.items,
            created_at: order.created_at,
            guest_name: None,
            tickets: None,
            refunds: None,
        }
    }
}
