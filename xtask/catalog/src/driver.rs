//! NVIDIA's driver branches: what each supports, and how Ubuntu 24.04 offers it
//! (`data/drivers.toml`).

use crate::gpu::OpenModule;
use crate::value::{ValueError, string_serde};
use crate::{Architecture, Catalog, Date, DottedVersion, KernelFlavour, Meta};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The number of a driver branch, like 580.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DriverBranch(pub u16);

impl FromStr for DriverBranch {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let plain = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|n| plain && *n >= 100);
        number
            .map(Self)
            .ok_or_else(|| ValueError::new("a driver branch", text, "three digits, like `580`"))
    }
}

impl fmt::Display for DriverBranch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

string_serde!(DriverBranch);

/// How NVIDIA looks after a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BranchStatus {
    /// Long-term support.
    Lts,
    /// Production: supported for about a year.
    Production,
    /// New features, for the newest hardware; replaced within months.
    NewFeature,
    /// No longer maintained.
    Ended,
}

/// How Ubuntu 24.04 offers a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// With kernel modules built and signed by Canonical.
    Prebuilt,
    /// Its packages are empty and pull in those of another branch.
    Transitional(DriverBranch),
    /// Only as source that is compiled on the machine.
    DkmsOnly,
    /// Not at all on a fresh installation.
    NotOffered,
    /// Not looked up.
    Unknown,
}

impl fmt::Display for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prebuilt => f.write_str("prebuilt"),
            Self::Transitional(branch) => write!(f, "transitional to {branch}"),
            Self::DkmsOnly => f.write_str("dkms only"),
            Self::NotOffered => f.write_str("not offered"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl FromStr for Availability {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "prebuilt" => Ok(Self::Prebuilt),
            "dkms only" => Ok(Self::DkmsOnly),
            "not offered" => Ok(Self::NotOffered),
            "unknown" => Ok(Self::Unknown),
            _ => match text.strip_prefix("transitional to ") {
                Some(branch) => branch.parse().map(Self::Transitional),
                None => Err(ValueError::new(
                    "an availability",
                    text,
                    "`prebuilt`, `transitional to 580`, `dkms only`, `not offered` or `unknown`",
                )),
            },
        }
    }
}

string_serde!(Availability);

/// Which of NVIDIA's two kernel modules is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelModule {
    /// The closed module; the only one for Volta and older.
    Closed,
    /// The open module; Turing and newer, and the only one for Blackwell.
    Open,
}

impl KernelModule {
    /// The module that drives all of the given generations: the closed one where
    /// both would do, because it is the one that can also take an older card
    /// later. None where no single module drives them all.
    #[must_use]
    pub fn for_all(architectures: &[Architecture]) -> Option<Self> {
        let any = |which| architectures.iter().any(|one| one.open_module() == which);
        match (any(OpenModule::Impossible), any(OpenModule::Required)) {
            (true, true) => None,
            (false, true) => Some(Self::Open),
            _ => Some(Self::Closed),
        }
    }

    /// Whether this module drives a generation.
    #[must_use]
    pub fn drives(self, architecture: Architecture) -> bool {
        let refused = match self {
            Self::Closed => OpenModule::Required,
            Self::Open => OpenModule::Impossible,
        };
        architecture.open_module() != refused
    }
}

/// What is known of a driver branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Branch {
    /// Its number.
    pub branch: DriverBranch,
    /// The CUDA version that it brings.
    pub cuda: DottedVersion,
    /// The oldest generation that it supports.
    pub first: Architecture,
    /// The newest generation that it supports.
    pub last: Architecture,
    /// How NVIDIA looks after it.
    pub status: BranchStatus,
    /// The last day of support; where NVIDIA names a month, that month's last day.
    pub end_of_support: Option<Date>,
    /// How Ubuntu 24.04 offers it.
    pub noble: Availability,
    /// The newest version of its packages that was seen on Ubuntu 24.04. Ubuntu drops a version
    /// when its successor comes, so this is what to expect and nothing to pin.
    pub noble_version: Option<String>,
    /// Where this is from.
    pub source: String,
    /// The day it was looked up.
    pub date: Date,
}

impl Branch {
    /// Whether the branch supports cards of a generation.
    #[must_use]
    pub fn supports(&self, architecture: Architecture) -> bool {
        (self.first..=self.last).contains(&architecture)
    }

