//! `storage`: the one disk, and how it is laid out.
//!
//! The installer ignores match keys that it does not know, takes the largest disk
//! where there is no match, and only layout `lvm` knows encryption and sizing. It
//! compares with Python's `fnmatchcase` against udev's ID_SERIAL and ID_MODEL
//! (canonical/subiquity, subiquity/models/storage.py, read 2026-11).

use std::fmt;

use lab_machine::types::{DiskModel, DiskSerial};
use serde::{Deserialize, Serialize};

/// The disk, and how it is laid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// A layout that the installer knows by name.
    pub layout: Layout,
    /// The swap file.
    pub swap: Swap,
}

/// The swap file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    /// Its size in bytes; 0 for none.
    pub size: u64,
}

/// A layout that the installer knows by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Layout {
    /// Its name.
    pub name: LayoutName,
    /// How much of the volume group the system gets; only with `lvm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizing_policy: Option<Sizing>,
    /// The disk.
    pub r#match: DiskMatch,
    /// The passphrase of LUKS; only with `lvm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<LuksPassphrase>,
}

/// The layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayoutName {
    /// A volume group, and /boot outside of it.
    Lvm,
    /// One partition.
    Direct,
}

/// How much of the volume group the system gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sizing {
    /// All of it; by default the installer leaves half of a large disk unused.
    All,
}

/// Which disk. It is never empty and names no size: reading refuses both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawMatch", into = "RawMatch")]
pub struct DiskMatch {
    serial: Option<SerialPattern>,
    model: Option<ModelPattern>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial: Option<SerialPattern>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<ModelPattern>,
}

impl TryFrom<RawMatch> for DiskMatch {
    type Error = String;

    fn try_from(raw: RawMatch) -> Result<Self, String> {
        Self::new(raw.serial, raw.model)
    }
}

impl From<DiskMatch> for RawMatch {
    fn from(found: DiskMatch) -> Self {
        Self {
            serial: found.serial,
            model: found.model,
        }
    }
}

impl DiskMatch {
    /// A match by serial, by model, or by both.
    ///
    /// # Errors
    ///
    /// When it would have neither: the installer would take any disk.
    pub fn new(serial: Option<SerialPattern>, model: Option<ModelPattern>) -> Result<Self, String> {
        if serial.is_none() && model.is_none() {
            return Err(
                "an empty match, which fits every disk: expected `serial` or `model`".to_owned(),
            );
        }
        Ok(Self { serial, model })
    }

    /// The serial number, where there is one.
    pub fn serial(&self) -> Option<&DiskSerial> {
        self.serial.as_ref().map(|pattern| &pattern.0)
    }

    /// The model, where there is one.
    pub fn model(&self) -> Option<&ModelPattern> {
        self.model.as_ref()
    }
}

/// A serial number as the installer finds it: `*SERIAL*`. udev's ID_SERIAL puts
/// the model before it and, for an NVMe disk, the namespace behind it (systemd,
/// rules.d/60-persistent-storage.rules). That the one disk which fits has the
/// whole number and no longer one is the guard's to check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SerialPattern(DiskSerial);

impl From<DiskSerial> for SerialPattern {
    fn from(serial: DiskSerial) -> Self {
        Self(serial)
    }
}

impl From<SerialPattern> for String {
    fn from(pattern: SerialPattern) -> Self {
        format!("*{}*", pattern.0)
    }
}

impl TryFrom<String> for SerialPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let inner = text
            .strip_prefix('*')
            .and_then(|rest| rest.strip_suffix('*'));
        let inner = inner.ok_or_else(|| {
            format!("the serial `{text}`: expected `*SERIAL*`, as a bare serial fits no disk")
        })?;
        inner.parse().map(Self)
    }
}

/// A model as the installer finds it in ID_MODEL, where blanks are underscores on
/// some buses and blanks on others: `?` stands for either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelPattern(String);

impl From<&DiskModel> for ModelPattern {
    fn from(model: &DiskModel) -> Self {
        Self(
            model
                .as_str()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join("?"),
        )
    }
}

impl From<ModelPattern> for String {
    fn from(pattern: ModelPattern) -> Self {
        pattern.0
    }
}

impl TryFrom<String> for ModelPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let model: DiskModel = text.replace('?', " ").parse()?;
        let pattern = Self::from(&model);
        if pattern.0 != text {
            return Err(format!("the model `{text}`: expected `{}`", pattern.0));
        }
        Ok(pattern)
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace('?', " "))
    }
}

/// The passphrase of an encrypted disk; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LuksPassphrase(String);

impl LuksPassphrase {
    /// The passphrase itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LuksPassphrase {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // cryptsetup reads 512 bytes at most from a terminal, up to the newline.
        let fits = (8..=512).contains(&text.len()) && !text.contains(char::is_control);
        if fits {
            Ok(Self(text))
        } else {
            Err("the disk's passphrase must have 8 to 512 bytes on one line".to_owned())
        }
    }
}

impl From<LuksPassphrase> for String {
    fn from(passphrase: LuksPassphrase) -> Self {
        passphrase.0
    }
}

impl fmt::Debug for LuksPassphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LuksPassphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_that_could_fit_another_disk_does_not_read() {
        let refused = [
            "{}",
            r#"{"size":"largest"}"#,
            r#"{"serial":"S5STNF0R123456A"}"#,
            r#"{"serial":"*"}"#,
            r#"{"serial":"**"}"#,
            r#"{"serial":"*S5*TN*"}"#,
            r#"{"serial":""}"#,
            r#"{"model":"*"}"#,
            r#"{"model":"Samsung*"}"#,
            r#"{"model":"a?"}"#,
            r#"{"model":"Samsung SSD"}"#,
            r#"{"model":"???"}"#,
            r#"{"modle":"Samsung?SSD"}"#,
            r#"{"path":"/dev/sda"}"#,
            r#"{"serial":"*S5STNF0R123456A*","size":"largest"}"#,
            r#"{"serial":null}"#,
        ];
        for text in refused {
            assert!(serde_json::from_str::<DiskMatch>(text).is_err(), "{text}");
        }
        let both = r#"{"serial":"*S5STNF0R123456A*","model":"Samsung?SSD?870?EVO?250GB"}"#;
        let read: DiskMatch = serde_json::from_str(both).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), both);
        assert_eq!(
            read.serial().map(DiskSerial::as_str),
            Some("S5STNF0R123456A")
        );
    }
}
