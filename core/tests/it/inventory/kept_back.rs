//! Places that are not sold again by themselves: somebody sits there, or may do.

use eventify_contracts::inventory::SeatsReleased;
use eventify_contracts::ticketing::KeptBack;
use eventify_core::contexts::inventory::api::{HoldError, HoldRefusal};
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::ids::{PerformanceId, TicketId, UserId};
use serde_json::json;

use super::orders::{Order, core};
use crate::world::User;
use crate::world::house::{FLOOR, House, kept_back, organiser, release_kept};
use crate::world::replies::{KeptPlace, Page};

pub(super) const SEATS: u32 = 20;

pub(super) async fn kept(house: &House<'_>) -> Vec<KeptPlace> {
    kept_back(house.core, house.performance).await
}

pub(super) async fn release(house: &House<'_>, ticket: TicketId) -> KeptPlace {
    let words = json!({ "note": " the row was empty ", "guestMayBeInside": true });
    let answer = release_kept(house.core, house.performance, ticket, words).await;
    house.core.settle().await;
    answer.read(200)
}

fn is_out_of_stock(refused: &HoldError) -> bool {
    matches!(
        refused,
        HoldError::Refused(HoldRefusal::OutOfStock(missing)) if missing.seats == ["A-1"]
    )
}

/// C05: the guest was admitted, the money went back, and the seat was sold to a second guest.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_buys_the_seat_of_a_guest_who_sits_on_it() {
    let core = core(FaultInjection::deliver_twice()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 0).await;
    order.paid().await;
    let ticket = order.ticket();
    order.refunded(false, &[ticket]).await;
    order.revoked(0, ticket, Some(KeptBack::Used)).await;
    assert_eq!(house.left().await, (SEATS - 1, FLOOR));
    let refused = house.hold(&house.request(&["A-1"], 0)).await;
    assert!(is_out_of_stock(&refused.unwrap_err()));

    let listed = kept(&house).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    let place = &listed[0];
    let seat = order.held.seats[0].seat;
    assert_eq!((place.ticket_id, place.order_id), (ticket, order.id));
    assert_eq!((place.seat_id, place.zone.as_ref()), (Some(seat), None));
    assert_eq!(place.seat_label.as_deref(), Some("A-1"));
    assert_eq!((place.reason.as_str(), place.released_at), ("used", None));

    order.revoked(0, ticket, None).await;
    assert_eq!(house.left().await.0, SEATS - 1, "only a person frees it");
    let released = release(&house, ticket).await;
    assert_eq!(released.note.as_deref(), Some("the row was empty"));
    assert_eq!(released.released_despite.as_deref(), Some("guest_inside"));
    let by = organiser(&core).id().await;
    assert_eq!(released.released_by, Some(UserId(by)));
    assert_eq!(kept(&house).await, []);
    assert_eq!(house.left().await, (SEATS, FLOOR));
    let freed: Vec<SeatsReleased> = core.published("inventory").await;
    assert_eq!(freed.len(), 1, "{freed:?}");
    assert_eq!(freed[0].hold_id, order.held.hold);

    let next = Order::of(&house, &["A-1"], 0).await;
    next.paid().await;
    let again = release(&house, ticket).await;
    assert_eq!(again, released, "the first release counts");
    order.revoked(0, ticket, None).await;
    assert_eq!(house.left().await, (SEATS - 1, FLOOR), "the next guest's");
    let path = format!("/inventory/performances/{}/kept-back", house.performance);
    let all = organiser(&core).get(&format!("{path}?state=all")).await;
    assert_eq!(all.read::<Page<KeptPlace>>(200).items, [released]);
}

/// C05: nobody can sit there yet, and whoever wants the seat gets it at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_goes_back_before_the_gates_open_is_sold_at_once() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 2).await;
    order.paid().await;
    let tickets = [order.ticket(), order.ticket(), order.ticket()];
    order.refunded(false, &tickets).await;
    assert_eq!(
        house.left().await,
        (SEATS - 1, FLOOR - 2),
        "ticket by ticket"
    );
    for (item, ticket) in [0, 1, 1].into_iter().zip(tickets) {
        order.revoked(item, ticket, None).await;
    }
    assert_eq!(house.left().await, (SEATS, FLOOR));
    assert_eq!(kept(&house).await, []);
    house.held(&["A-1"], 0).await;
}

