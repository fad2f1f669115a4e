//! What a machine without a network needs in these tests: where its packages are locked from,
//! and an image taken apart as the installer would see it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lab_plan::autoinstall::{Autoinstall, read};

use crate::programs::run;
use crate::{Guest, Upstreams, quoted};

/// The catalog's `archives.toml` for a Debian machine: what stands for Ubuntu's archive, and
/// Debian's own, each with the keys that the machine itself trusts for it.
///
/// # Errors
///
/// When a key cannot be read.
pub fn archives(guest: &Guest, upstreams: &Upstreams) -> Result<String> {
    ensure!(
        !upstreams.ubuntu_key()?.is_empty(),
        "Ubuntu's stand-in has no key"
    );
    archives_by(
        &|script| guest.ok(script),
        Path::new(RINGS),
        "/lab-test/ubuntu.asc",
        "/usr/share/keyrings/debian-archive-keyring.*",
    )
}

/// Where gpg keeps what it reads, on a machine.
const RINGS: &str = "/run/keys";

/// Runs a shell script somewhere, and says what it printed.
type Shell<'a> = &'a dyn Fn(&str) -> Result<String>;

/// The same with the keys of these files, wherever `shell` runs; gpg keeps them in `rings`.
pub(crate) fn archives_by(
    shell: Shell<'_>,
    rings: &Path,
    ubuntu: &str,
    debian: &str,
) -> Result<String> {
    let mut text = String::from("[meta]\nsource = \"the run\"\ndate = \"2026-11-28\"\n");
    let ubuntu = keys(shell, rings, ubuntu)?;
    text += &archive(
        "ubuntu",
        "http://archive.ubuntu.com/ubuntu",
        "noble",
        UBUNTU,
        &ubuntu,
    );
    let debian = keys(shell, rings, debian)?;
    ensure!(
        !debian.is_empty(),
        "Debian's archive has no key here: install debian-archive-keyring"
    );
    text += &archive(
        "debian",
        "http://deb.debian.org/debian",
        "trixie",
        &["main"],
        &debian,
    );
    for (fingerprint, base64) in ubuntu.iter().chain(&debian) {
        text += &format!(
            "[[key]]\nfingerprint = \"{fingerprint}\"\nowner = \"the run\"\nsource = \"the run\"\n\
             date = \"2026-11-28\"\nbase64 = \"{base64}\"\n"
        );
    }
    Ok(text)
}

const UBUNTU: &[&str] = crate::upstream::UBUNTU_COMPONENTS;

fn archive(
    name: &str,
    uri: &str,
    suite: &str,
    components: &[&str],
    keys: &[(String, String)],
) -> String {
    let list = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        words.join(", ")
    };
    let keys: Vec<&str> = keys
        .iter()
        .map(|(fingerprint, _)| fingerprint.as_str())
        .collect();
    format!(
        "[archive.{name}]\nrelease = \"24.04\"\nuri = \"{uri}\"\nsuites = [\"{suite}\"]\n\
         components = [{}]\nsigned_by = [{}]\n",
        list(components),
        list(&keys)
    )
}

/// The keys of a file, each by itself: fingerprint, and the key in base64.
fn keys(shell: Shell<'_>, rings: &Path, file: &str) -> Result<Vec<(String, String)>> {
    let script = format!(
        "install -d -m 0700 {rings}\nexport GNUPGHOME={rings}\nset -e\nfor one in {file}; do\n\
         gpg --batch --quiet --no-autostart --import \"$one\" 2>/dev/null || true\n\
         gpg --batch --with-colons --show-keys \"$one\" 2>/dev/null | awk -F: '$1 == \"pub\" {{ p = 1 }} $1 == \"fpr\" && p {{ print $10; p = 0 }}'\n\
         done | sort -u | while read -r key; do\n\
         printf '%s %s\\n' \"$key\" \"$(gpg --batch --export \"$key\" | base64 -w 0)\"\ndone",
        rings = rings.display()
    );
    let said = shell(&script)?;
    let pair = |line: &str| {
        let (fingerprint, base64) = line.split_once(' ').context("a key without bytes")?;
        Ok((fingerprint.to_owned(), base64.to_owned()))
    };
    said.lines()
        .filter(|line| !line.contains("gpg:"))
        .map(pair)
        .collect()
}

/// The keys of a keyring on the machine, each by itself: fingerprint, and the key's bytes.
///
/// # Errors
///
/// When the keyring cannot be read.
pub fn keys_of(guest: &Guest, file: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let bytes = |(fingerprint, text): (String, String)| {
        let bytes = BASE64.decode(&text).context("reading a key")?;
        Ok((fingerprint, bytes))
    };
    keys(&|script| guest.ok(script), Path::new(RINGS), file)?
        .into_iter()
        .map(bytes)
        .collect()
}

/// The lab's files of an image, in a folder.
///
/// # Errors
///
/// When xorriso cannot read the image.
pub fn taken_apart(image: &Path, into: &Path) -> Result<PathBuf> {
    let cdrom = into.join("cdrom");
    fs::create_dir_all(&cdrom).with_context(|| format!("making {}", cdrom.display()))?;
    let image = image.to_str().context("the image's name is no UTF-8")?;
    let target = cdrom.to_str().context("the folder's name is no UTF-8")?;
    let of = |what: &str| format!("{target}{what}");
    for what in ["/lab", "/autoinstall.yaml"] {
        run(
            "xorriso",
            &[
                "-osirrox",
                "on:auto_chmod_on",
                "-indev",
                image,
                "-extract",
                what,
                &of(what),
            ],
        )?;
    }
    Ok(cdrom)
}

/// Runs the late-commands of the image that was taken apart, with the machine's own root as
/// the target.
///
/// # Errors
///
/// When the installer's file cannot be read, or a command fails.
pub fn laid_down_from_image(guest: &Guest, cdrom: &Path) -> Result<()> {
    let place = cdrom.join("autoinstall.yaml");
    let bytes = fs::read(&place).with_context(|| format!("reading {}", place.display()))?;
    let installer: Autoinstall = read(&bytes).context("reading the installer's file")?;
    guest.ok("mkdir /target && mount --bind / /target")?;
    for command in &installer.late_commands {
        guest.ok(&quoted(command))?;
    }
    guest.ok("umount /target && rmdir /target")?;
    Ok(())
}
