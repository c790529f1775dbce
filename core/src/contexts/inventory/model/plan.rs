//! A seating plan as it is defined: sections of rows of seats, and zones without seats.

use std::collections::{BTreeSet, HashSet};

use eventify_protocol::ids::{BucketId, SeatId};
use eventify_protocol::text;
use eventify_protocol::token::CategoryCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

// Of one plan.
const MAX_SEATS: usize = 50_000;
const MAX_SECTIONS: usize = 200;
pub(super) const MAX_ZONES: usize = 100;
/// Of one section.
const MAX_ROWS: usize = 200;
const MAX_SEATS_PER_ROW: usize = 500;
pub(crate) const MAX_ZONE_CAPACITY: u32 = 100_000;
/// Of a plan, section or zone, in characters.
pub(super) const MAX_NAME: usize = 64;
/// Of a row or seat, in characters.
pub(super) const MAX_NUMBER: usize = 8;
/// Of one seat or zone.
pub(super) const MAX_CATEGORIES: usize = 20;

/// `POST /venues/{venueId}/seating-plans`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlanSpec {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) sections: Vec<SectionSpec>,
    #[serde(default)]
    pub(crate) zones: Vec<ZoneSpec>,
}

/// Rows of seats. Its categories are the default of its rows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SectionSpec {
    section: String,
    rows: Vec<RowSpec>,
    #[serde(default)]
    categories: Vec<CategoryCode>,
}

/// A row: `seats` is a count (numbered from 1) or the list of its numbers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RowSpec {
    row: String,
    seats: SeatNumbers,
    #[serde(default)]
    categories: Vec<CategoryCode>,
    /// Numbers of seats for wheelchair users.
    #[serde(default)]
    accessible: Vec<String>,
    /// Numbers of seats that are not sold.
    #[serde(default)]
    blocked: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum SeatNumbers {
    Count(usize),
    Listed(Vec<String>),
}

/// Units without seats.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ZoneSpec {
    zone: String,
    capacity: u32,
    #[serde(default)]
    categories: Vec<CategoryCode>,
}

/// A checked plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) seats: Vec<Seat>,
    pub(crate) zones: Vec<Zone>,
}

/// A numbered seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Seat {
    #[serde(rename = "seatId")]
    pub(crate) id: SeatId,
    pub(crate) label: String,
    pub(crate) section: String,
    pub(crate) row: String,
    pub(crate) number: String,
    pub(crate) categories: Vec<CategoryCode>,
    pub(crate) accessible: bool,
    pub(crate) blocked: bool,
}

/// A capacity zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Zone {
    #[serde(rename = "bucketId")]
    pub(crate) id: BucketId,
    pub(crate) zone: String,
    pub(crate) capacity: u32,
    pub(crate) categories: Vec<CategoryCode>,
}

/// Why a plan was refused: which field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{field}' {issue}")]
pub(crate) struct PlanError {
    pub(crate) field: String,
    pub(crate) issue: String,
}

impl Plan {
    /// Checks a specification and gives every seat its number, label and id.
    pub(crate) fn define(
        spec: PlanSpec,
        mut new_id: impl FnMut() -> Uuid,
    ) -> Result<Self, PlanError> {
        let plan_name = name("name", &spec.name)?;
        at_most("sections", spec.sections.len(), MAX_SECTIONS)?;
        at_most("zones", spec.zones.len(), MAX_ZONES)?;
        let mut seats = Vec::new();
        for (index, section) in spec.sections.into_iter().enumerate() {
            add_section(
                &mut seats,
                &format!("sections[{index}]"),
                section,
                &mut new_id,
            )?;
            at_most("sections", seats.len(), MAX_SEATS)?;
        }
        label(&mut seats)?;
        let zones = define_zones(spec.zones, &mut new_id)?;
        if seats.is_empty() && zones.is_empty() {
            return refuse("sections", "or 'zones' must name at least one place");
        }
        Ok(Self {
            name: plan_name,
            seats,
            zones,
        })
    }

    /// The distinct sets of categories that its places allow.
    pub(crate) fn category_sets(&self) -> Vec<Vec<CategoryCode>> {
        let of_seats = self.seats.iter().map(|seat| &seat.categories);
        let of_zones = self.zones.iter().map(|zone| &zone.categories);
        let sets: BTreeSet<_> = of_seats.chain(of_zones).cloned().collect();
        sets.into_iter().collect()
    }

    /// Units of all zones.
    pub(crate) fn zone_capacity(&self) -> u32 {
        self.zones.iter().map(|zone| zone.capacity).sum()
    }
}