/// C05: one of three guests was inside when all three were refunded. Before, the whole order was free.
#[tokio::test(flavor = "multi_thread")]
async fn of_an_order_that_went_back_in_parts_only_empty_places_are_sold() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 2).await;
    order.paid().await;
    let (early, inside, late) = (order.ticket(), order.ticket(), order.ticket());
    order.refunded(true, &[early]).await;
    order.revoked(0, early, None).await;
    order.refunded(false, &[inside, late]).await;
    order.revoked(1, inside, Some(KeptBack::Used)).await;
    order.revoked(1, late, Some(KeptBack::GatesAdmit)).await;
    assert_eq!(house.left().await, (SEATS, FLOOR - 2));
    let listed = kept(&house).await;
    let reasons: Vec<_> = listed
        .iter()
        .map(|it| (it.ticket_id, it.reason.as_str(), it.zone.as_deref()))
        .collect();
    let floor = Some("Floor");
    assert_eq!(
        reasons,
        [(inside, "used", floor), (late, "gates_admit", floor)]
    );
    release(&house, late).await;
    assert_eq!(house.left().await, (SEATS, FLOOR - 1));
    release(&house, inside).await;
    assert_eq!(house.left().await, (SEATS, FLOOR));
}

/// Money that the card's bank took back was never refunded: ticketing alone says so, whatever the
/// reason is called.
#[tokio::test(flavor = "multi_thread")]
async fn a_disputed_seat_waits_for_the_organiser() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 0).await;
    order.paid().await;
    let ticket = order.ticket();
    order.revoked(0, ticket, Some(KeptBack::Fraud)).await;
    assert_eq!(kept(&house).await[0].reason, "fraud");
    assert_eq!(house.left().await, (SEATS - 1, FLOOR));
    release(&house, ticket).await;
    assert_eq!(house.left().await, (SEATS, FLOOR));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_runs_the_show_sees_and_releases_what_is_kept_back() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 0).await;
    order.paid().await;
    let ticket = order.ticket();
    order.revoked(0, ticket, Some(KeptBack::Used)).await;
    let of = |show: PerformanceId| format!("/inventory/performances/{show}/kept-back");
    let (list, nowhere) = (
        of(house.performance),
        of(PerformanceId(core.clock.new_id())),
    );
    let path = format!("{list}/{ticket}/release");
    for stranger in [
        core.user("rival").role("ORGANIZER"),
        core.user("organiser").role("BOX_OFFICE"),
        core.user("guest").role("CUSTOMER"),
    ] {
        stranger.get(&list).await.assert_refused(403, "forbidden");
        let refused = stranger.post(&path, json!({})).await;
        refused.assert_refused(403, "forbidden");
    }
    let owner = organiser(&core);
    owner
        .get(&nowhere)
        .await
        .assert_refused(404, "performance_not_found");
    let unknown = format!("{list}/{}/release", order.ticket());
    let refused = owner.post(&unknown, json!({})).await;
    refused.assert_refused(404, "kept_back_not_found");
    let twice = json!({ "note": "x", "reason": "x" });
    for wrong in [
        json!({ "note": "x".repeat(501) }),
        json!({ "words": "x" }),
        twice,
    ] {
        let refused = owner.post(&path, wrong).await;
        refused.assert_refused(400, "validation_error");
    }
    let refused = owner.get(&format!("{list}?state=released")).await;
    refused.assert_refused(400, "validation_error");
    assert_eq!(house.left().await, (SEATS - 1, FLOOR), "still taken");
    let admin: User<'_> = core.user("root").role("ADMIN");
    let looked = json!({ "guestMayBeInside": true });
    let released: KeptPlace = admin.post(&path, looked).await.read(200);
    assert_eq!(released.note, None);
    assert_eq!(house.left().await, (SEATS, FLOOR));
}

/// Free or not, nobody can hold a place of a cancelled show.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_in_a_cancelled_show_sells_nothing() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 0).await;
    order.paid().await;
    let ticket = order.ticket();
    order.revoked(0, ticket, Some(KeptBack::Fraud)).await;
    let path = format!(
        "/events/{}/performances/{}/cancel",
        house.event, house.performance
    );
    let flood = json!({ "reason": "flood" });
    organiser(&core).post(&path, flood).await.expect(200);
    core.settle().await;
    release(&house, ticket).await;
    assert_eq!(house.left().await, (SEATS, FLOOR));
    let refused = house.hold(&house.request(&["A-1"], 0)).await.unwrap_err();
    assert!(matches!(
        refused,
        HoldError::Refused(HoldRefusal::Cancelled)
    ));
}
