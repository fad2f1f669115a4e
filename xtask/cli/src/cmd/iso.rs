//! `iso`: from the description to a bootable, verified image.

mod fits;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use lab_image::{BaseDigest, Composed, Entry, Image, ImagePath, Job, Kind, Scope, Stage, Tree};
use lab_lock::Lock;
use lab_machine::Machine;
use lab_plan::{BaseFacts, Enclosed, ImageFiles};
use lab_supply::{Cache, Digest, Watch};

use super::inspect::{self, Status};
use super::{fetch, sbom};
use crate::failure::Failure;
use crate::lab::Described;
use crate::locked::{self, Installed};
use crate::payload::{self, Packed};
use crate::ui::{self, GOOD, Meter, STRONG};
use crate::{Done, MachineArg, keys, lab, secrets};

/// Builds the installer image.
///
/// Checks the description, gets Ubuntu's image unless it is in the cache, lays
/// the machine's files over it and verifies what was written. The same
/// description and base give the same bytes, on any day and any computer. A
/// second run rewrites only what changed.
///
/// Where Ubuntu's image cannot be downloaded, bring it: `--base FILE`, or copy
/// it into the cache's folder. `--base stand-in` makes a small base of Debian
/// packages that boots and shows the whole job, but installs nothing.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// The base image: a file, or `stand-in`. Without it, Ubuntu's from the cache or the network.
    #[arg(long, value_name = "FILE|stand-in")]
    base: Option<String>,
    /// Where to write the image. Without it: target/iso/NAME.iso.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Take a base whose checksum the catalog does not know.
    #[arg(long)]
    allow_unknown_base: bool,
    /// Put everything that machine.lock names onto the image: the machine then needs no network.
    #[arg(long)]
    offline: bool,
    /// Refuse an image that does not fit a stick of this size: `16GB`, `15.6GB`, bytes.
    #[arg(long, value_name = "SIZE", value_parser = fits::stick_size)]
    fits: Option<u64>,
    /// Build without a lock: the machine takes what its repositories have on the day.
    #[arg(long, conflicts_with = "offline")]
    unlocked: bool,
    #[command(flatten)]
    how: fetch::How,
}

/// A base image and what is known of it.
struct Base {
    path: PathBuf,
    digest: BaseDigest,
    stand_in: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    let cache = lab::cache()?;
    let base = base(arguments, machine, &cache)?;
    let lock = lock(arguments, &described, machine, &base)?;
    let packed = match (&lock, arguments.offline) {
        (Some(lock), true) => Some(pack(machine, lock, &arguments.how)?),
        _ => None,
    };
    if let Some(most) = arguments.fits {
        fits::refuse_too_big(&base.path, lock.as_ref(), packed.as_ref(), most)?;
    }
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => lab::workspace()?
            .join("target/iso")
            .join(format!("{}.iso", machine.identity.name)),
    };
    let built = build(
        &described,
        machine,
        &base,
        &out,
        &cache,
        arguments.allow_unknown_base || base.stand_in,
        With { lock, packed },
    )?;
    let scope = Scope::Since(built.layout.tail_lba());
    let report = inspect::inspect(&out, scope)?;
    if report.count(Status::Fail) > 0 {
        inspect::print_text(&out, &report);
        return Err(Failure::Environment(anyhow::anyhow!(
            "what was written did not stand its own inspection: this is a fault of this program, do not use the image"
        )));
    }
    tell(&built, &out, &base, machine, &report)
}

/// What the image carries besides the machine's own files.
struct With {
    lock: Option<Lock>,
    packed: Option<Packed>,
}

/// The lock, made first where something is missing in it, as cargo does. A stand-in installs
/// nothing, and so nothing is looked up for it.
fn lock(
    arguments: &Arguments,
    described: &Described,
    machine: &Machine,
    base: &Base,
) -> Result<Option<Lock>, Failure> {
    if arguments.unlocked {
        return Ok(None);
    }
    if base.stand_in || arguments.how.frozen {
        let lock = locked::fitting(described, machine)?;
        return match lock {
            None if arguments.offline => locked::must(described).map(Some),
            other => Ok(other),
        };
    }
    let installed = Installed::Base(base.path.clone());
    let made = locked::make(described, machine, &installed, None).map_err(with_unlocked)?;
    if !made.changes.is_empty() {
        ui::step(&format!(
            "locked {} things in {}",
            made.changes.len(),
            locked::path(described).display()
        ));
    }
    Ok(Some(made.lock))
}

