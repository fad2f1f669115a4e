//! An index of packages: the stanzas of a `Packages` file (Debian Policy 5.3, 5.6; Debian's
//! wiki, DebianRepository/Format, "Packages" indices), and of dpkg's status file, which are
//! the same but for where the package lies.

use crate::control::{ControlError, Field, Stanzas};
use crate::filename::{BadFilename, check_filename};
use crate::relation::is_package_name;
use crate::version;

/// Debian Policy 2.5, in the order in which apt prefers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Needed for the system to work at all.
    Required,
    /// What anybody expects on a Unix system.
    Important,
    /// A small system in text mode.
    Standard,
    /// All else; also what names none of these.
    #[default]
    Optional,
    /// Obsolete since Policy 4.0.1, still written.
    Extra,
}

/// How packages of several architectures live together: Ubuntu's specification
/// "MultiarchSpec", deb-control(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MultiArch {
    /// As ever.
    #[default]
    No,
    /// Can be installed for several architectures at once.
    Same,
    /// Satisfies dependencies of other architectures.
    Foreign,
    /// May satisfy dependencies of other architectures that ask for `:any`.
    Allowed,
}

/// A package as an index lists it. Relations are texts, see
/// [`Relations::parse`](crate::Relations::parse).
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the fields of deb-control(5) by their names")]
pub struct Package<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub architecture: &'a str,
    pub multi_arch: MultiArch,
    pub essential: bool,
    /// `Important` or `Protected`: apt and dpkg do not remove it.
    pub protected: bool,
    pub priority: Priority,
    pub section: &'a str,
    /// The source package, where it has another name or version than this one.
    pub source: &'a str,
    pub pre_depends: &'a str,
    pub depends: &'a str,
    pub conflicts: &'a str,
    pub breaks: &'a str,
    pub provides: &'a str,
    pub replaces: &'a str,
    pub homepage: &'a str,
    /// dpkg's word for what has become of it; empty in an index.
    pub status: &'a str,
    /// Relative to the archive; empty in a status file.
    pub filename: &'a str,
    /// Of the `.deb`, in bytes.
    pub size: u64,
    /// In KiB, as its maker estimated it.
    pub installed_size: u64,
    /// Of the `.deb`; `None` in a status file.
    pub sha256: Option<[u8; 32]>,
}

impl<'a> Package<'a> {
    /// Name and version of the source package.
    pub fn source_and_version(&self) -> (&'a str, &'a str) {
        match self.source.split_once(" (") {
            Some((name, version)) => (name, version.trim_end_matches(')')),
            None if self.source.is_empty() => (self.name, self.version),
            None => (self.source, self.version),
        }
    }
}

/// An index that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// Its text is no control data.
    #[error("{0}")]
    Control(#[from] ControlError),
    /// It was added after what is installed.
    #[error("the index comes after what is installed was set; add all indexes first")]
    Late,
    /// A stanza lacks what it must have, or has it in a form that is not understood.
    #[error("the stanza of {package:?} before line {line}: {what}")]
    Stanza {
        /// The line behind the stanza, counted from 1.
        line: usize,
        /// Its name, as far as known.
        package: String,
        /// What is wrong with it.
        what: String,
    },
}

/// The packages of an index, one after the other.
#[derive(Debug)]
pub struct Packages<'a> {
    stanzas: Stanzas<'a>,
    fields: Vec<Field<'a>>,
    /// Whether this is dpkg's status file.
    status: bool,
}

impl<'a> Packages<'a> {
    /// The packages of a `Packages` file: each has a place, a size and a SHA-256 digest.
    ///
    /// # Errors
    ///
    /// When it is no UTF-8 or has carriage returns.
    pub fn of_index(bytes: &'a [u8]) -> Result<Self, IndexError> {
        Self::new(bytes, false)
    }

    /// The packages of dpkg's status file, those included that are removed.
    ///
    /// # Errors
    ///
    /// As [`Packages::of_index`].
    pub fn of_status(bytes: &'a [u8]) -> Result<Self, IndexError> {
        Self::new(bytes, true)
    }

    fn new(bytes: &'a [u8], status: bool) -> Result<Self, IndexError> {
        Ok(Self {
            stanzas: Stanzas::new(bytes)?,
            fields: Vec::with_capacity(64),
            status,
        })
    }

    /// The next package; `None` at the end.
    ///
    /// # Errors
    ///
    /// Broken control data, a stanza without name, version or architecture, a number or digest
    /// that is none, a path that leads out of the archive.
    pub fn read(&mut self) -> Result<Option<Package<'a>>, IndexError> {
        if !self.stanzas.read(&mut self.fields)? {
            return Ok(None);
        }
        let mut package = Package::default();
        let taken = self
            .fields
            .iter()
            .try_for_each(|field| take(&mut package, field));
        match taken.and_then(|()| check(&package, self.status)) {
            Ok(()) => Ok(Some(package)),
            Err(what) => Err(IndexError::Stanza {
                line: self.stanzas.next_line(),
                package: package.name.chars().take(80).collect(),
                what,
            }),
        }
    }
}

