//! `[toolkit]`: NVIDIA's container toolkit.

use lab_catalog::DottedVersion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::{Context, Findings, Rule, Severity};

/// NVIDIA's container toolkit, which gives cards to containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ToolkitSection {
    /// Whether it is installed.
    pub enabled: bool,
    /// The version, such as `1.19.1`; by default the newest that the catalog
    /// has all four packages' checksums of.
    #[schemars(with = "Option<String>", extend("examples" = ["1.19.1"]))]
    pub version: Option<DottedVersion>,
}

/// The toolkit with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Toolkit {
    /// Whether it is installed.
    pub enabled: bool,
    /// The version.
    pub version: DottedVersion,
}

impl Default for ToolkitSection {
    fn default() -> Self {
        Self {
            enabled: true,
            version: None,
        }
    }
}

static CVE: Rule = Rule {
    id: "toolkit-cve",
    severity: Severity::Error,
    title: "a container toolkit with known vulnerabilities",
    story: "The toolkit runs as root whenever a container with a card starts. In the vulnerable versions a container \
        image can take over the host (CVE-2025-23266 is three lines of a Dockerfile long).",
    way_out: "Use the version that the message names or a newer one, or leave `toolkit.version` out.",
    source: "NVIDIA security bulletins for the Container Toolkit, listed in the catalog",
};

static UNKNOWN: Rule = Rule {
    id: "toolkit-unknown-version",
    severity: Severity::Warning,
    title: "a version of the container toolkit that the catalog does not know",
    story: "Of a version that the catalog does not have, nobody can say whether it exists and what is known against it.",
    way_out: "Check it against NVIDIA's releases, and add it to the catalog with its source.",
    source: "https://github.com/NVIDIA/nvidia-container-toolkit/releases",
};

static NEEDS_DOCKER: Rule = Rule {
    id: "toolkit-needs-docker",
    severity: Severity::Error,
    title: "the toolkit without Docker",
    story: "The toolkit is configured into Docker; without it there is nothing to configure.",
    way_out: "Set `docker.enabled = true`, or `toolkit.enabled = false`.",
    source: "docs/reference/machine.md",
};

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[&CVE, &UNKNOWN, &NEEDS_DOCKER];

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    let toolkit = &context.machine.toolkit;
    if !toolkit.enabled {
        return;
    }
    if !context.machine.docker.enabled {
        findings
            .report(
                &NEEDS_DOCKER,
                "toolkit.enabled",
                "the container toolkit is asked for, but Docker is not",
            )
            .expecting("`docker.enabled = true`");
    }
    let version = toolkit.version;
    let open: Vec<_> = context
        .catalog
        .toolkit_vulnerabilities_of(version)
        .collect();
    if !open.is_empty() {
        let ids: Vec<String> = open.iter().map(|one| one.id.clone()).collect();
        let finding = findings.report(
            &CVE,
            "toolkit.version",
            format!(
                "container toolkit {version} has known vulnerabilities: {}",
                ids.join(", ")
            ),
        );
        if let Some(safe) = context.catalog.toolkit_least_safe_version() {
            finding.expecting(format!("{safe} or newer"));
        }
    }
    if !context
        .catalog
        .toolkit_releases()
        .iter()
        .any(|one| one.version == version)
    {
        findings
            .report(
                &UNKNOWN,
                "toolkit.version",
                format!("the catalog does not know container toolkit {version}"),
            )
            .expecting("a released version");
    }
}