fn with_unlocked(failure: Failure) -> Failure {
    match failure {
        Failure::Environment(error) => Failure::Environment(error.context(
            "what reaches the machine could not be locked (`--unlocked` builds without a lock)",
        )),
        other => other,
    }
}

/// Gets what is not in the cache yet, and packs it.
fn pack(machine: &Machine, lock: &Lock, how: &fetch::How) -> Result<Packed, Failure> {
    fetch::objects(lock, how)?;
    payload::pack(machine.identity.name.as_str(), lock, &lab::store()?)
}

/// The list of what is locked, for `/lab/sbom.json`. Licences are in it where everything that
/// says them is on the image as well: else the list would tell what happened to be in a cache.
fn inventory(described: &Described, with: &With) -> Result<Option<String>, Failure> {
    let Some(lock) = &with.lock else {
        return Ok(None);
    };
    let list = match with.packed {
        Some(_) => sbom::inventory(described, lock)?,
        None => sbom::without_licences(described, lock)?,
    };
    let text = lab_sbom::cyclonedx(&list, None).context("listing what is locked")?;
    Ok(Some(text))
}

fn base(arguments: &Arguments, machine: &Machine, cache: &Cache) -> Result<Base, Failure> {
    match arguments.base.as_deref() {
        Some("stand-in") => stand_in(cache),
        Some(file) => brought(Path::new(file), cache),
        None => {
            let fetched = fetch::get(machine, &arguments.how).map_err(with_ways_out)?;
            Ok(Base {
                path: fetched.path,
                digest: BaseDigest::Known(fetched.sha256.0),
                stand_in: false,
            })
        }
    }
}

/// Adds to an error about the network what else can be done.
fn with_ways_out(failure: Failure) -> Failure {
    match failure {
        Failure::Environment(error) => Failure::Environment(error.context(
            "the base image is not at hand: bring one with `--base FILE`, or see the whole job on a small one with `--base stand-in`",
        )),
        other => other,
    }
}

fn stand_in(cache: &Cache) -> Result<Base, Failure> {
    let folder = cache.dir().join("stand-in");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join("stand-in.iso");
    ui::step(
        "making the stand-in base (Debian's kernel, GRUB and shim; it boots, and installs nothing)",
    );
    let made = lab_standin::build(&lab_standin::Options::default(), &folder, &path)?;
    let mut base = brought(&made.path, cache)?;
    base.stand_in = true;
    Ok(base)
}

fn brought(path: &Path, cache: &Cache) -> Result<Base, Failure> {
    if !path.is_file() {
        return Err(Failure::input(format!(
            "the base image {} is no file: expected an ISO image such as ubuntu-24.04.5-live-server-amd64.iso",
            path.display()
        )));
    }
    let digest = match lab_supply::recall(path, cache) {
        Some(known) => BaseDigest::Known(known.sha256.0),
        None => BaseDigest::Unknown,
    };
    Ok(Base {
        path: path.to_owned(),
        digest,
        stand_in: false,
    })
}

