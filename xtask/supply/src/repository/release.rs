//! `Release` files (Debian's repository format, sections "Release files" and
//! "Date, Valid-Until"; deb822(5)): what the signed text says about the lists.

use std::collections::BTreeMap;

use crate::Digest;
use crate::refusal::Refusal;

use super::date;

/// A file that a `Release` announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) sha256: Digest,
    /// In bytes.
    pub(super) size: u64,
}

/// What is needed of a `Release`.
#[derive(Debug, Default)]
pub(super) struct Release {
    fields: BTreeMap<String, String>,
    pub(super) files: BTreeMap<String, Announced>,
    /// In seconds since 1970.
    pub(super) date: u64,
    /// In seconds since 1970.
    pub(super) valid_until: Option<u64>,
}

impl Release {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let fields = fields(text).map_err(Refusal::Malformed)?;
        let when = |name: &str| match fields.get(name) {
            None => Ok(None),
            Some(text) => date::parse(text).map(Some).ok_or_else(|| {
                Refusal::Malformed(format!(
                    "{name} is {:?}, which is no date in UTC",
                    shortened(text)
                ))
            }),
        };
        let missing = || Refusal::Malformed("it has no Date".to_owned());
        let (date, valid_until) = (when("date")?.ok_or_else(missing)?, when("valid-until")?);
        let files = match fields.get("sha256") {
            Some(lines) => files(lines)?,
            None if ["md5sum", "sha1", "sha512"]
                .iter()
                .any(|name| fields.contains_key(*name)) =>
            {
                return Err(Refusal::Unsupported(
                    "it gives its files' digests as MD5, SHA-1 or SHA-512 only; SHA256 is needed"
                        .to_owned(),
                ));
            }
            None => BTreeMap::new(),
        };
        Ok(Self {
            fields,
            files,
            date,
            valid_until,
        })
    }

    /// A field by its name in lower case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Whether the lists can be asked for by their digests.
    pub(super) fn by_hash(&self) -> bool {
        self.field("acquire-by-hash")
            .is_some_and(|value| value.eq_ignore_ascii_case("yes"))
    }

    /// Whether the packages for all architectures have an index of their own.
    pub(super) fn separate_all(&self) -> bool {
        let has = |name, word| {
            self.field(name)
                .is_some_and(|value| value.split_ascii_whitespace().any(|one| one == word))
        };
        has("architectures", "all") && !has("no-support-for-architecture-all", "Packages")
    }

    /// Refuses the `Release` of another suite that the same key signs.
    pub(super) fn check_suite(&self, asked: &str) -> Result<(), Refusal> {
        let names: Vec<_> = ["suite", "codename"]
            .iter()
            .filter_map(|name| self.field(name))
            .collect();
        let fits = |name: &&str| {
            let below = asked
                .strip_prefix(*name)
                .is_some_and(|rest| rest.starts_with('/'));
            **name == *asked || below
        };
        if names.is_empty() || names.iter().any(fits) {
            return Ok(());
        }
        Err(Refusal::Unsupported(format!(
            "it is of the suite {}, and {asked} was asked for: another suite's file stands there",
            names.join(" or ")
        )))
    }
}

/// The fields of the one paragraph, names in lower case, lines of a value joined by `\n`.
fn fields(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut fields = BTreeMap::new();
    let mut open: Option<(String, String)> = None;
    for line in text.trim_end_matches('\n').split('\n') {
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err("it has control characters in it".to_owned());
        }
        if let Some(more) = line.strip_prefix([' ', '\t']) {
            let (_, value) = open.as_mut().ok_or("it begins with a line that goes on")?;
            value.push('\n');
            value.push_str(more);
            continue;
        }
        let (name, value) = line
            .split_once(':')
            .filter(|(name, _)| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
            })
            .ok_or_else(|| format!("it has the line {:?}, which is no field", shortened(line)))?;
        keep(
            &mut fields,
            open.replace((name.to_ascii_lowercase(), value.trim().to_owned())),
        )?;
    }
    keep(&mut fields, open)?;
    Ok(fields)
}

fn keep(
    fields: &mut BTreeMap<String, String>,
    field: Option<(String, String)>,
) -> Result<(), String> {
    let Some((name, value)) = field else {
        return Ok(());
    };
    match fields.insert(name.clone(), value) {
        Some(_) => Err(format!("it has the field {name} twice")),
        None => Ok(()),
    }
}

