//! Composes a folder onto an image: `compose BASE OUT FOLDER [STATE]`, or
//! checks one: `compose --verify IMAGE`. For measuring and for trying out.

use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use lab_image::{BaseDigest, Content, Entry, Image, Job, Outcome, Scope, Tree, compose, verify};

fn main() -> Result<()> {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match args.as_slice() {
        [flag, image] if flag.as_os_str() == "--verify" => check(image),
        [base, out, folder] => make(base, out, folder, None),
        [base, out, folder, state] => make(base, out, folder, Some(state)),
        _ => bail!("usage: compose BASE OUT FOLDER [STATE] | compose --verify IMAGE"),
    }
}

fn make(base: &Path, out: &Path, folder: &Path, state_dir: Option<&Path>) -> Result<()> {
    let mut tree = Tree::new();
    collect(&mut tree, folder, folder)?;
    let start = Instant::now();
    let composed = compose(Job {
        base,
        out,
        tree: &tree,
        base_digest: BaseDigest::Unknown,
        state_dir,
        mode: 0o644,
        progress: &mut |_| {},
    })?;
    println!(
        "{:?} {} bytes, {} written, sha256 {}, {:.1} ms",
        composed.kind,
        composed.size,
        composed.bytes_written,
        hex::encode(composed.sha256),
        start.elapsed().as_secs_f64() * 1000.0
    );
    for note in composed.notes {
        println!("{note}");
    }
    Ok(())
}

fn collect(tree: &mut Tree, root: &Path, dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            collect(tree, root, &path)?;
            continue;
        }
        let name = path
            .strip_prefix(root)?
            .to_str()
            .context("a name in UTF-8")?;
        let meta = entry.metadata()?;
        let content = if kind.is_symlink() {
            let target = std::fs::read_link(&path)?;
            Content::Symlink(target.to_str().context("a target in UTF-8")?.to_owned())
        } else {
            Content::File {
                path: path.clone(),
                len: meta.len(),
                sha256: None,
            }
        };
        let mode = meta.permissions().mode() & 0o555;
        tree.insert(
            name.parse()?,
            Entry {
                content,
                mode,
                listed: true,
            },
        )?;
    }
    Ok(())
}

fn check(path: &Path) -> Result<()> {
    let file = BufReader::new(File::open(path)?);
    let mut image = Image::open(file, &path.display().to_string())?;
    let findings = verify(&mut image, Scope::Everything);
    for finding in &findings {
        println!(
            "{:?} {}: {} ({})",
            finding.outcome, finding.id, finding.what, finding.evidence
        );
    }
    if findings
        .iter()
        .any(|finding| finding.outcome == Outcome::Fail)
    {
        bail!("{} is damaged", path.display());
    }
    Ok(())
}
