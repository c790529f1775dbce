//! What assembly lists beside the routes of the HTTP API.

pub use super::routes::listeners::enrolment::routes as enrolment_routes;
