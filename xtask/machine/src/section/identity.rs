//! `[machine]`: the machine's name, and what it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::{Context, Findings, Rule, Severity};
use crate::types::{DmiText, HostName};

/// The machine's name, and what it is. The guard compares this with what it
/// finds before anything is written, so that the stick in the wrong machine
/// does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// The host name.
    pub name: HostName,
    /// The maker, as `/sys/class/dmi/id/sys_vendor` has it. Not compared when
    /// left out.
    pub vendor: Option<DmiText>,
    /// The model, as `/sys/class/dmi/id/product_name` has it. Not compared when
    /// left out.
    pub product: Option<DmiText>,
    /// The memory that is fitted, in GiB. The guard lets 10 % be missing, which
    /// firmware keeps for itself.
    pub memory_gib: Option<u32>,
    /// What the power supply gives, in watts. Power limits are held against it.
    pub power_supply_w: Option<u32>,
    /// How the machine starts: `uefi`, `bios`, or `any`.
    pub firmware: Firmware,
}

/// How a machine starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// Either way.
    #[default]
    Any,
    /// UEFI only.
    Uefi,
    /// Legacy BIOS only.
    Bios,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            name: HostName::lab(),
            vendor: None,
            product: None,
            memory_gib: None,
            power_supply_w: None,
            firmware: Firmware::Any,
        }
    }
}

static NOT_TOLD_APART: Rule = Rule {
    id: "machine-not-told-apart",
    severity: Severity::Warning,
    title: "nothing tells this machine from another",
    story: "The guard compares the machine with the description before it lets the installer touch a disk. \
        Without `machine.product` the stick would also install on the next machine that happens to have a fitting disk.",
    way_out: "Write the product as `cat /sys/class/dmi/id/product_name` prints it on the machine (the menu entry \
        'Show what this machine is' prints it too).",
    source: "docs/how-to/guard.md",
};

static POWER_OVER_SUPPLY: Rule = Rule {
    id: "power-over-supply",
    severity: Severity::Error,
    title: "the cards may draw more than the supply gives",
    story: "The power limits of all cards together with what the rest of the machine needs under load exceed the \
        power supply. A supply that is overdrawn switches off in the middle of a training run, which looks like a \
        crash without a log.",
    way_out: "Lower `power_limit_w` of a card, or write what the supply really gives in `machine.power_supply_w`.",
    source: "the vendors' board powers in the catalog; 200 W for a workstation's board, processor, disks and fans, \
        and a tenth of the supply as margin",
};

/// What board, processor, memory, disks and fans of a one-socket workstation
/// draw under load, in watts (HP Z440 with a 140 W processor, rounded up).
const REST_OF_MACHINE_W: u32 = 200;

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[&NOT_TOLD_APART, &POWER_OVER_SUPPLY];

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    let identity = &context.machine.identity;
    if identity.product.is_none() {
        findings
            .report(
                &NOT_TOLD_APART,
                "machine.product",
                "the description does not say which machine this is",
            )
            .expecting("the product as the firmware has it, such as \"HP Z440 Workstation\"");
    }
    check_power(context, findings);
}

fn check_power(context: &Context<'_>, findings: &mut Findings) {
    let Some(supply) = context.machine.identity.power_supply_w else {
        return;
    };
    let draws = context
        .machine
        .cards
        .iter()
        .filter_map(|card| Some((card, card.power_w()?)));
    let parts: Vec<String> = draws
        .clone()
        .map(|(card, watts)| format!("{} {watts} W", card.name))
        .collect();
    let cards: u32 = draws.map(|(_, watts)| watts).sum();
    let usable = supply - supply / 10;
    if cards + REST_OF_MACHINE_W <= usable {
        return;
    }
    findings
        .report(
            &POWER_OVER_SUPPLY,
            "machine.power_supply_w",
            format!(
                "the cards may draw {cards} W ({}) and the rest of the machine about {REST_OF_MACHINE_W} W, \
                 which is more than {usable} W, nine tenths of the supply",
                parts.join(", ")
            ),
        )
        .expecting(format!("at least {} W", (cards + REST_OF_MACHINE_W) * 10 / 9 + 1))
        .help("lower `power_limit_w` of a card");
}
