//! The core on real PostgreSQL and RabbitMQ: each test has a database and a virtual host of its own.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::allow_attributes,
    unreachable_pub,
    reason = "a test that can't go on fails; helpers count as no tests"
)]

mod box_office;
mod catalogue;
mod configuration;
mod declined;
mod event_management;
mod fleet;
mod flows;
mod identity;
mod inventory;
mod kernel;
mod lists;
mod locations;
mod made_up;
mod money;
mod order;
mod payment;
mod reference;
mod reservation;
mod retention;
mod saga;
mod schemas;
mod shows;
mod stadium;
mod ticketing;
mod tidy;
mod time_zones;
mod world;