/// Composes the image and says what was made.
fn build(
    described: &Described,
    machine: &Machine,
    base: &Base,
    out: &Path,
    cache: &Cache,
    unknown_allowed: bool,
    with: With,
) -> Result<Composed, Failure> {
    let digest = match unknown_allowed {
        true => BaseDigest::Known(identify(&base.path, cache)?),
        false => expected_digest(base, machine)?,
    };
    let (facts, notes) = facts(base, digest)?;
    for note in notes {
        ui::step(&note);
    }
    let secrets = secrets::gather(described, machine)?;
    let texts = described.texts();
    let subject = lab::subject(machine, &secrets, &texts, with.lock.as_ref())?;
    let payload = with.packed.as_ref().map(|packed| &packed.payload);
    let inventory = inventory(described, &with)?;
    let enclosed = Enclosed {
        payload,
        inventory: inventory.as_deref(),
    };
    let files = lab_plan::image_tree(&subject, &facts, enclosed)?;
    let mut tree = tree(&files)?;
    if let Some(packed) = with.packed {
        packed.add_to(&mut tree)?;
    }
    if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let watch = match digest {
        BaseDigest::Known(_) => None,
        _ => Some(Watch::begin(&base.path)?),
    };
    let mut meter = Meter::new();
    let mut progress = |report: lab_image::Progress| {
        let label = match report.stage {
            Stage::Compose => "writing",
            Stage::Rebuild => "updating",
        };
        meter.update(label, report.done, Some(report.total));
    };
    let state = cache.dir().join("composed");
    let job = Job {
        base: &base.path,
        out,
        tree: &tree,
        base_digest: digest,
        state_dir: Some(&state),
        mode: 0o600,
        progress: &mut progress,
    };
    let built = lab_image::compose(job)?;
    meter.finish();
    if let Some(watch) = watch {
        watch.finish(cache, Digest(built.base_sha256))?;
    }
    for note in &built.notes {
        ui::step(note);
    }
    Ok(built)
}

/// What the base's digest must be: the one that the catalog has for the release.
fn expected_digest(base: &Base, machine: &Machine) -> Result<BaseDigest, Failure> {
    let catalog = lab::catalog()?;
    let release = machine.ubuntu.release.as_str();
    let image = catalog
        .ubuntu_image(release)
        .ok_or_else(|| Failure::input(format!("the catalog has no image of Ubuntu {release}")))?;
    let wanted = *image.sha256.as_bytes();
    match base.digest {
        BaseDigest::Known(found) if found == wanted => Ok(base.digest),
        BaseDigest::Known(found) => Err(Failure::input(format!(
            "{} is not the image of Ubuntu {release}: its sha256 is {}, expected {}; bring the right one, set `ubuntu.release` to the one it is, \
             or take it as it is with --allow-unknown-base",
            base.path.display(),
            hex::encode(found),
            hex::encode(wanted)
        ))),
        _ => Ok(BaseDigest::Expect(wanted)),
    }
}

/// The digest of a base that the catalog does not know. It is taken before the
/// image is planned, because the manifest names it: the first build and the
/// second must not differ.
fn identify(path: &Path, cache: &Cache) -> Result<[u8; 32], Failure> {
    let mut meter = Meter::new();
    let mut progress =
        |report: lab_supply::Progress| meter.update("hashing", report.done, report.total);
    Ok(lab_supply::identify(path, cache, &mut progress)?.sha256.0)
}

/// What the plan must know of the base.
fn facts(base: &Base, digest: BaseDigest) -> Result<(BaseFacts, Vec<String>), Failure> {
    let name = base.path.display().to_string();
    let file = File::open(&base.path)
        .map_err(|error| Failure::input(format!("opening the base image {name}: {error}")))?;
    let mut image = Image::open(BufReader::new(file), &name).map_err(Failure::Input)?;
    let mut notes = Vec::new();
    let info = text(&mut image, ".disk/info")?.unwrap_or_default();
    if !info.starts_with("Ubuntu-Server 24.04") {
        return Err(Failure::input(format!(
            "{name} is no server image of Ubuntu 24.04: its /.disk/info says {info:?}, expected it to begin with \"Ubuntu-Server 24.04\""
        )));
    }
    if base.stand_in {
        notes.push("this base is a stand-in: the image boots to a shell's worth of Linux and installs nothing".to_owned());
    }
    let grub_cfg = text(&mut image, "boot/grub/grub.cfg")?.ok_or_else(|| {
        Failure::input(format!(
            "{name} has no /boot/grub/grub.cfg: it is no server image of Ubuntu"
        ))
    })?;
    let loopback_cfg = text(&mut image, "boot/grub/loopback.cfg")?;
    let has_hwe_kernel = image
        .files(0)
        .iter()
        .any(|file| file.path.trim_start_matches('/') == "casper/hwe-vmlinuz");
    let sha256 = match digest {
        BaseDigest::Known(digest) | BaseDigest::Expect(digest) => Some(hex::encode(digest)),
        BaseDigest::Unknown => None,
    };
    let known = match digest {
        BaseDigest::Known(digest) | BaseDigest::Expect(digest) => {
            lab::catalog()?.ubuntu_image_by_sha256(lab_catalog::Sha256::from_bytes(digest))
        }
        BaseDigest::Unknown => None,
    };
    // What the vendor calls it, whatever the file is called here: the name gets
    // into the image.
    let base_name = known.map_or_else(|| info.trim().to_owned(), |image| image.file_name.clone());
    let facts = BaseFacts {
        grub_cfg,
        loopback_cfg,
        label: image.volume_id(),
        has_hwe_kernel,
        base_sha256_hex: sha256,
        base_name,
    };
    Ok((facts, notes))
}

