//! `[docker]`: the container engine.

use lab_catalog::DottedVersion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::Rule;
use crate::types::{TargetPath, fixed};

/// Docker, from its own signed repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Docker {
    /// Whether it is installed.
    pub enabled: bool,
    /// The version, such as `29.8.2`; by default the newest that the catalog knows.
    #[schemars(with = "Option<String>", extend("examples" = ["29.8.2"]))]
    pub version: Option<DottedVersion>,
    /// Where images and containers lie.
    pub data_root: TargetPath,
    /// How large the log of a container grows before it is rotated, in MB.
    pub log_max_mb: u32,
    /// How many rotated logs of a container are kept.
    pub log_files: u32,
}

impl Default for Docker {
    fn default() -> Self {
        Self {
            enabled: true,
            version: None,
            data_root: fixed("/var/lib/docker"),
            log_max_mb: 10,
            log_files: 3,
        }
    }
}

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[];
