//! The error body of every HTTP API (blueprint, "Format d'erreur (standard)").

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::CorrelationId;

/// `{"error": {"code", "message", "details", "correlationId"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// The one member.
    pub error: ErrorDetail,
}

/// What went wrong: `code` for programs, `message` for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDetail {
    /// Stable, snake_case: `validation_error`, `out_of_stock`, …
    pub code: String,
    /// One sentence that says what to do. No personal data.
    pub message: String,
    /// The fields at fault, where there are any.
    #[serde(default)]
    pub details: Vec<FieldIssue>,
    /// Finds this request in logs, messages and traces.
    pub correlation_id: CorrelationId,
}

/// One field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldIssue {
    /// JSON path of the field, dots between names.
    pub field: String,
    /// `required`, `too_long`, …
    pub issue: String,
}
