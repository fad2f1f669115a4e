//! The image of images/gpu-server, made as `cargo xtask iso` makes it, over the stand-in.
//!
//! Its keys are made for the run and belong to nobody.

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};
use lab_catalog::Catalog;
use lab_image::{Entry, Image, Tree};
use lab_machine::{Machine, Sources};
use lab_plan::{BaseFacts, Enclosed, HostKey, Secrets, Subject, image_tree, place};
use lab_standin::Options;
use lab_tests::{base, composed_of, scratch};
use rand_core::OsRng;
use sha2::{Digest, Sha256};
use ssh_key::{Algorithm, LineEnding, PrivateKey};

/// A menu is never longer.
const MAX_MENU: u64 = 1 << 20;

/// The image.
pub(crate) struct GpuServer {
    /// Where it lies.
    pub(crate) image: PathBuf,
    /// The sha256 of its autoinstall.yaml, in hex.
    pub(crate) autoinstall: String,
}

/// The image, made once for all tests of this program. Where a program for the stand-in is
/// missing, `None`, and `test` is said not to have run.
pub(crate) fn gpu_server(test: &str) -> Result<Option<&'static GpuServer>> {
    static MADE: OnceLock<Result<GpuServer, String>> = OnceLock::new();
    let Some(base) = base(test, &Options::default())? else {
        return Ok(None);
    };
    let made = MADE.get_or_init(|| make(&base).map_err(|error| format!("{error:#}")));
    match made {
        Ok(made) => Ok(Some(made)),
        Err(error) => Err(anyhow!("making the image of gpu-server: {error}")),
    }
}

fn make(base: &Path) -> Result<GpuServer> {
    let (machine, texts) = description()?;
    let subject = Subject {
        machine: &machine,
        catalog: Catalog::builtin(),
        secrets: &secrets()?,
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
    let autoinstall = files
        .get(place::AUTOINSTALL)
        .context("the plan has no autoinstall.yaml")?;
    let image = scratch("menu")?.join("gpu-server.iso");
    composed_of(base, &tree, &image)?;
    Ok(GpuServer {
        image,
        autoinstall: hex::encode(Sha256::digest(&autoinstall.bytes)),
    })
}

/// The machine, and the texts that describe it.
fn description() -> Result<(Machine, Vec<(String, String)>)> {
    let name = "machine.toml";
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../images/gpu-server")
        .join(name);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let sources = Sources::single(name, text.clone());
    let outcome = lab_machine::read(&sources, Catalog::builtin(), None);
    let machine = outcome
        .machine
        .with_context(|| format!("{} has errors: {:?}", path.display(), outcome.diagnostics))?;
    Ok((machine, vec![(name.to_owned(), text)]))
}

fn secrets() -> Result<Secrets> {
    let host = PrivateKey::random(&mut OsRng, Algorithm::Ed25519)?;
    let admin = PrivateKey::random(&mut OsRng, Algorithm::Ed25519)?;
    Ok(Secrets {
        admin_keys: vec![admin.public_key().to_openssh()?],
        host_key: HostKey {
            private_openssh: host.to_openssh(LineEnding::LF)?.to_string(),
            public: host.public_key().to_openssh()?,
        },
        password_hash: None,
        luks_passphrase: None,
        wifi_passphrase: None,
    })
}

fn facts(base: &Path) -> Result<BaseFacts> {
    let bytes = fs::read(base).with_context(|| format!("reading {}", base.display()))?;
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
        base_sha256_hex: Some(hex::encode(Sha256::digest(&bytes))),
        base_name: lab_standin::DISK_INFO.to_owned(),
    })
}