/// Lines of digest, size in bytes, path.
fn files(lines: &str) -> Result<BTreeMap<String, Announced>, Refusal> {
    let mut files = BTreeMap::new();
    for line in lines.split('\n').filter(|line| !line.trim().is_empty()) {
        let malformed = || Refusal::Malformed(format!("SHA256 has the line {:?}", shortened(line)));
        let mut words = line.split_ascii_whitespace();
        let mut next = || words.next().ok_or_else(malformed);
        let (sha256, size, path) = (next()?, next()?, next()?);
        let announced = Announced {
            sha256: sha256.parse().map_err(|_| malformed())?,
            size: size.parse().map_err(|_| malformed())?,
        };
        if words.next().is_some() {
            return Err(malformed());
        }
        let path = path.strip_prefix("./").unwrap_or(path);
        if !inside(path) {
            return Err(Refusal::Path(shortened(path)));
        }
        if files
            .insert(path.to_owned(), announced)
            .is_some_and(|before| before != announced)
        {
            return Err(Refusal::Malformed(format!(
                "it gives two digests for {path}"
            )));
        }
    }
    Ok(files)
}

/// Whether a path leads to something below where it is read from, also after a server
/// or a file system has interpreted it.
pub(super) fn inside(path: &str) -> bool {
    let plain = |c: char| !c.is_control() && !matches!(c, '\\' | '?' | '#' | '%' | ' ');
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.chars().all(plain) && path.split('/').all(part)
}

fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn with(lines: &str) -> Result<Release, Refusal> {
        Release::parse(&format!("Date: Thu, 25 Apr 2024 15:10:33 UTC\n{lines}\n"))
    }

    #[test]
    fn fields_and_files_are_read() {
        let release = with(&format!(
            "Suite: noble-updates\nCodename: noble\nAcquire-By-Hash: yes\nArchitectures: amd64 all\nSHA256:\n {HEX} 12 main/Packages\n {HEX}  3 ./Packages.xz"
        ))
        .unwrap();
        assert_eq!(release.date, 1_714_057_833);
        assert!(release.by_hash() && release.separate_all());
        assert_eq!(release.files["main/Packages"].size, 12);
        assert_eq!(release.files["Packages.xz"].sha256, HEX.parse().unwrap());
        release.check_suite("noble").unwrap();
        release.check_suite("noble-updates").unwrap();
        release.check_suite("noble/updates").unwrap();
        assert!(release.check_suite("noble-security").is_err());
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "a//b",
            "a/./b",
            "a\\b",
            "a%2e%2e/x",
            "a?x",
            "..",
            ".",
            "a/",
        ] {
            let error = with(&format!("SHA256:\n {HEX} 12 {path}")).unwrap_err();
            assert!(matches!(error, Refusal::Path(_)), "{path}: {error}");
        }
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for lines in [
            "Suite: a\nsuite: b".to_owned(),
            "Suite: a\n\nSuite: b".to_owned(),
            format!("SHA256:\n {HEX} 12 a\n {HEX} 13 a"),
            format!("SHA256:\n {HEX} -1 a"),
            format!("SHA256:\n {HEX} 12"),
            format!("SHA256:\n {HEX} 12 a b"),
            "SHA256:\n d41d8cd98f00b204e9800998ecf8427e 0 a".to_owned(),
            "Valid-Until: tomorrow".to_owned(),
            "Date: Thu, 25 Apr 2024 15:10:33 UTC".to_owned(),
            "MD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 a".to_owned(),
            "no field".to_owned(),
        ] {
            assert!(with(&lines).is_err(), "{lines}");
        }
        assert!(Release::parse("").is_err());
        assert!(Release::parse(" x\n").is_err());
        assert!(Release::parse("Suite: noble\n").is_err());
    }

    #[test]
    fn spoilt_releases_do_not_panic() {
        let good = format!(
            "Date: Thu, 25 Apr 2024 15:10:33 UTC\nSuite: a\nSHA256:\n {HEX} 12 main/Packages\n"
        );
        for (at, flip) in (0..good.len()).flat_map(|at| [(at, 0x01), (at, 0x0a), (at, 0x20)]) {
            let mut spoilt = good.clone().into_bytes();
            spoilt[at] ^= flip;
            if let Ok(release) = Release::parse(&String::from_utf8_lossy(&spoilt)) {
                assert!(release.files.keys().all(|path| inside(path)));
            }
            let _ = Release::parse(&good[..at]);
        }
    }
}