fn add_section(
    seats: &mut Vec<Seat>,
    field: &str,
    spec: SectionSpec,
    new_id: &mut impl FnMut() -> Uuid,
) -> Result<(), PlanError> {
    let section = name(&format!("{field}.section"), &spec.section)?;
    at_most(&format!("{field}.rows"), spec.rows.len(), MAX_ROWS)?;
    for (index, row) in spec.rows.into_iter().enumerate() {
        let field = format!("{field}.rows[{index}]");
        let label = number(&format!("{field}.row"), &row.row)?;
        let numbers = row.seats.numbers(&format!("{field}.seats"))?;
        let flagged = |list, flagged: &[String]| {
            let flagged = flagged
                .iter()
                .map(|text| number(&format!("{field}.{list}"), text));
            let flagged = flagged.collect::<Result<Vec<_>, _>>()?;
            match flagged.iter().find(|flagged| !numbers.contains(flagged)) {
                Some(unknown) => refuse(
                    &format!("{field}.{list}"),
                    format!("has no seat {unknown} in its row"),
                ),
                None => Ok(flagged),
            }
        };
        let accessible = flagged("accessible", &row.accessible)?;
        let blocked = flagged("blocked", &row.blocked)?;
        let categories = if row.categories.is_empty() {
            spec.categories.clone()
        } else {
            row.categories
        };
        let categories = distinct(&format!("{field}.categories"), categories)?;
        seats.extend(numbers.into_iter().map(|number| Seat {
            id: SeatId(new_id()),
            section: section.clone(),
            row: label.clone(),
            label: format!("{label}-{number}"),
            accessible: accessible.contains(&number),
            blocked: blocked.contains(&number),
            categories: categories.clone(),
            number,
        }));
    }
    Ok(())
}

impl SeatNumbers {
    fn numbers(self, field: &str) -> Result<Vec<String>, PlanError> {
        let numbers = match self {
            Self::Count(count) => {
                at_most(field, count, MAX_SEATS_PER_ROW)?;
                (1..=count).map(|number| number.to_string()).collect()
            }
            Self::Listed(numbers) => numbers,
        };
        at_most(field, numbers.len(), MAX_SEATS_PER_ROW)?;
        if numbers.is_empty() {
            return refuse(field, "must be at least one seat");
        }
        let numbers = numbers.iter().map(|text| number(field, text));
        numbers.collect()
    }
}

/// `A-12`, and with the section in front where two sections have the same row and number.
fn label(seats: &mut [Seat]) -> Result<(), PlanError> {
    let short: HashSet<_> = seats.iter().map(|seat| text::key(&seat.label)).collect();
    if short.len() == seats.len() {
        return Ok(());
    }
    let mut long = HashSet::new();
    for seat in seats {
        seat.label = format!("{}-{}-{}", seat.section, seat.row, seat.number);
        if !long.insert(text::key(&seat.label)) {
            return refuse(
                "sections",
                format!("must not have seat {} twice", seat.label),
            );
        }
    }
    Ok(())
}

fn define_zones(
    specs: Vec<ZoneSpec>,
    new_id: &mut impl FnMut() -> Uuid,
) -> Result<Vec<Zone>, PlanError> {
    let mut names = HashSet::new();
    let mut zones = Vec::new();
    for (index, spec) in specs.into_iter().enumerate() {
        let field = format!("zones[{index}]");
        let zone = name(&format!("{field}.zone"), &spec.zone)?;
        if !names.insert(text::key(&zone)) {
            let issue = format!("must not be used twice: '{zone}'");
            return refuse(&format!("{field}.zone"), issue);
        }
        if !(1..=MAX_ZONE_CAPACITY).contains(&spec.capacity) {
            let given = spec.capacity;
            return refuse(
                &format!("{field}.capacity"),
                format!("must be 1 to {MAX_ZONE_CAPACITY}; given: {given}"),
            );
        }
        let categories = distinct(&format!("{field}.categories"), spec.categories)?;
        let id = BucketId(new_id());
        zones.push(Zone {
            id,
            zone,
            capacity: spec.capacity,
            categories,
        });
    }
    Ok(zones)
}

/// Sorted, none twice: two places that allow the same categories have equal sets.
fn distinct(field: &str, categories: Vec<CategoryCode>) -> Result<Vec<CategoryCode>, PlanError> {
    at_most(field, categories.len(), MAX_CATEGORIES)?;
    Ok(categories
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect())
}

fn name(field: &str, text: &str) -> Result<String, PlanError> {
    text::line(text, 1..=MAX_NAME).or_else(|unfit| refuse(field, unfit.to_string()))
}

/// Of a row or seat. Letters that do not show are letters to Unicode.
fn number(field: &str, text: &str) -> Result<String, PlanError> {
    let number = text::line(text, 1..=MAX_NUMBER);
    let number = number.or_else(|unfit| refuse(field, unfit.to_string()))?;
    match number.chars().find(|char| !char.is_alphanumeric()) {
        Some(other) => refuse(
            field,
            format!(
                "must be 1 to {MAX_NUMBER} letters or digits; given: '{number}', with '{other}'"
            ),
        ),
        None => Ok(number),
    }
}

fn at_most(field: &str, count: usize, limit: usize) -> Result<(), PlanError> {
    if count > limit {
        return refuse(
            field,
            format!("must not be more than {limit}; given: {count}"),
        );
    }
    Ok(())
}

fn refuse<T>(field: &str, issue: impl Into<String>) -> Result<T, PlanError> {
    Err(PlanError {
        field: field.to_owned(),
        issue: issue.into(),
    })
}

#[cfg(test)]
mod tests;
