//! Handlers and services are known by the name of their function, which is not repeated in a string.

/// `eventify_core::order::consumers::on_payment_captured` → `on_payment_captured`.
#[must_use]
pub(crate) fn short_name<F>() -> &'static str {
    std::any::type_name::<F>()
        .rsplit("::")
        .next()
        .unwrap_or_default()
}
