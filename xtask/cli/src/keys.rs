//! The keys that are made for a machine: its own host key, so that it is known
//! from its first minute, and, where the description names none, the key that
//! its administrator logs in with. They are kept outside of version control, and
//! stay the same from build to build.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rand_core::{OsRng, RngCore as _};
use ssh_key::{Algorithm, LineEnding, PrivateKey};

use crate::failure::Failure;

/// A pair of SSH keys and where it is kept.
pub(crate) struct KeyPair {
    /// The private key's file.
    pub(crate) path: PathBuf,
    /// The private key in OpenSSH's form.
    pub(crate) private: String,
    /// The public key's line.
    pub(crate) public: String,
}

/// The file of the machine's own host key.
pub(crate) const HOST: &str = "ssh_host_ed25519_key";

/// The file of the key that is made for the administrator.
pub(crate) const ADMIN: &str = "admin_ed25519_key";

/// The folder of a machine's keys.
pub(crate) fn folder(machine: &str) -> Result<PathBuf, Failure> {
    Ok(crate::lab::state_dir()?.join("machines").join(machine))
}

/// The machine's own host key.
pub(crate) fn host_key(machine: &str) -> Result<KeyPair, Failure> {
    pair(machine, HOST, &format!("root@{machine}"))
}

/// The key that is made for the administrator.
pub(crate) fn admin_key(machine: &str) -> Result<KeyPair, Failure> {
    pair(machine, ADMIN, &format!("lab@{machine}"))
}

/// The file of the seed of the key that signs what an offline machine installs.
const SEED: &str = "repository_seed";

/// The seed of that key, made where there is none.
pub(crate) fn repository_seed(machine: &str) -> Result<[u8; 32], Failure> {
    let folder = folder(machine)?;
    let path = folder.join(SEED);
    if !path.exists() {
        let mut seed = [0; 32];
        OsRng
            .try_fill_bytes(&mut seed)
            .context("asking for random bytes")?;
        store(&folder, &path, &hex::encode(seed))
            .with_context(|| format!("making the key {}", path.display()))?;
    }
    let text = secret_text(&path).with_context(|| format!("reading the key {}", path.display()))?;
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed).map_err(|_| {
        Failure::input(format!(
            "{} is no seed of a key (64 hexadecimal digits): remove it to have a new one made",
            path.display()
        ))
    })?;
    Ok(seed)
}

fn pair(machine: &str, name: &str, comment: &str) -> Result<KeyPair, Failure> {
    let folder = folder(machine)?;
    let path = folder.join(name);
    if !path.exists() {
        make(&folder, &path, comment)
            .with_context(|| format!("making the key {}", path.display()))?;
    }
    Ok(read(&path).with_context(|| format!("reading the key {}", path.display()))?)
}

fn make(folder: &Path, path: &Path, comment: &str) -> anyhow::Result<()> {
    let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519)?;
    key.set_comment(comment);
    store(folder, path, &key.to_openssh(LineEnding::LF)?)
}

/// Keeps a secret under a name that is not there yet.
fn store(folder: &Path, path: &Path, secret: &str) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    // The temporary file is made with mode 0600, so the key is never readable
    // by others. Of two runs at once, the first one's key stays.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(secret.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(taken) if taken.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(other) => Err(other.error.into()),
    }
}

/// A secret's text, unless others may read it.
fn secret_text(path: &Path) -> anyhow::Result<String> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!(
            "others may read it (mode {:03o}): run `chmod 600 {}`, or remove it to have a new one made",
            mode & 0o777,
            path.display()
        );
    }
    Ok(fs::read_to_string(path)?)
}

fn read(path: &Path) -> anyhow::Result<KeyPair> {
    let text = secret_text(path)?;
    let key = PrivateKey::from_openssh(&text)?;
    let public = key.public_key().to_openssh()?;
    // Made again each time, so that the line beside the key is always its own.
    let beside = path.with_extension("pub");
    if fs::read_to_string(&beside).ok().as_deref() != Some(&format!("{public}\n")) {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        writeln!(file, "{public}")?;
        file.persist(&beside)?;
    }
    Ok(KeyPair {
        path: path.to_owned(),
        private: text,
        public,
    })
}
