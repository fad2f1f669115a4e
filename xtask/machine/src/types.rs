//! The values that a description is made of. Each has one door, its `FromStr`,
//! and no value gets past it: what a [`MacAddress`] holds is one.

mod access;
mod disk;
mod network;
mod text;

pub use access::{PublicKey, SecretRef, UserName};
pub use disk::{DiskModel, DiskSerial};
pub use network::{HostName, Interface, MacAddress, NtpServer, Subnet};
pub use text::{
    Bdf, CardName, ClockTime, DmiText, ImageReference, KeyboardLayout, Locale, ModelName,
    SnapshotId, TargetPath, Timezone, UbuntuRelease,
};

/// Makes a newtype over a checked string: `FromStr` calls the check, serde and
/// the JSON Schema go through the same door.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, pattern $pattern:literal, example $example:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "examples": [$example],
                })
            }
        }
    };
}
pub(crate) use checked_text;

/// Whether `text` has `1..=max` characters that all satisfy `allowed`.
pub(crate) fn made_of(text: &str, max: usize, allowed: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().count() <= max && text.chars().all(allowed)
}

/// A value that stands in this crate's own source and is covered by a test.
pub(crate) fn fixed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &'static str) -> T {
    match text.parse() {
        Ok(value) => value,
        Err(why) => unreachable!("a default that its own check refuses: {why}"),
    }
}

/// A value that is put together from others that were checked; a test covers
/// every such place.
pub(crate) fn fixed_owned<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> T {
    match text.parse() {
        Ok(value) => value,
        Err(why) => unreachable!("a made value that its own check refuses: {why}"),
    }
}
