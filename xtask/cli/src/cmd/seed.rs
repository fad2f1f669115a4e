//! `seed`: what cloud-init is given, as an image that it finds by its label.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::{Done, MachineArg, lab, locked, secrets};

/// Writes a CIDATA image, which brings a stock Ubuntu cloud image to the same lab.
///
/// Attach it to a virtual machine as a second disk, or write it to a stick beside
/// the one with the cloud image. The machine's secrets are in it: it is readable by
/// you alone.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// The file to write.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    let secrets = secrets::gather(&described, machine)?;
    let texts = described.texts();
    let lock = locked::fitting(&described, machine)?;
    let image = lab_plan::seed(&lab::subject(machine, &secrets, &texts, lock.as_ref())?)?;
    write(&image, &arguments.out)
        .with_context(|| format!("writing {}", arguments.out.display()))?;
    anstream::println!(
        "{} ({} KiB): a FAT volume with the label CIDATA.",
        arguments.out.display(),
        image.len() / 1024
    );
    anstream::println!("The machine's private host key is in it; it is readable by you alone.");
    Ok(())
}

/// Beside it first: an image that is half written must not be found under its name.
fn write(image: &[u8], out: &Path) -> anyhow::Result<()> {
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent)?;
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(parent)?;
    file.write_all(image)?;
    file.as_file().sync_all()?;
    file.persist(out)?;
    Ok(())
}
