//! Private key files: what they are, before libssh2 reads them.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::key::PublicKey;

/// A private key file, read but not opened.
pub(crate) struct Identity {
    pub(crate) path: PathBuf,
    pub(crate) text: Zeroizing<String>,
    pub(crate) encrypted: bool,
    /// From the file itself, else from the file with `.pub` beside it.
    pub(crate) public: Option<PublicKey>,
}

impl Identity {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let text = Zeroizing::new(text);
        if !text.contains("PRIVATE KEY-----") {
            return Err("this is no private key file".into());
        }
        let inner = openssh_header(&text);
        let encrypted = match &inner {
            Some((cipher, _)) => cipher != "none",
            None => text.contains("ENCRYPTED"),
        };
        let public = inner
            .and_then(|(_, public)| public)
            .or_else(|| public_beside(path));
        Ok(Self {
            path: path.to_owned(),
            text,
            encrypted,
            public,
        })
    }
}

/// The public half of the key at `path`, without reading the private one.
pub(crate) fn public_beside(path: &Path) -> Option<PublicKey> {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    fs::read_to_string(name).ok()?.parse().ok()
}

/// The cipher and the public key of OpenSSH's own format (PROTOCOL.key).
fn openssh_header(text: &str) -> Option<(String, Option<PublicKey>)> {
    let body = text.split_once("-----BEGIN OPENSSH PRIVATE KEY-----")?.1;
    let body = body.split_once("-----END")?.0;
    let body = Zeroizing::new(body.split_whitespace().collect::<String>());
    let bytes = Zeroizing::new(STANDARD.decode(body.as_bytes()).ok()?);
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = String::from_utf8(field(&mut rest)?.to_owned()).ok()?;
    let (_kdf, _options) = (field(&mut rest)?, field(&mut rest)?);
    let (_count, mut rest) = rest.split_first_chunk::<4>()?;
    let public = field(&mut rest).and_then(|blob| PublicKey::from_blob(blob).ok());
    Some((cipher, public))
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (field, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(field)
}
