//! Handlers and jobs are known by their function's own name; nobody has to repeat it in a string.

/// `eventify_core::order::consumers::on_payment_captured` → `on_payment_captured`.
#[must_use]
pub(crate) fn short_name<F>() -> &'static str {
    std::any::type_name::<F>()
        .rsplit("::")
        .next()
        .unwrap_or_default()
}
