//! The subcommands, one file each.

pub(crate) mod accept;
pub(crate) mod apply;
pub(crate) mod bench;
pub(crate) mod cache;
pub(crate) mod check;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod fetch;
pub(crate) mod generate;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod iso;
pub(crate) mod lock;
pub(crate) mod outdated;
pub(crate) mod rehearse;
pub(crate) mod render;
pub(crate) mod report;
pub(crate) mod sbom;
pub(crate) mod seed;
pub(crate) mod serve;
pub(crate) mod test;
pub(crate) mod tunnel;
pub(crate) mod usb;
pub(crate) mod why;

/// How a command prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}
