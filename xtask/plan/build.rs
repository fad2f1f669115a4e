//! Lists the files of the DCGAN package, so that they are part of the program and nobody
//! keeps a list of them by hand: `images/dcgan/dcgan` and the wheels beside it.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../images/dcgan");
    let root = root
        .canonicalize()
        .map_err(|error| format!("looking for {}: {error}", root.display()))?;
    let mut files = Vec::new();
    for folder in ["dcgan", "wheels"] {
        gather(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut text = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&root)?;
        let (name, place) = (text_of(name)?, text_of(file)?);
        writeln!(text, "    ({name:?}, include_bytes!({place:?})),")?;
    }
    text.push(']');
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    fs::write(out.join("dcgan_package.rs"), text)?;
    Ok(())
}

/// All files of a folder, without what Python and editors leave behind.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    // A file that comes or goes changes its folder.
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries =
        fs::read_dir(folder).map_err(|error| format!("reading {}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name == "__pycache__" {
            continue;
        }
        match path.is_dir() {
            true => gather(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

fn text_of(path: &Path) -> Result<&str, String> {
    path.to_str()
        .ok_or_else(|| format!("{} is no UTF-8", path.display()))
}
