//! `render`: the whole tree as it will stand on the image.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use lab_lock::Lock;
use lab_machine::Machine;
use lab_plan::{BaseFacts, Cloud, Enclosed, ImageFiles};

use crate::failure::Failure;
use crate::lab::Described;
use crate::{Done, MachineArg, lab, locked, secrets};

/// Writes every file that `iso` would put on the image into a folder, for
/// reading and for `diff`.
///
/// The boot menu is made for a base image; without one at hand it is made for
/// the menu of Ubuntu's own image. With `--as` it writes what cloud-init is given
/// instead, for machines that others install.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// The folder to write into. It must be new, or written by `render` before.
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// For whom: the image of `iso`; a cloud image with a NoCloud seed; user-data
    /// alone, as MAAS takes it.
    #[arg(long = "as", value_name = "FORM", default_value = "image")]
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Image,
    Nocloud,
    CloudConfig,
}

/// Says that a folder was written by this command, and may be written anew.
const MARK: &str = ".lab-render";

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    let secrets = secrets::gather(&described, machine)?;
    let texts = described.texts();
    let lock = locked::fitting(&described, machine)?;
    let subject = lab::subject(machine, &secrets, &texts, lock.as_ref())?;
    let files = match arguments.form {
        Form::Image => {
            let inventory = inventory(&described, lock.as_ref())?;
            let enclosed = Enclosed {
                inventory: inventory.as_deref(),
                ..Enclosed::default()
            };
            lab_plan::image_tree(&subject, &stock(machine)?, enclosed)?
        }
        Form::Nocloud => lab_plan::cloud(&subject, Cloud::NoCloud)?,
        Form::CloudConfig => lab_plan::cloud(&subject, Cloud::CloudConfig)?,
    };
    check_free(&arguments.out)?;
    let count = write_beside(&files, &arguments.out)?;
    anstream::println!("{} files in {}", count, arguments.out.display());
    anstream::println!("The keys among them are secret; the folder is readable by you alone.");
    Ok(())
}

/// The list of what is locked, as an image without a payload carries it.
fn inventory(described: &Described, lock: Option<&Lock>) -> Result<Option<String>, Failure> {
    let list = lock.map(|lock| super::sbom::without_licences(described, lock));
    let text = list
        .transpose()?
        .map(|list| lab_sbom::cyclonedx(&list, None));
    Ok(text.transpose().context("listing what is locked")?)
}

/// The menu of Ubuntu's server image, reduced to what the lab's menu is made
/// from (24.04.5; a menu with one kernel before 24.04.2).
const STOCK_MENU: &str = "set timeout=30\n\nloadfont unicode\n\nset menu_color_normal=white/black\nset menu_color_highlight=black/light-gray\n\n\
menuentry \"Try or Install Ubuntu Server\" {\n\tset gfxpayload=keep\n\tlinux\t/casper/vmlinuz  ---\n\tinitrd\t/casper/initrd\n}\n\
menuentry \"Ubuntu Server with the HWE kernel\" {\n\tset gfxpayload=keep\n\tlinux\t/casper/hwe-vmlinuz  ---\n\tinitrd\t/casper/hwe-initrd\n}\n\
grub_platform\nif [ \"$grub_platform\" = \"efi\" ]; then\nmenuentry 'Boot from next volume' {\n\texit 1\n}\nmenuentry 'UEFI Firmware Settings' {\n\tfwsetup\n}\n\
else\nmenuentry 'Test memory' {\n\tlinux16 /boot/memtest86+x64.bin\n}\nfi\n";

/// What is known of Ubuntu's own image without having it here.
fn stock(machine: &Machine) -> Result<BaseFacts, Failure> {
    let release = machine.ubuntu.release.as_str();
    let image = lab::catalog()?.ubuntu_image(release);
    Ok(BaseFacts {
        grub_cfg: STOCK_MENU.to_owned(),
        loopback_cfg: Some(STOCK_MENU.replace("  ---", "  iso-scan/filename=${iso_path} ---")),
        label: format!("Ubuntu-Server {release} LTS amd64"),
        has_hwe_kernel: true,
        base_sha256_hex: image.map(|image| image.sha256.to_string()),
        base_name: image
            .map(|image| image.file_name.clone())
            .unwrap_or_default(),
    })
}

fn check_free(out: &Path) -> Done {
    let empty = || fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    if !out.exists() || out.join(MARK).is_file() || empty() {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{} is there already and was not written by `render`: name a new folder, or remove this one",
        out.display()
    )))
}

/// Writes everything into a folder beside the target, then takes its place.
fn write_beside(files: &ImageFiles, out: &Path) -> anyhow::Result<usize> {
    let name = out
        .file_name()
        .context("the folder to write into has no name")?
        .to_string_lossy()
        .into_owned();
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    let new = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .with_context(|| format!("making a folder in {}", parent.display()))?;
    let count = write_all(files, new.path())?;
    fs::write(new.path().join(MARK), "")?;
    if out.exists() {
        fs::remove_dir_all(out).with_context(|| format!("replacing {}", out.display()))?;
    }
    fs::rename(new.keep(), out)
        .with_context(|| format!("putting {} in its place", out.display()))?;
    Ok(count)
}

fn write_all(files: &ImageFiles, folder: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    for (path, file) in files.iter() {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(parent)?;
        }
        fs::write(&target, &file.bytes).with_context(|| format!("writing {}", target.display()))?;
        fs::set_permissions(&target, fs::Permissions::from_mode(file.mode))?;
        count += 1;
    }
    Ok(count)
}

/// Gives a file the mode that files in a checkout have.
pub(crate) fn open_to_all(file: &File) -> anyhow::Result<()> {
    Ok(file.set_permissions(fs::Permissions::from_mode(0o644))?)
}
