//! Images of the first machine, made as `cargo xtask iso` makes them.
//!
//! Their keys are made for the run and belong to nobody.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lab_catalog::Catalog;
use lab_image::{Entry, Image, Tree};
use lab_machine::{Machine, Sources};
use lab_plan::{BaseFacts, Enclosed, HostKey, ImageFiles, Secrets, Subject, image_tree, place};
use rand_core::OsRng;
use sha2::{Digest, Sha256};
use ssh_key::{Algorithm, LineEnding, PrivateKey};

use crate::composed_of;

/// The passphrase of the disk, where the description asks for one.
pub const PASSPHRASE: &str = "correct horse";

/// A menu is never longer.
const MAX_MENU: u64 = 1 << 20;

/// A machine, and the text that describes it.
#[derive(Debug)]
pub struct Described {
    /// The machine.
    pub machine: Machine,
    text: String,
}

impl Described {
    /// The machine of images/gpu-server, its description changed by these replacements.
    ///
    /// # Errors
    ///
    /// When a replacement fits nothing, or the description has errors then.
    pub fn new(changes: &[(&str, &str)]) -> Result<Self> {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images/gpu-server/machine.toml");
        let mut text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        for (from, to) in changes {
            ensure!(text.contains(from), "{} has no `{from}`", path.display());
            text = text.replacen(from, to, 1);
        }
        let sources = Sources::single("machine.toml", text.clone());
        let outcome = lab_machine::read(&sources, Catalog::builtin(), None);
        let machine = outcome
            .machine
            .with_context(|| format!("{} has errors: {:?}", path.display(), outcome.diagnostics))?;
        Ok(Self { machine, text })
    }

    /// Makes its image on this base, and says what was laid on it.
    ///
    /// # Errors
    ///
    /// When the image cannot be rendered or composed.
    pub fn image(&self, base: &Path, image: &Path) -> Result<ImageFiles> {
        let texts = [("machine.toml".to_owned(), self.text.clone())];
        let subject = Subject {
            machine: &self.machine,
            catalog: Catalog::builtin(),
            secrets: &secrets(&self.machine)?,
            description: &texts,
            probe: b"no program: nothing here runs it",
            lock: None,
        };
        let files = image_tree(&subject, &facts(base)?, Enclosed::default())?;
        let mut tree = Tree::new();
        for (path, file) in files.iter() {
            let path = path.parse().with_context(|| format!("adding {path}"))?;
            tree.insert(path, Entry::bytes(file.bytes.clone()).with_mode(file.mode))?;
        }
        composed_of(base, &tree, image)?;
        Ok(files)
    }
}

fn secrets(machine: &Machine) -> Result<Secrets> {
    let host = PrivateKey::random(&mut OsRng, Algorithm::Ed25519)?;
    let admin = PrivateKey::random(&mut OsRng, Algorithm::Ed25519)?;
    let luks = machine.disk.luks_passphrase.as_ref();
    Ok(Secrets {
        admin_keys: vec![admin.public_key().to_openssh()?],
        host_key: HostKey {
            private_openssh: host.to_openssh(LineEnding::LF)?.to_string(),
            public: host.public_key().to_openssh()?,
        },
        password_hash: None,
        luks_passphrase: luks.map(|_| PASSPHRASE.to_owned()),
        wifi_passphrase: None,
    })
}

fn facts(base: &Path) -> Result<BaseFacts> {
    let file = File::open(base).with_context(|| format!("opening {}", base.display()))?;
    let mut image = Image::open(file, &base.display().to_string())?;
    let mut menu = |path: &str| -> Result<String> {
        let bytes = image.read(path, MAX_MENU)?;
        let bytes = bytes.with_context(|| format!("the stand-in has no {path}"))?;
        Ok(String::from_utf8(bytes)?)
    };
    let (grub_cfg, loopback_cfg) = (menu(place::GRUB_CFG)?, menu(place::LOOPBACK_CFG)?);
    let kernels = image.files(0);
    Ok(BaseFacts {
        grub_cfg,
        loopback_cfg: Some(loopback_cfg),
        label: image.volume_id(),
        has_hwe_kernel: kernels
            .iter()
            .any(|file| file.path.trim_start_matches('/') == "casper/hwe-vmlinuz"),
        base_sha256_hex: Some(sha256(base)?),
        base_name: lab_standin::DISK_INFO.to_owned(),
    })
}

/// The sha256 of a file, in hex.
///
/// # Errors
///
/// When it cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let (mut sum, mut chunk) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match std::io::Read::read(&mut file, &mut chunk)? {
            0 => return Ok(hex::encode(sum.finalize())),
            got => sum.update(chunk.get(..got).unwrap_or_default()),
        }
    }
}
