//! Knowing again what was made before.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::boot::GRUB_BIOS;
use crate::program::{Workplace, words};
use crate::tree::{Tree, file_sha256};
use crate::{Options, Standin};

/// Raise it when the way of writing changes and the inputs do not show it.
const RECIPE: &str = "stand-in recipe 1";

/// Waits until nobody else makes a stand-in with this cache; free again when dropped.
pub(crate) fn lock(cache_dir: &Path) -> Result<File> {
    let path = cache_dir.join("standin.lock");
    let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    file.lock()
        .with_context(|| format!("waiting for {}", path.display()))?;
    Ok(file)
}

/// The digest over all that goes into the image.
pub(crate) fn recipe(
    options: &Options,
    tree: &Tree,
    esp: &Path,
    work: &Workplace,
) -> Result<String> {
    let mut sum = Sha256::new();
    sum.update(format!("{RECIPE}\n{options:?}\n"));
    sum.update(work.run(
        "asking xorriso which one it is",
        "xorriso",
        &words!["-version"],
    )?);
    sum.update(file_sha256(&Path::new(GRUB_BIOS).join("boot_hybrid.img"))?);
    sum.update(file_sha256(esp)?);
    tree.digest(&mut sum)?;
    Ok(hex::encode(sum.finalize()))
}

/// The stand-in at `out`, where this recipe made it and nothing touched it since.
pub(crate) fn standing(recipe: &str, out: &Path) -> Option<Standin> {
    let kept = fs::read_to_string(beside(out)).ok()?;
    let (sha256, rest) = kept.split_once('\n')?;
    if rest != stamp(recipe, out).ok()? {
        return None;
    }
    let size = fs::metadata(out).ok()?.len();
    Some(Standin {
        path: out.to_owned(),
        size,
        sha256: sha256.to_owned(),
        reused: true,
    })
}

/// Moves the finished image to `out` and writes down what made it.
pub(crate) fn keep(recipe: &str, image: &Path, out: &Path) -> Result<Standin> {
    let sha256 = file_sha256(image)?;
    let size = fs::metadata(image)
        .with_context(|| format!("looking at {}", image.display()))?
        .len();
    if size == 0 {
        bail!("xorriso wrote an empty image to {}", image.display());
    }
    let record = beside(out);
    match fs::remove_file(&record) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {}", record.display()));
        }
        _ => {}
    }
    fs::rename(image, out)
        .with_context(|| format!("moving the finished image to {}", out.display()))?;
    let text = format!("{sha256}\n{}", stamp(recipe, out)?);
    fs::write(&record, text).with_context(|| format!("writing {}", record.display()))?;
    Ok(Standin {
        path: out.to_owned(),
        size,
        sha256,
        reused: false,
    })
}

/// What must be the same for the image to be the same.
fn stamp(recipe: &str, out: &Path) -> Result<String> {
    let about = fs::metadata(out).with_context(|| format!("looking at {}", out.display()))?;
    let changed = about.modified()?.duration_since(UNIX_EPOCH)?;
    Ok(format!(
        "{recipe}\n{} bytes, changed at {} ns\n",
        about.len(),
        changed.as_nanos()
    ))
}

fn beside(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".recipe");
    out.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_stands_until_it_or_the_recipe_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (image, out) = (folder.path().join("new"), folder.path().join("out.iso"));
        fs::write(&image, b"image").unwrap();
        assert!(standing("one", &out).is_none());
        let kept = keep("one", &image, &out).unwrap();
        assert!(!kept.reused);
        let again = standing("one", &out).unwrap();
        assert!(again.reused);
        assert_eq!((again.size, again.sha256), (5, kept.sha256));
        assert!(standing("two", &out).is_none());
        fs::write(&out, b"imagE, longer").unwrap();
        assert!(standing("one", &out).is_none());
    }

    #[test]
    fn an_empty_image_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (image, out) = (folder.path().join("new"), folder.path().join("out.iso"));
        fs::write(&image, b"").unwrap();
        assert!(keep("one", &image, &out).is_err());
        assert!(!out.exists());
    }
}