/// A menu or a note is never longer.
const MAX_TEXT: u64 = 1 << 20;

fn text<R: Read + Seek>(image: &mut Image<R>, path: &str) -> Result<Option<String>, Failure> {
    let bytes = image.read(path, MAX_TEXT).map_err(Failure::Input)?;
    bytes
        .map(String::from_utf8)
        .transpose()
        .map_err(|_| Failure::input(format!("/{path} of {} is no UTF-8 text", image.name())))
}

/// The plan's files in the engine's terms.
pub(crate) fn tree(files: &ImageFiles) -> anyhow::Result<Tree> {
    let mut tree = Tree::new();
    for (path, file) in files.iter() {
        let name: ImagePath = path.parse().with_context(|| format!("the path {path}"))?;
        tree.insert(name, Entry::bytes(file.bytes.clone()).with_mode(file.mode))?;
    }
    Ok(tree)
}

fn tell(
    built: &Composed,
    out: &Path,
    base: &Base,
    machine: &Machine,
    report: &inspect::Report,
) -> Done {
    let key = match machine.access.ssh_keys.is_empty() {
        true => Some(keys::admin_key(machine.identity.name.as_str())?.path),
        false => None,
    };
    let how = match built.kind {
        Kind::First => "written",
        Kind::Rebuilt => "brought up to date",
        Kind::Unchanged => "unchanged",
    };
    anstream::println!("{GOOD}{}{GOOD:#}", out.display());
    anstream::println!(
        "  {how}: {} of {}",
        ui::bytes(built.bytes_written),
        ui::bytes(built.size)
    );
    anstream::println!("  size    {} bytes", built.size);
    anstream::println!("  sha256  {}", hex::encode(built.sha256));
    anstream::println!("  inspected: {}", inspect::totals(report));
    for line in &report.story {
        anstream::println!("  {line}");
    }
    anstream::println!("\n{STRONG}What to do next{STRONG:#}");
    for line in next_steps(out, base, machine, key.as_deref()) {
        anstream::println!("  {line}");
    }
    Ok(())
}

fn next_steps(out: &Path, base: &Base, machine: &Machine, key: Option<&Path>) -> Vec<String> {
    let out = out.display();
    let (user, name) = (&machine.access.user, &machine.identity.name);
    let way_in = match key {
        Some(key) => format!("ssh -i {} {user}@{name}.local", key.display()),
        None => format!("ssh {user}@{name}.local"),
    };
    if base.stand_in {
        return vec![
            format!("Look at it:  cargo xtask inspect {out}"),
            "This image was made on the stand-in base and installs nothing. For the real one: `cargo xtask iso`,".to_owned(),
            "or with an image of Ubuntu that you have: `cargo xtask iso --base FILE`.".to_owned(),
        ];
    }
    vec![
        format!("1. Write the stick:      cargo xtask usb --image {out}   (shows it, asks, writes, reads back)"),
        format!("2. Boot {name} from it and walk away. The first menu entry installs, after its guard has found"),
        "   the machine that the description means. The stick holds this machine's keys: keep it, or wipe it.".to_owned(),
        format!("3. Log in:               {way_in}"),
    ]
}
