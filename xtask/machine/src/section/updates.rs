//! `[updates]`: what changes by itself, and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::Rule;
use crate::types::{ClockTime, SnapshotId};

/// What changes by itself. The driver never does: its library must not move
/// under a loaded module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Updates {
    /// Security updates by themselves, all but the driver's.
    pub security: bool,
    /// When the machine may restart by itself for an update; never when left out.
    pub reboot: Option<ClockTime>,
    /// A moment of the Ubuntu archive that every package is taken from; the
    /// present one when left out.
    pub snapshot: Option<SnapshotId>,
}

impl Default for Updates {
    fn default() -> Self {
        Self {
            security: true,
            reboot: None,
            snapshot: None,
        }
    }
}

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[];