    /// Whether support has ended on the day `today`. NVIDIA calls it over, or its date is past.
    #[must_use]
    pub fn is_ended(&self, today: Date) -> bool {
        self.status == BranchStatus::Ended || self.end_of_support.is_some_and(|end| end < today)
    }

    /// The packages that bring this branch to a machine without a display, in
    /// the order in which they must be named to apt: the prebuilt modules first,
    /// or apt chooses DKMS and a compiler to satisfy the others.
    #[must_use]
    pub fn packages(&self, module: KernelModule, kernel: KernelFlavour) -> Vec<String> {
        let branch = self.branch;
        let open = match module {
            KernelModule::Closed => "",
            KernelModule::Open => "-open",
        };
        let flavour = kernel.suffix();
        vec![
            format!("linux-modules-nvidia-{branch}-server{open}-{flavour}"),
            format!("nvidia-headless-no-dkms-{branch}-server{open}"),
            format!("nvidia-utils-{branch}-server"),
            format!("nvidia-compute-utils-{branch}-server"),
            format!("libnvidia-compute-{branch}-server"),
        ]
    }
}

/// The oldest driver that a CUDA toolkit's programs run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CudaFloor {
    /// CUDA's major version.
    pub cuda_major: u32,
    /// The oldest driver version, as numbers.
    pub driver: DottedVersion,
    /// The lowest compute capability that the toolkit's libraries have code for.
    pub compute_capability: crate::ComputeCapability,
}

/// `data/drivers.toml`.
#[derive(Debug)]
pub(crate) struct DriversFile {
    pub(crate) branches: Vec<Branch>,
    pub(crate) floors: Vec<CudaFloor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    meta: Meta,
    branch: Vec<RawBranch>,
    cuda: Vec<CudaFloor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBranch {
    branch: DriverBranch,
    cuda: DottedVersion,
    first: Architecture,
    last: Architecture,
    status: BranchStatus,
    end_of_support: Option<Date>,
    noble: Availability,
    noble_version: Option<String>,
    source: Option<String>,
    date: Option<Date>,
}

impl<'de> Deserialize<'de> for DriversFile {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let RawFile { meta, branch, cuda } = RawFile::deserialize(from)?;
        let inherit = |raw: RawBranch| Branch {
            branch: raw.branch,
            cuda: raw.cuda,
            first: raw.first,
            last: raw.last,
            status: raw.status,
            end_of_support: raw.end_of_support,
            noble: raw.noble,
            noble_version: raw.noble_version,
            source: raw.source.unwrap_or_else(|| meta.source.clone()),
            date: raw.date.unwrap_or(meta.date),
        };
        Ok(Self {
            branches: branch.into_iter().map(inherit).collect(),
            floors: cuda,
        })
    }
}

impl Catalog {
    /// All driver branches that are known, oldest first.
    #[must_use]
    pub fn driver_branches(&self) -> &[Branch] {
        &self.drivers().branches
    }

    /// What is known of one driver branch.
    #[must_use]
    pub fn driver_branch(&self, branch: DriverBranch) -> Option<&Branch> {
        self.driver_branches()
            .iter()
            .find(|one| one.branch == branch)
    }

    /// The branch to install on Ubuntu 24.04 for cards of these generations: of
    /// the branches that support them all and come with prebuilt modules, the
    /// newest with long-term support, else the newest. None where there is none.
    #[must_use]
    pub fn advised_driver(&self, architectures: &[Architecture]) -> Option<&Branch> {
        let fits = |one: &&Branch| {
            let all = architectures.iter().all(|arch| one.supports(*arch));
            all && one.noble == Availability::Prebuilt && one.status != BranchStatus::Ended
        };
        let fitting = || self.driver_branches().iter().filter(fits);
        let lts = fitting().rfind(|one| one.status == BranchStatus::Lts);
        lts.or_else(|| fitting().next_back())
    }

    /// The newest branch that supports a generation, however it is offered.
    #[must_use]
    pub fn last_branch_for(&self, architecture: Architecture) -> Option<&Branch> {
        let mut branches = self.driver_branches().iter();
        branches.rfind(|one| one.supports(architecture))
    }

    /// The floors of a CUDA toolkit, by its major version.
    #[must_use]
    pub fn cuda_floor(&self, cuda_major: u32) -> Option<&CudaFloor> {
        let mut floors = self.drivers().floors.iter();
        floors.find(|floor| floor.cuda_major == cuda_major)
    }
}
