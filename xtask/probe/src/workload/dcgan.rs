//! The training's state, by the files that it writes.
//!
//! `metrics.jsonl`, pictures (`*.png`), a film (`*.gif`), and checkpoints: what lies in a
//! folder whose name ends in `checkpoints`, or has a name that begins with `ckpt`. What lies
//! in a folder `earlier` is of trainings before, with other settings.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lab_facts::DcganRun;

use crate::root::{Root, short};

/// The newest lines of the metrics that are kept, and what is read of the file at most.
const LINES: usize = 2000;
const TAIL: u64 = 4 << 20;

/// The most that a picture may have, in bytes.
const PICTURE: u64 = 200 << 10;

/// Where trainings before this one are kept.
const EARLIER: &str = "earlier";

/// How deep and how many files are looked at.
const DEPTH: u32 = 3;
const MOST: usize = 50_000;

/// A file of the training.
struct Found {
    path: PathBuf,
    name: String,
    folder: String,
    bytes: u64,
    changed: SystemTime,
}

impl Found {
    fn ends_with(&self, ending: &str) -> bool {
        self.name.to_ascii_lowercase().ends_with(ending)
    }

    fn is_checkpoint(&self) -> bool {
        self.folder.ends_with("checkpoints") || self.name.starts_with("ckpt")
    }
}

/// What the folder has.
pub(crate) fn look(folder: &str) -> Result<DcganRun, String> {
    if !folder.starts_with('/') {
        return Err(format!("`{}` is not an absolute path", short(folder)));
    }
    let mut files = Vec::new();
    gather(Path::new(folder), 0, &mut files)
        .map_err(|error| format!("looking into {folder}: {error}"))?;
    // The last of several is the newest.
    files.sort_by(|a, b| (a.changed, &a.path).cmp(&(b.changed, &b.path)));
    let newest = |ending: &str| files.iter().rev().find(|file| file.ends_with(ending));
    let metrics = files.iter().rev().find(|file| file.name == "metrics.jsonl");
    let mut checkpoints: Vec<String> = files
        .iter()
        .filter(|file| file.is_checkpoint())
        .map(|file| file.name.clone())
        .collect();
    checkpoints.sort();
    let small = |file: &&Found| file.ends_with(".png") && file.bytes <= PICTURE;
    Ok(DcganRun {
        metrics: metrics.map_or_else(|| Ok(Vec::new()), |file| last_lines(&file.path))?,
        checkpoints,
        gif_bytes: newest(".gif").map(|file| file.bytes),
        picture: files
            .iter()
            .rev()
            .find(small)
            .and_then(|file| picture(&file.path)),
    })
}

fn gather(folder: &Path, depth: u32, files: &mut Vec<Found>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)?.flatten() {
        let Ok(data) = entry.metadata() else {
            continue;
        };
        if data.is_dir() && entry.file_name() == EARLIER {
            continue;
        }
        if data.is_dir() && depth < DEPTH {
            // One that is not for us, or went away meanwhile, has nothing for us.
            let _ = gather(&entry.path(), depth + 1, files);
        } else if data.is_file() && files.len() < MOST {
            files.push(Found {
                path: entry.path(),
                name: entry.file_name().to_string_lossy().into_owned(),
                folder: folder
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                bytes: data.len(),
                changed: data.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            });
        }
    }
    Ok(())
}

/// The newest lines. The first is left out where it may have been cut.
fn last_lines(path: &Path) -> Result<Vec<String>, String> {
    let read = || -> std::io::Result<(Vec<u8>, bool)> {
        let mut file = File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(TAIL);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok((bytes, start > 0))
    };
    let (bytes, cut) = read().map_err(|error| format!("reading {}: {error}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().skip(usize::from(cut)).collect();
    let from = lines.len().saturating_sub(LINES);
    Ok(lines[from..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect())
}

fn picture(path: &Path) -> Option<String> {
    let bytes = Root::new(Path::new("/"))
        .bytes(path.to_str()?, PICTURE)
        .ok()?;
    let is_png = bytes.starts_with(b"\x89PNG\r\n\x1a\n");
    is_png.then(|| STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_training_is_read_from_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("checkpoints")).unwrap();
        std::fs::create_dir(at("images")).unwrap();
        std::fs::create_dir_all(at("earlier/0001/checkpoints")).unwrap();
        std::fs::write(at("earlier/0001/checkpoints/ckpt-45.npz"), "").unwrap();
        let lines: String = (0..2500)
            .map(|epoch| format!("{{\"epoch\":{epoch}}}\n"))
            .collect();
        std::fs::write(at("metrics.jsonl"), lines).unwrap();
        for name in [
            "checkpoints/ckpt-15.index",
            "checkpoints/ckpt-30.index",
            "ckpt-1",
            "dcgan.gif",
        ] {
            std::fs::write(at(name), "GIF89a").unwrap();
        }
        std::fs::write(at("images/a.png"), b"\x89PNG\r\n\x1a\nsmall").unwrap();
        std::fs::write(at("images/b.png"), vec![0; 300 << 10]).unwrap();
        let run = look(folder.path().to_str().unwrap()).unwrap();
        assert_eq!(run.metrics.len(), 2000);
        assert_eq!(run.metrics[1999], "{\"epoch\":2499}");
        assert_eq!(
            run.checkpoints,
            ["ckpt-1", "ckpt-15.index", "ckpt-30.index"]
        );
        assert_eq!(run.gif_bytes, Some(6));
        assert_eq!(
            run.picture,
            Some(STANDARD.encode(b"\x89PNG\r\n\x1a\nsmall"))
        );
    }

    #[test]
    fn a_file_that_is_too_long_gives_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let long = "x".repeat(5 << 20);
        std::fs::write(&path, format!("{long}\nlast\n")).unwrap();
        assert_eq!(last_lines(&path).unwrap(), ["last"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_said() {
        assert!(
            look("/nowhere/at/all")
                .unwrap_err()
                .contains("/nowhere/at/all")
        );
        assert!(look("relative").is_err());
    }
}
