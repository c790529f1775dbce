//! The venues' side of the core on real servers: enrolment over HTTPS, nodes over MQTT with their
//! own certificates, feed, sync points, journals, reports.
mod alarm_mails;
mod alarms;
mod authorities;
mod comparison;
mod copies;
mod enrolment;
mod feed;
mod holders;
mod import;
mod isolation;
mod journal;
mod names;
mod organisations;
mod performances;
mod refunded;
mod renewal;
mod report;
mod rush;
mod scanners;
mod sign_ins;
mod staff;
mod staff_comparison;
mod strange_rows;
mod time_zones;
mod titles;
pub(crate) mod world;
