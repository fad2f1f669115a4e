//! A .deb from inside (deb(5)): an archive of ar(5) with `debian-binary`, `control.tar` and
//! `data.tar`, each perhaps compressed by gzip, xz or zstd.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use thiserror::Error;

/// No control file is longer; Debian's longest has some 30 KiB.
const LONGEST_CONTROL: u64 = 4 << 20;
/// No copyright file is longer; Chromium's has some 3 MiB.
const LONGEST_COPYRIGHT: u64 = 16 << 20;
/// How much of an archive is unpacked in search of a file at most.
const LONGEST_ARCHIVE: u64 = 64 << 30;

/// Why a .deb cannot be read.
#[derive(Debug, Error)]
#[error("reading the package {path}: {why}")]
pub struct DebError {
    path: String,
    why: String,
}

/// The control file of a .deb, as it stands in it.
///
/// # Errors
///
/// When the file is no .deb, or its control file is no text.
pub fn control(path: &Path) -> Result<String, DebError> {
    let found = member(path, "control.tar", "control", LONGEST_CONTROL)
        .map_err(|why| failed(path, &why))?;
    let text = found.ok_or_else(|| failed(path, &"it has no control file"))?;
    String::from_utf8(text).map_err(|_| failed(path, &"its control file is no UTF-8 text"))
}

/// `/usr/share/doc/NAME/copyright` of a .deb; none where it has no such file, or a link.
///
/// # Errors
///
/// When the file is no .deb.
pub fn copyright(path: &Path, name: &str) -> Result<Option<String>, DebError> {
    let wanted = format!("usr/share/doc/{name}/copyright");
    let found =
        member(path, "data.tar", &wanted, LONGEST_COPYRIGHT).map_err(|why| failed(path, &why))?;
    Ok(found.map(|text| String::from_utf8_lossy(&text).into_owned()))
}

fn failed(path: &Path, why: &dyn std::fmt::Display) -> DebError {
    DebError {
        path: path.display().to_string(),
        why: why.to_string(),
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A regular file of one of the two archives.
fn member(path: &Path, archive: &str, wanted: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut file = BufReader::new(File::open(path)?);
    let (name, length) = find(&mut file, archive)?;
    let unpacked = unpacked(&name, file.take(length))?;
    let mut archive = tar::Archive::new(unpacked.take(LONGEST_ARCHIVE));
    for entry in archive.entries()? {
        let entry = entry?;
        let here = entry.path_bytes();
        let here = here.strip_prefix(b"./").unwrap_or(&here);
        if here != wanted.as_bytes() {
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Ok(None);
        }
        if entry.size() > most {
            return Err(wrong("a file in it is longer than any such file is"));
        }
        let mut bytes = Vec::new();
        entry.take(most).read_to_end(&mut bytes)?;
        return Ok(Some(bytes));
    }
    Ok(None)
}

/// Goes to the content of the member whose name begins so; says its name and length.
fn find(file: &mut (impl Read + Seek), wanted: &str) -> io::Result<(String, u64)> {
    let mut magic = [0; 8];
    file.read_exact(&mut magic)?;
    if &magic != b"!<arch>\n" {
        return Err(wrong("it is no archive of ar(5)"));
    }
    loop {
        let mut header = [0; 60];
        file.read_exact(&mut header)
            .map_err(|_| wrong(&format!("it has no {wanted}")))?;
        let (name, length) = header_of(&header)?;
        if name.starts_with(wanted) {
            return Ok((name, length));
        }
        let step = i64::try_from(length + length % 2)
            .map_err(|_| wrong("a member has no sound length"))?;
        file.seek(SeekFrom::Current(step))?;
    }
}

/// A member's name and length in bytes (ar(5): name in 16 bytes, length in 10 from byte 48).
fn header_of(header: &[u8; 60]) -> io::Result<(String, u64)> {
    let field = |from: usize, to: usize| {
        let text = header
            .get(from..to)
            .and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.map(str::trim_end)
            .ok_or_else(|| wrong("a member has no sound header"))
    };
    if !header.ends_with(b"`\n") {
        return Err(wrong("a member has no sound header"));
    }
    let name = field(0, 16)?.trim_end_matches('/').to_owned();
    let length = field(48, 58)?
        .parse()
        .map_err(|_| wrong("a member has no sound length"))?;
    Ok((name, length))
}

fn unpacked<'r>(name: &str, packed: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let end = name.rsplit_once(".tar").map_or("", |(_, end)| end);
    Ok(match end {
        "" => Box::new(packed),
        ".gz" => Box::new(flate2::read::GzDecoder::new(packed)),
        ".xz" => Box::new(liblzma::read::XzDecoder::new(packed)),
        ".zst" => {
            let frames = ruzstd::decoding::StreamingDecoder::new(packed);
            Box::new(frames.map_err(|why| wrong(&format!("{name} is no zstd: {why}")))?)
        }
        other => {
            return Err(wrong(&format!(
                "{name} is packed by {other:?}, which no .deb is"
            )));
        }
    })
}
