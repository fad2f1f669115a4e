//! Workstations that are often bought second-hand: how they name themselves,
//! and what their power supplies give (`data/workstations.toml`).

use crate::{Catalog, Date, Meta};
use serde::{Deserialize, Serialize};

/// A model of workstation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Workstation {
    /// The vendor as the firmware writes it (DMI `sys_vendor`).
    pub sys_vendor: String,
    /// The model as the firmware writes it (DMI `product_name`).
    pub product_name: String,
    /// The power supplies that it was sold with, in watts, smallest first.
    pub power_supply_w: Vec<u32>,
    /// Whether more than one source agrees.
    pub confirmed: bool,
    /// Where this is from.
    pub source: String,
    /// The day it was looked up.
    pub date: Date,
}

/// `data/workstations.toml`.
#[derive(Debug)]
pub(crate) struct WorkstationsFile {
    workstations: Vec<Workstation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    meta: Meta,
    workstation: Vec<RawWorkstation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWorkstation {
    sys_vendor: String,
    product_name: String,
    power_supply_w: Vec<u32>,
    confirmed: bool,
    source: Option<String>,
    date: Option<Date>,
}

impl<'de> Deserialize<'de> for WorkstationsFile {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let RawFile { meta, workstation } = RawFile::deserialize(from)?;
        let inherit = |raw: RawWorkstation| Workstation {
            sys_vendor: raw.sys_vendor,
            product_name: raw.product_name,
            power_supply_w: raw.power_supply_w,
            confirmed: raw.confirmed,
            source: raw.source.unwrap_or_else(|| meta.source.clone()),
            date: raw.date.unwrap_or(meta.date),
        };
        Ok(Self {
            workstations: workstation.into_iter().map(inherit).collect(),
        })
    }
}

impl Catalog {
    /// All workstations that are known, sorted by name.
    #[must_use]
    pub fn workstations(&self) -> &[Workstation] {
        &self.workstations_file().workstations
    }

    /// The workstation that calls itself so.
    #[must_use]
    pub fn workstation(&self, product_name: &str) -> Option<&Workstation> {
        let mut all = self.workstations().iter();
        all.find(|one| one.product_name == product_name)
    }
}
