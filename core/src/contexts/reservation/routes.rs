//! `/reservations`: the cart over HTTP.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use chrono::{DateTime, Duration, Utc};
use eventify_kernel::auth::Role;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Path, Policy, Routes, StatusCode};
use eventify_protocol::ids::{BucketId, HoldId, PerformanceId, ReservationId, SeatId, UserId};
use eventify_protocol::money::Money;
use eventify_protocol::token::CategoryCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::acts::{self, Error, RequestedPlace};
use super::model::{self, Channel, Refusal, Reservation};
use crate::contexts::inventory::api::{
    BucketWanted, Buyer, HoldError, HoldRefusal, OutOfStock, SeatRef, SeatWanted,
};
use crate::contexts::reservation::App;
use crate::contexts::ticketing::api as ticketing;

/// How often a request can be repeated whose hold was released in between.
const HOLDS_PER_KEY: u32 = 8;

const OWNER: &str = "reservation.customer_id or seller_id";
const BUYERS: &[Role] = &[Role::Customer, Role::BoxOffice, Role::Admin];

pub(super) fn routes() -> Routes<App> {
    let write = Policy::roles(BUYERS)
        .scopes(&["reservation:write"])
        .owner(OWNER);
    let read = Policy::roles(BUYERS).owner(OWNER);
    Routes::new()
        .post("/reservations", write.key_required(), start)
        .get("/reservations/{reservation_id}", read, show)
        .post(
            "/reservations/{reservation_id}/items",
            write.strict(),
            add_items,
        )
        .delete(
            "/reservations/{reservation_id}/items/{item_id}",
            write,
            remove_item,
        )
        .post("/reservations/{reservation_id}/confirm", write, confirm)
        .delete("/reservations/{reservation_id}", write, cancel)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Start {
    customer_id: Option<Uuid>,
    expires_in_seconds: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddItems {
    performance_id: PerformanceId,
    items: Vec<NewItem>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewItem {
    /// UUID or label.
    seat_id: Option<String>,
    bucket_id: Option<BucketId>,
    qty: Option<u32>,
    price_category: Option<CategoryCode>,
    unit_price: Option<Money>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    reservation_id: ReservationId,
    customer_id: UserId,
    /// The box office that opened it in the customer's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    seller_id: Option<UserId>,
    status: &'static str,
    expires_at: DateTime<Utc>,
    items: Vec<ItemView>,
    total: Option<Money>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemView {
    item_id: Uuid,
    performance_id: PerformanceId,
    seat_id: Option<SeatId>,
    seat: Option<String>,
    bucket_id: Option<BucketId>,
    zone: Option<String>,
    qty: u32,
    price_category: CategoryCode,
    unit_price: Money,
    hold_id: HoldId,
}

async fn start(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Start>,
) -> Answer<impl IntoResponse> {
    let principal = caller.principal()?;
    let customer = body.customer_id.unwrap_or(principal.user_id);
    if customer != principal.user_id && !principal.has_role(Role::BoxOffice) {
        return Err(ApiError::forbidden("'customerId' must be the caller"));
    }
    let longest = app.state.settings.hold();
    let lifetime = match body.expires_in_seconds {
        None => longest,
        Some(seconds) => {
            let requested = Duration::seconds(i64::from(seconds));
            if seconds == 0 || requested > longest {
                let most = longest.num_seconds();
                let issue = format!("must be 1 to {most}; given: {seconds}");
                return Err(ApiError::invalid("expiresInSeconds", issue));
            }
            requested
        }
    };
    let max_open = max_open(&caller, app.state.settings.max_open_per_customer)?;
    let seller = (customer != principal.user_id).then(|| principal.user_id.into());
    let parties = (customer.into(), seller);
    let cart = acts::start(&app, &caller.cause, parties, lifetime, max_open).await?;
    let location = [(LOCATION, format!("/reservations/{}", cart.id))];
    Ok((StatusCode::CREATED, location, Json(View::of(&cart)?)))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ReservationId>,
) -> Answer<Json<View>> {
    Ok(Json(View::of(&owned(&app, &caller, id).await?)?))
}

async fn add_items(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ReservationId>,
    Json(body): Json<AddItems>,
) -> Answer<impl IntoResponse> {
    let cart = owned(&app, &caller, id).await?;
    if body.items.is_empty() {
        return Err(ApiError::invalid("items", "must name at least one place"));
    }
    let items = body.items.into_iter().enumerate();
    let places = items
        .map(|(index, item)| item.requested(index))
        .collect::<Answer<Vec<_>>>()?;
    let holds = hold_ids(&app, &caller);
    let channel = channel_of(&app, &caller, &cart, body.performance_id).await?;
    let limit = app.state.settings.max_places_per_customer;
    let buyer = Buyer {
        id: cart.customer_id,
        most_held: (channel == Channel::Online).then_some(limit),
        seller: cart.seller_id.filter(|it| caller.is_seller(Some(*it))),
    };
    let added = acts::add_items(
        &app,
        &caller.cause,
        (&cart, buyer, channel),
        body.performance_id,
        &places,
        &holds,
    );
    // The cart shows its items.
    let location = [(LOCATION, format!("/reservations/{id}"))];
    let view = View::of(&added.await?)?;
    Ok((StatusCode::CREATED, location, Json(view)))
}

async fn remove_item(
    State(app): State<App>,
    caller: Caller,
    Path((id, item_id)): Path<(ReservationId, Uuid)>,
) -> Answer<StatusCode> {
    owned(&app, &caller, id).await?;
    acts::remove_item(&app, &caller.cause, id, item_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn confirm(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ReservationId>,
) -> Answer<Json<View>> {
    let cart = owned(&app, &caller, id).await?;
    let confirmed = acts::confirm(&app, &caller.cause, cart).await?;
    Ok(Json(View::of(&confirmed)?))
}

async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ReservationId>,
) -> Answer<StatusCode> {
    owned(&app, &caller, id).await?;
    acts::cancel(&app, &caller.cause, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The holds that a request may take, in turn. One that has ended never comes back, and a repeat of
/// the request must find the one that its first attempt took.
fn hold_ids(app: &App, caller: &Caller) -> Vec<HoldId> {
    let Some(key) = &caller.key else {
        return vec![HoldId(app.clock.new_id())];
    };
    let further = (2..=HOLDS_PER_KEY).map(|turn| key.inner(&format!("hold {turn}")));
    let ids = std::iter::once(key.inner("hold")).chain(further);
    ids.map(HoldId).collect()
}

/// A box office opens a cart for each guest in its queue. What it can put into them says [`channel_of`].
fn max_open(caller: &Caller, limit: u32) -> Answer<Option<u32>> {
    let sells = caller.principal()?.has_role(Role::BoxOffice);
    Ok((!sells).then_some(limit))
}

/// A box office sells to everybody in its queue, without a customer's limits and until the end: where the
/// organiser has assigned it. Elsewhere whoever works there is a customer, and sells to nobody, so that an account
/// of no venue can't empty anybody's hall.
async fn channel_of(
    app: &App,
    caller: &Caller,
    cart: &Reservation,
    performance: PerformanceId,
) -> Answer<Channel> {
    let who = caller.principal()?;
    if !who.has_role(Role::BoxOffice) {
        return Ok(Channel::Online);
    }
    if ticketing::is_assigned(app, who.user_id.into(), performance).await? {
        return Ok(Channel::BoxOffice);
    }
    if caller.is_seller(cart.seller_id) {
        return Err(ApiError::forbidden(
            "you are not assigned to the event of this performance; its organiser assigns you with \
             PUT /events/{eventId}/check-in-assignments/{userId}",
        ));
    }
    Ok(Channel::Online)
}

async fn owned(app: &App, caller: &Caller, id: ReservationId) -> Answer<Reservation> {
    let cart = acts::find(app, id).await?;
    caller.must_own_or_sell(cart.customer_id, cart.seller_id)?;
    Ok(cart)
}

impl NewItem {
    /// Exactly one of seat and zone.
    fn requested(self, index: usize) -> Answer<RequestedPlace> {
        let invalid =
            |name: &str, issue| Err(ApiError::invalid(format!("items[{index}].{name}"), issue));
        let (category, unit_price) = (self.price_category, self.unit_price);
        match (self.seat_id, self.bucket_id, self.qty) {
            (Some(seat), None, None | Some(1)) => {
                let seat = SeatRef::parse(&seat);
                let seat = SeatWanted { seat, category };
                Ok(RequestedPlace::Seat { seat, unit_price })
            }
            (Some(_), None, Some(_)) => invalid("qty", "a seat has one place"),
            (None, Some(_), Some(0)) => invalid("qty", "must be at least 1"),
            (None, Some(bucket), qty) => {
                let bucket = BucketWanted {
                    bucket,
                    quantity: qty.unwrap_or(1),
                    category,
                };
                Ok(RequestedPlace::Bucket { bucket, unit_price })
            }
            (None, None, _) | (Some(_), Some(_), _) => {
                invalid("seatId", "give either 'seatId' or 'bucketId'")
            }
        }
    }
}

impl View {
    fn of(cart: &Reservation) -> Result<Self, Error> {
        let status = match cart.state {
            model::State::Pending => "pending",
            model::State::Confirmed => "confirmed",
            model::State::Cancelled(_) => "cancelled",
            model::State::Expired => "expired",
        };
        let items = cart.items.iter().map(|line| ItemView {
            item_id: line.item_id,
            performance_id: line.item.performance_id,
            seat_id: line.item.seat_id,
            seat: line.item.seat_label.clone(),
            bucket_id: line.item.bucket_id,
            zone: line.item.zone.clone(),
            qty: line.item.qty,
            price_category: line.item.price_category,
            unit_price: line.item.unit_price,
            hold_id: line.item.hold_id,
        });
        Ok(Self {
            reservation_id: cart.id,
            customer_id: cart.customer_id,
            seller_id: cart.seller_id,
            status,
            expires_at: cart.expires_at,
            items: items.collect(),
            total: cart.total()?,
        })
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Refused(refusal) => refused(&refusal),
            Error::Unknown => Self::not_found("reservation_not_found", message),
            Error::UnknownItem => Self::not_found("item_not_found", message),
            Error::UnknownPerformance => Self::not_found("performance_not_found", message),
            Error::Hold(error) => not_held(error),
            Error::Declined(_) => Self::unprocessable("declined_by_venue", message),
            Error::CantSign(error) => error.into(),
            Error::Unavailable => Self::unavailable(message),
            Error::Db(error) => error.into(),
        }
    }
}

fn refused(refusal: &Refusal) -> ApiError {
    let message = refusal.to_string();
    match refusal {
        Refusal::Expired => ApiError::gone("reservation_expired", message),
        Refusal::Cancelled => ApiError::conflict("reservation_cancelled", message),
        Refusal::Confirmed => ApiError::conflict("reservation_confirmed", message),
        Refusal::Changed => ApiError::conflict("reservation_changed", message),
        Refusal::Duplicate => ApiError::conflict("duplicate_item", message),
        Refusal::Empty => ApiError::unprocessable("reservation_empty", message),
        Refusal::TooManyOpen(_) => ApiError::conflict("too_many_reservations", message),
        Refusal::TooManyItems => ApiError::unprocessable("too_many_items", message),
        Refusal::NotOnSale => ApiError::unprocessable("not_on_sale", message),
        Refusal::SalesNotOpen(_) => ApiError::unprocessable("sales_not_open", message),
        Refusal::SalesClosed(_) => ApiError::unprocessable("sales_closed", message),
        Refusal::UnknownCategory(_) => ApiError::unprocessable("unknown_price_category", message)
            .field("priceCategory", "unknown"),
        Refusal::CategoryNeeded(codes) => {
            let codes: Vec<_> = codes.iter().map(CategoryCode::as_str).collect();
            ApiError::unprocessable("price_category_required", message)
                .field("priceCategory", format!("one of {}", codes.join(", ")))
        }
        Refusal::PriceMismatch(price) => ApiError::unprocessable("price_mismatch", message)
            .field("unitPrice", format!("must be {price}")),
        Refusal::OtherCurrency(_) => ApiError::unprocessable("other_currency", message),
        Refusal::BelowLeast { least, .. } => ApiError::unprocessable("amount_too_small", message)
            .field("total", format!("must be at least {least}")),
        Refusal::TooExpensive => ApiError::unprocessable("amount_too_large", message),
    }
}

fn not_held(error: HoldError) -> ApiError {
    let message = error.to_string();
    let refusal = match error {
        HoldError::Refused(refusal) => refusal,
        HoldError::Db(error) => return error.into(),
    };
    match refusal {
        HoldRefusal::Invalid { field, issue } => ApiError::invalid(field, issue),
        HoldRefusal::UnknownPerformance => ApiError::not_found("performance_not_found", message),
        HoldRefusal::NotOnSale | HoldRefusal::Cancelled => {
            ApiError::unprocessable("not_on_sale", message)
        }
        HoldRefusal::Declined => ApiError::unprocessable("declined_by_venue", message),
        HoldRefusal::UnknownSeats(_) => ApiError::not_found("seat_not_found", message),
        HoldRefusal::UnknownBucket(_) => ApiError::not_found("bucket_not_found", message),
        HoldRefusal::CategoryNotAllowed { .. } => {
            ApiError::unprocessable("unknown_price_category", message)
        }
        HoldRefusal::OutOfStock(short) => out_of_stock(&short),
        HoldRefusal::TooManyHeld(_) => ApiError::conflict("too_many_places_held", message),
        HoldRefusal::Ended | HoldRefusal::Undone => ApiError::gone("hold_expired", message),
        HoldRefusal::IdReused => ApiError::conflict("idempotency_key_reused", message),
    }
}

fn out_of_stock(short: &OutOfStock) -> ApiError {
    let refused = ApiError::conflict("out_of_stock", "these places are not available");
    let refused = short
        .seats
        .iter()
        .fold(refused, |refused, seat| refused.field("seatId", seat));
    short.buckets.iter().fold(refused, |refused, bucket| {
        refused.field(
            "bucketId",
            format!("{} left in {}", bucket.remaining, bucket.bucket),
        )
    })
}