impl<'a> Iterator for Packages<'a> {
    type Item = Result<Package<'a>, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Archives write the names of fields in one way, and so they are matched here: folding the
/// case of 1.5 million names would take as long as all else.
fn take<'a>(package: &mut Package<'a>, field: &Field<'a>) -> Result<(), String> {
    let value = field.value;
    match field.name {
        "Package" => package.name = value,
        "Version" => package.version = value,
        "Architecture" => package.architecture = value,
        "Multi-Arch" => package.multi_arch = multi_arch(value)?,
        "Essential" => package.essential = value == "yes",
        "Important" | "Protected" => package.protected |= value == "yes",
        "Priority" => package.priority = priority(value),
        "Section" => package.section = value,
        "Source" => package.source = value,
        "Pre-Depends" => package.pre_depends = value,
        "Depends" => package.depends = value,
        "Conflicts" => package.conflicts = value,
        "Breaks" => package.breaks = value,
        "Provides" => package.provides = value,
        "Replaces" => package.replaces = value,
        "Homepage" => package.homepage = value,
        "Status" => package.status = value,
        "Filename" => package.filename = value,
        "Size" => package.size = number(field)?,
        "Installed-Size" => package.installed_size = number(field)?,
        "SHA256" => package.sha256 = Some(digest(value)?),
        _ => {}
    }
    Ok(())
}

fn check(package: &Package<'_>, status: bool) -> Result<(), String> {
    if !is_package_name(package.name) {
        return Err("its `Package` is no package's name".to_owned());
    }
    if status && !is_installed(package.status) {
        return Ok(());
    }
    version::check(package.version)
        .map_err(|why| format!("its version {:?}: {why}", package.version))?;
    if package.architecture.is_empty() {
        return Err("it has no `Architecture`".to_owned());
    }
    if status {
        return Ok(());
    }
    check_filename(package.filename).map_err(|error: BadFilename| error.to_string())?;
    match package.sha256 {
        Some(_) => Ok(()),
        None => Err("it has no `SHA256`".to_owned()),
    }
}

/// Whether dpkg's three words say that the package's files are there: dpkg(1), "Package states".
pub(crate) fn is_installed(status: &str) -> bool {
    let state = status.split_ascii_whitespace().nth(2);
    matches!(
        state,
        Some(
            "installed" | "triggers-pending" | "triggers-awaited" | "unpacked" | "half-configured"
        )
    )
}

fn priority(value: &str) -> Priority {
    match value {
        "required" => Priority::Required,
        "important" => Priority::Important,
        "standard" => Priority::Standard,
        "extra" => Priority::Extra,
        _ => Priority::Optional,
    }
}

fn multi_arch(value: &str) -> Result<MultiArch, String> {
    match value {
        "no" => Ok(MultiArch::No),
        "same" => Ok(MultiArch::Same),
        "foreign" => Ok(MultiArch::Foreign),
        "allowed" => Ok(MultiArch::Allowed),
        _ => Err(format!(
            "its `Multi-Arch` {value:?}: no, same, foreign or allowed was expected"
        )),
    }
}

fn number(field: &Field<'_>) -> Result<u64, String> {
    let digits = field.value.bytes().all(|byte| byte.is_ascii_digit());
    let number = field.value.parse().ok().filter(|_| digits);
    number.ok_or_else(|| {
        format!(
            "its `{}` {:?}: a number was expected",
            field.name, field.value
        )
    })
}

fn digest(value: &str) -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    match hex::decode_to_slice(value, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(format!(
            "its `SHA256` {value:?}: 64 hexadecimal digits were expected"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "Package: hello\nVersion: 2.10-3\nArchitecture: amd64\nSource: hi (2.10)\n\
        Priority: extra\nMulti-Arch: foreign\nFilename: pool/h.deb\nSize: 53132\nInstalled-Size: 277\n\
        SHA256: 1111111111111111111111111111111111111111111111111111111111111111\n";

    fn read(text: &str) -> Result<Vec<Package<'_>>, IndexError> {
        Packages::of_index(text.as_bytes())?.collect()
    }

    #[test]
    fn a_stanza_is_read() {
        let hello = read(HELLO).unwrap().remove(0);
        assert_eq!(
            (hello.name, hello.version, hello.size),
            ("hello", "2.10-3", 53132)
        );
        assert_eq!(hello.source_and_version(), ("hi", "2.10"));
        assert_eq!(
            (hello.priority, hello.multi_arch),
            (Priority::Extra, MultiArch::Foreign)
        );
        assert_eq!(hello.sha256, Some([0x11; 32]));
    }

    #[test]
    fn what_cannot_be_trusted_is_refused() {
        for (from, to) in [
            ("pool/h.deb", "../h.deb"),
            ("pool/h.deb", "/h.deb"),
            ("53132", "-1"),
            ("53132", "99999999999999999999"),
            ("1111\n", "111\n"),
            ("SHA256", "SHA1"),
            ("2.10-3", "v2"),
            ("Package: hello", "Package: ../hello"),
            ("Architecture", "Arch"),
            ("foreign", "sometimes"),
        ] {
            let text = HELLO.replace(from, to);
            assert!(
                matches!(read(&text), Err(IndexError::Stanza { .. })),
                "{to}"
            );
        }
    }

    #[test]
    fn a_status_file_has_packages_that_are_gone() {
        let text = "Package: a\nStatus: deinstall ok config-files\n\nPackage: b\nVersion: 1\n\
                    Architecture: all\nStatus: install ok installed\n";
        let mut packages = Packages::of_status(text.as_bytes()).unwrap();
        assert!(!is_installed(packages.read().unwrap().unwrap().status));
        assert!(is_installed(packages.read().unwrap().unwrap().status));
        assert!(packages.read().unwrap().is_none());
    }
}
