//! `[monitoring]`: what shows how the cards are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::Rule;

/// What shows how the cards are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Monitoring {
    /// nvtop, the cards' `top`.
    pub nvtop: bool,
    /// A small exporter of the cards' state on loopback.
    pub exporter: bool,
    /// The exporter's port on 127.0.0.1.
    pub exporter_port: u16,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            nvtop: true,
            exporter: true,
            exporter_port: 9835,
        }
    }
}

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[];
