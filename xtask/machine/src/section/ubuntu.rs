//! `[ubuntu]`: release, kernel, language and time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::{Context, Findings, Rule, Severity};
use crate::types::{KeyboardLayout, Locale, NtpServer, Timezone, UbuntuRelease, fixed};

/// The system underneath.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ubuntu {
    /// The point release whose server image is the base.
    pub release: UbuntuRelease,
    /// The kernel: `ga` keeps the release's own for its whole life, `hwe` moves
    /// on with newer hardware.
    pub kernel: Kernel,
    /// Language and formats.
    pub locale: Locale,
    /// The keyboard's layout, as XKB names it.
    pub keyboard: KeyboardLayout,
    /// The time zone.
    pub timezone: Timezone,
    /// Time servers; Ubuntu's own when left out.
    pub ntp: Vec<NtpServer>,
}

/// Which of Ubuntu's kernels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kernel {
    /// General availability: the release's own.
    #[default]
    Ga,
    /// Hardware enablement: newer, moves every half year.
    Hwe,
}

impl Kernel {
    /// The package that the installer is told to take (`kernel.package`).
    pub fn package(self) -> &'static str {
        match self {
            Self::Ga => "linux-generic",
            Self::Hwe => "linux-generic-hwe-24.04",
        }
    }
}

impl Default for Ubuntu {
    fn default() -> Self {
        Self {
            release: fixed("24.04.5"),
            kernel: Kernel::Ga,
            locale: fixed("en_US.UTF-8"),
            keyboard: fixed("us"),
            timezone: fixed("Etc/UTC"),
            ntp: Vec::new(),
        }
    }
}

static UNKNOWN_RELEASE: Rule = Rule {
    id: "ubuntu-unknown-release",
    severity: Severity::Error,
    title: "a release that this lab is not made for",
    story: "The installer's file, its quirks and the packages' names are those of Ubuntu 24.04. Another release \
        would take the file and quietly do something else with it.",
    way_out: "Use a point release of 24.04 that the catalog knows; for a newer one, add its checksum to the catalog \
        or bring the image with `iso --base FILE --allow-unknown-base`.",
    source: "https://releases.ubuntu.com/24.04/SHA256SUMS",
};

static SUPPORT_ENDS: Rule = Rule {
    id: "support-ends",
    severity: Severity::Warning,
    title: "support ends within the year",
    story: "What is installed today gets no more security updates within a year from now, and the machine would \
        have to be built again by then.",
    way_out: "Choose a newer release or branch where the cards allow it; where they do not, plan for it.",
    source: "the dates in the catalog, each with its source",
};

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[&UNKNOWN_RELEASE, &SUPPORT_ENDS];

/// Reports `what` at `key` when its support ends within a year from today.
pub(crate) fn check_support(
    context: &Context<'_>,
    key: &str,
    what: &str,
    ends: Option<lab_catalog::Date>,
    findings: &mut Findings,
) {
    let (Some(today), Some(ends)) = (context.today, ends) else {
        return;
    };
    let days = today.days_until(ends);
    if days > 365 {
        return;
    }
    let message = if days < 0 {
        format!("support of {what} ended on {ends}")
    } else {
        format!("support of {what} ends on {ends}, in {days} days")
    };
    findings
        .report(&SUPPORT_ENDS, key, message)
        .expecting("something that is supported for at least a year");
}

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    let release = context.machine.ubuntu.release.as_str();
    let series = context
        .catalog
        .ubuntu_releases()
        .iter()
        .find(|one| one.image(release).is_some());
    match series {
        Some(known) => {
            let ends = Some(known.end_of_standard_support);
            check_support(
                context,
                "ubuntu.release",
                &format!("Ubuntu {release}"),
                ends,
                findings,
            );
        }
        None => {
            let known: Vec<&str> = images(context).collect();
            findings
                .report(
                    &UNKNOWN_RELEASE,
                    "ubuntu.release",
                    format!("the catalog does not know Ubuntu {release}"),
                )
                .expecting(format!("one of {}", known.join(", ")));
        }
    }
}

fn images<'a>(context: &Context<'a>) -> impl Iterator<Item = &'a str> {
    let series = context.catalog.ubuntu_releases().iter();
    series.flat_map(|one| one.images.iter().map(|image| image.release.as_str()))
}
