use uuid::Uuid;

use super::*;

fn facts(seat_label: Option<&str>, zone: Option<&str>) -> TicketFacts {
    TicketFacts {
        ticket_id: TicketId(Uuid::from_u128(u128::MAX)),
        version: 60_000,
        venue_id: VenueId(Uuid::from_u128(u128::MAX)),
        performance_id: PerformanceId(Uuid::from_u128(u128::MAX)),
        seat_id: None,
        seat_label: seat_label.map(str::to_owned),
        bucket_id: None,
        zone: zone.map(str::to_owned),
        code_tag: Some(CodeTag([0xff; 8])),
        category: "STALLS-LEFT-SIDE".parse().unwrap(),
        token_hash: Hash32([0xff; 32]),
        not_before: i64::from(u32::MAX),
        expiry: i64::from(u32::MAX),
        state: TicketState::Valid,
    }
}

/// With the longest category, and a place longer than an entry takes.
#[test]
fn a_ticket_with_place_and_code_costs_at_most_130_bytes_of_a_snapshot() {
    for facts in [
        facts(Some("Balcony on the left-12-104"), None),
        facts(None, Some("Fosse d’orchestre, côté jardin")),
    ] {
        let bytes = facts.entry().to_bytes();
        println!("{} bytes: {:?}", bytes.len(), facts.place());
        assert!(bytes.len() <= 130, "{} bytes", bytes.len());
        let read: FeedEntry = minicbor::decode(&bytes).unwrap();
        assert_eq!(read, facts.entry());
    }
}

/// The release before wrote such rows; they stay what they are until the ticket has its code.
#[test]
fn a_ticket_without_a_code_is_a_row_of_the_second_form() {
    let before = TicketFacts {
        code_tag: None,
        category: "STALLS".parse().unwrap(),
        ..facts(Some("A-12"), None)
    };
    let second_form = format!(
        "838205{id}19ea6082058458{token}{id}66{category}8100",
        id = format_args!("50{}", "ff".repeat(16)),
        token = format_args!("20{}", "ff".repeat(32)),
        category = hex(b"STALLS"),
    );
    assert_eq!(hex(&before.entry().to_bytes()), second_form);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
