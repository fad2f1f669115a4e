//! Everything that lands on the machine as one archive: what `apply` sends over SSH
//! and cloud-init unpacks. It holds what the image has under `/lab` for the
//! installer's last step, so that one script lays files down everywhere.

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};

use crate::manifest::sha256_hex;
use crate::template::verbatim;
use crate::{ImageFiles, Landing, Subject, TargetTree, place};

/// The list that `lay-down` lays files down by: `file MODE:SHA256 PATH` and
/// `link TARGET PATH`, a line each.
pub(crate) fn list(tree: &TargetTree) -> String {
    let line = |(path, landing): (&str, &Landing)| match landing {
        Landing::File { bytes, mode } => format!("file {mode:04o}:{} {path}\n", sha256_hex(bytes)),
        Landing::Link(target) => format!("link {target} {path}\n"),
    };
    tree.entries().map(line).collect()
}

/// Adds the overlay, its list, the script and the marker, by their places on the image.
pub(crate) fn add(files: &mut ImageFiles, subject: &Subject<'_>, tree: &TargetTree) -> Result<()> {
    for (path, landing) in tree.entries() {
        if let Landing::File { bytes, mode } = landing {
            files.insert(format!("{}{path}", place::OVERLAY), *mode, bytes.clone())?;
        }
    }
    files.insert(place::OVERLAY_LIST, 0o644, list(tree))?;
    files.insert(place::LAY_DOWN, 0o755, verbatim(place::LAY_DOWN)?)?;
    let machine = subject.machine;
    let marker = format!("{} {}\n", machine.identity.name, machine.digest());
    files.insert(place::MARKER, 0o644, marker)
}

/// The archive: tar, compressed with gzip. The same machine gives the same bytes.
///
/// # Errors
///
/// As [`overlay`](crate::overlay).
pub fn bundle(subject: &Subject<'_>) -> Result<Vec<u8>> {
    let overlay = crate::overlay(subject)?;
    let mut files = ImageFiles::default();
    add(&mut files, subject, &overlay.tree)?;
    let zip = GzBuilder::new().write(Vec::new(), Compression::best());
    let mut archive = tar::Builder::new(zip);
    for (path, file) in files.iter() {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.bytes.len() as u64);
        // Secrets are among the files, and modes are in the list.
        header.set_mode(0o600);
        header.set_mtime(0);
        let name = path.strip_prefix("lab/").unwrap_or(path);
        archive
            .append_data(&mut header, name, file.bytes.as_slice())
            .with_context(|| format!("packing {path}"))?;
    }
    let zip = archive.into_inner().context("packing the files")?;
    zip.finish().context("packing the files")
}
