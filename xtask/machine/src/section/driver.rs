//! `[driver]`: NVIDIA's driver.

use lab_catalog::{Availability, DriverBranch, KernelModule, OpenModule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ubuntu::check_support;
use crate::rules::{Context, Findings, Rule, Severity};

/// NVIDIA's driver, from Ubuntu's archive with modules that Canonical signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DriverSection {
    /// Whether it is installed.
    pub enabled: bool,
    /// The branch, such as `580`; by default the one that the catalog advises
    /// for the cards.
    #[serde(deserialize_with = "branch_number")]
    #[schemars(with = "Option<u16>", extend("examples" = [580]))]
    pub branch: Option<DriverBranch>,
    /// The kernel module: `closed` drives every card, `open` only Turing and
    /// newer. By default the closed one where it drives all cards.
    #[schemars(with = "Option<ModuleName>")]
    pub module: Option<KernelModule>,
    /// The persistence daemon keeps the cards initialised between two programs.
    pub persistence: bool,
}

/// The names of the two kernel modules, for the schema.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "stands for the catalog's type in the schema")]
enum ModuleName {
    Closed,
    Open,
}

/// The driver with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Driver {
    /// Whether it is installed.
    pub enabled: bool,
    /// The branch.
    pub branch: DriverBranch,
    /// The kernel module.
    pub module: KernelModule,
    /// Whether the persistence daemon runs.
    pub persistence: bool,
}

impl Default for DriverSection {
    fn default() -> Self {
        Self {
            enabled: true,
            branch: None,
            module: None,
            persistence: true,
        }
    }
}

/// Takes a branch as people write it, a number.
fn branch_number<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DriverBranch>, D::Error> {
    let number = u16::deserialize(deserializer)?;
    let parsed: Result<DriverBranch, _> = number.to_string().parse();
    parsed.map(Some).map_err(serde::de::Error::custom)
}

static DROPS_CARD: Rule = Rule {
    id: "driver-drops-card",
    severity: Severity::Error,
    title: "the driver branch does not support a card",
    story: "Each driver branch supports a range of generations. Branches from 590 on have dropped Maxwell, Pascal and \
        Volta: such a driver loads, and the old card is simply not there.",
    way_out: "Choose a branch that supports all cards; 580 is the last for Maxwell, Pascal and Volta, with support \
        until June 2028. Or leave `driver.branch` out.",
    source: "NVIDIA, Data Center Drivers, supported drivers and lifecycle; facts of 2026-11",
};

static NOT_OFFERED: Rule = Rule {
    id: "driver-not-offered",
    severity: Severity::Error,
    title: "Ubuntu does not offer this branch with ready modules",
    story: "The lab installs kernel modules that Canonical built and signed: they load under Secure Boot and need no \
        compiler. A branch that is only to be had as source, only as a name for another branch, or not at all, would \
        give something else than what the description says.",
    way_out: "Choose a branch with prebuilt modules (`cargo xtask check` lists them), or leave `driver.branch` out.",
    source: "packages.ubuntu.com for noble, 2026-11",
};

static OPEN_ON_OLD: Rule = Rule {
    id: "driver-module",
    severity: Severity::Error,
    title: "a kernel module that does not drive a card",
    story: "NVIDIA's open kernel module talks to a processor (GSP) that cards before Turing do not have. On such a \
        card it loads and finds no device. The newest cards, in turn, are driven by the open module only.",
    way_out: "Leave `driver.module` out: the right one follows from the cards.",
    source: "NVIDIA Technical Blog, 2024-07-17; driver README, chapter 'Open Linux Kernel Modules'",
};

static NO_COMMON: Rule = Rule {
    id: "driver-no-common",
    severity: Severity::Error,
    title: "no driver drives all cards",
    story: "A machine runs one driver at a time. These cards have no branch, or no kernel module, in common.",
    way_out: "Take a card out of the machine, or leave its `[[gpu]]` table out.",
    source: "the catalog's table of driver branches",
};

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[&DROPS_CARD, &NOT_OFFERED, &OPEN_ON_OLD, &NO_COMMON];

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    let driver = &context.machine.driver;
    if !driver.enabled {
        return;
    }
    check_common(context, findings);
    check_branch(context, findings);
    for card in &context.machine.cards {
        let Some(architecture) = card.architecture else {
            continue;
        };
        if driver.module.drives(architecture) {
            continue;
        }
        let needed = match architecture.open_module() {
            OpenModule::Impossible => "the closed module",
            _ => "the open module",
        };
        findings
            .report(
                &OPEN_ON_OLD,
                "driver.module",
                format!(
                    "{} ({architecture}) is not driven by this kernel module",
                    card.name
                ),
            )
            .expecting(needed);
    }
}

fn check_common(context: &Context<'_>, findings: &mut Findings) {
    let architectures = context.machine.architectures();
    let none = context.catalog.advised_driver(&architectures).is_none()
        || KernelModule::for_all(&architectures).is_none();
    if none && !architectures.is_empty() {
        let cards: Vec<String> = context
            .machine
            .cards
            .iter()
            .map(crate::Card::in_words)
            .collect();
        findings
            .report(
                &NO_COMMON,
                "gpu",
                format!("no driver drives all of {}", cards.join(", ")),
            )
            .expecting("cards that one driver drives");
    }
}

fn check_branch(context: &Context<'_>, findings: &mut Findings) {
    let number = context.machine.driver.branch;
    let Some(branch) = context.catalog.driver_branch(number) else {
        let known: Vec<String> = offered(context);
        findings
            .report(
                &NOT_OFFERED,
                "driver.branch",
                format!("the catalog knows no driver branch {number}"),
            )
            .expecting(format!("one of {}", known.join(", ")));
        return;
    };
    let why = match branch.noble {
        Availability::Prebuilt => None,
        Availability::Transitional(other) => {
            Some(format!("its packages are empty and bring {other} instead"))
        }
        Availability::DkmsOnly => {
            Some("it is only to be had as source, compiled on the machine".to_owned())
        }
        Availability::NotOffered => Some("Ubuntu 24.04 does not offer it".to_owned()),
        Availability::Unknown => {
            Some("nobody has looked up whether Ubuntu 24.04 offers it".to_owned())
        }
    };
    if let Some(why) = why {
        findings
            .report(
                &NOT_OFFERED,
                "driver.branch",
                format!("driver branch {number} cannot be installed: {why}"),
            )
            .expecting(format!("one of {}", offered(context).join(", ")));
    }
    for card in &context.machine.cards {
        let Some(architecture) = card.architecture.filter(|one| !branch.supports(*one)) else {
            continue;
        };
        let finding = findings
            .report(
                &DROPS_CARD,
                "driver.branch",
                format!(
                    "driver branch {number} does not support {} ({architecture})",
                    card.name
                ),
            )
            .expecting(format!(
                "{number} supports {} to {}",
                branch.first, branch.last
            ));
        if let Some(last) = context.catalog.last_branch_for(architecture) {
            finding.help(format!(
                "{} is the last branch for {architecture}: `branch = {}`",
                last.branch, last.branch
            ));
        }
    }
    check_support(
        context,
        "driver.branch",
        &format!("driver branch {number}"),
        branch.end_of_support,
        findings,
    );
}

fn offered(context: &Context<'_>) -> Vec<String> {
    let prebuilt = context
        .catalog
        .driver_branches()
        .iter()
        .filter(|one| one.noble == Availability::Prebuilt);
    prebuilt.map(|one| one.branch.to_string()).collect()
}
