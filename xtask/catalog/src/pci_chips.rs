//! Which chip is behind which of NVIDIA's PCI device ids (`data/pci-chips.txt`).
//!
//! The list is long and rarely wanted, so it is searched as text and never
//! parsed as a whole: a line is a chip and the device ids it stands behind,
//! sorted, as single ids and inclusive ranges. A range covers only ids that
//! pci.ids gives to that chip.

/// The list.
pub(crate) const TEXT: &str = include_str!("../data/pci-chips.txt");

/// Where the list is from.
pub(crate) const SOURCE: &str = "the PCI ID database (pci.ids) of 2026-10-24";

/// The chip behind one of NVIDIA's device ids.
pub(crate) fn chip_of(device: u16) -> Option<&'static str> {
    lines().find_map(|(chip, ranges)| {
        let mut ranges = ranges.split(' ').filter_map(range);
        ranges
            .any(|(first, last)| (first..=last).contains(&device))
            .then_some(chip)
    })
}

/// Every chip with its ranges, as text.
pub(crate) fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    let facts = TEXT.lines().filter(|line| !line.starts_with('#'));
    facts.filter_map(|line| line.split_once(' '))
}

/// `1c82` or `1c20-1c23`, both ends included.
pub(crate) fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let device = crate::value::pci_id::four_hex;
    Some((device(first)?, device(last)?))
}
