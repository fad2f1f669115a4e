//! What a system has: dpkg's status file (dpkg(1), deb-control(5)), or the manifest that
//! stands beside Ubuntu's images, `name<TAB>version` a line.

use crate::index::{IndexError, Package, Packages, is_installed};
use crate::relation::is_package_name;
use crate::version;

/// A package that is there.
#[derive(Debug, Clone)]
pub struct InstalledPackage<'a> {
    /// Without its architecture.
    pub name: &'a str,
    /// The version that is there.
    pub version: &'a str,
    /// `None` where only a manifest tells of it: the universe then takes the relations of the
    /// index's entry of that version, or else of the newest of that name.
    pub package: Option<Box<Package<'a>>>,
}

impl<'a> InstalledPackage<'a> {
    /// A package of which only name and version are known.
    pub(crate) fn only_named(&self) -> Package<'a> {
        Package {
            name: self.name,
            version: self.version,
            ..Package::default()
        }
    }
}

/// The packages that are there.
#[derive(Debug, Clone, Default)]
pub struct Installed<'a> {
    /// In the order of the text.
    pub packages: Vec<InstalledPackage<'a>>,
}

impl<'a> Installed<'a> {
    /// Reads dpkg's status file; what is removed or of a foreign architecture is left out.
    ///
    /// # Errors
    ///
    /// As [`Packages`].
    pub fn from_status(bytes: &'a [u8], architecture: &str) -> Result<Self, IndexError> {
        let mut packages = Vec::new();
        let mut stanzas = Packages::of_status(bytes)?;
        while let Some(package) = stanzas.read()? {
            let native = [architecture, "all"].contains(&package.architecture);
            if native && is_installed(package.status) {
                packages.push(InstalledPackage {
                    name: package.name,
                    version: package.version,
                    package: Some(Box::new(package)),
                });
            }
        }
        Ok(Self { packages })
    }

    /// Reads a manifest. Lines that name a foreign architecture (`name:i386`) are left out, and
    /// so are snaps (`snap:name`), which Ubuntu's manifests list as well.
    ///
    /// # Errors
    ///
    /// A line that is not a name, a tab and a version.
    pub fn from_manifest(bytes: &'a [u8], architecture: &str) -> Result<Self, IndexError> {
        let mut packages = Vec::new();
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = std::str::from_utf8(line).unwrap_or("\u{fffd}");
            if line.is_empty() || line.starts_with("snap:") {
                continue;
            }
            let (name, version) =
                manifest_line(line).ok_or_else(|| manifest_error(at + 1, line))?;
            let (name, qualifier) = name.split_once(':').unwrap_or((name, architecture));
            if qualifier == architecture {
                packages.push(InstalledPackage {
                    name,
                    version,
                    package: None,
                });
            }
        }
        Ok(Self { packages })
    }
}

fn manifest_line(line: &str) -> Option<(&str, &str)> {
    let (full, version) = line.split_once('\t')?;
    let name = full.split(':').next()?;
    let good = is_package_name(name) && version::check(version).is_ok();
    good.then_some((full, version))
}

fn manifest_error(line: usize, found: &str) -> IndexError {
    let found: String = found.chars().take(80).collect();
    IndexError::Stanza {
        line,
        package: found,
        what: "a name, a tab and a version were expected in a manifest".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read() {
        let text = b"adduser\t3.137ubuntu1\nlibc6:amd64\t2.39-0ubuntu8\nlibc6:i386\t2.39\nsnap:lxd\t5.21\n";
        let read = Installed::from_manifest(text, "amd64").unwrap();
        let names: Vec<_> = read.packages.iter().map(|p| (p.name, p.version)).collect();
        assert_eq!(
            names,
            [("adduser", "3.137ubuntu1"), ("libc6", "2.39-0ubuntu8")]
        );
        for bad in ["a 1", "a\tx", "\t1", "a/b\t1", "a\t1\t2"] {
            assert!(
                Installed::from_manifest(bad.as_bytes(), "amd64").is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_status_file_is_read() {
        let text = b"Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\
            Package: b\nStatus: install ok installed\nArchitecture: i386\nVersion: 1\n\n\
            Package: c\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n";
        let read = Installed::from_status(text, "amd64").unwrap();
        assert_eq!(read.packages.len(), 1);
    }
}
