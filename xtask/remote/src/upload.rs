//! A file put on the other side: whole and right, or not there.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::command::{Output, quote};
use crate::connection::Connection;
use crate::error::RunError;
use crate::privilege::Sudo;

/// Writes to a name beside the target's, checks what arrived, and renames. The file has its
/// mode before it has its name. PIPE is ignored, because when the line is cut the shell's own
/// message about it has nowhere to go, and that must not keep it from tidying up. Whatever ends it, the name beside goes away, except by KILL:
/// hence it is a fixed one, which the next upload takes over.
const RECEIVE: &str = r#"
set -eu
umask 077
partial=$target.partial
trap 'rm -f -- "$partial"' EXIT
trap 'exit 1' HUP INT TERM
trap '' PIPE
rm -f -- "$partial"
set -C
cat >"$partial"
got=$(wc -c <"$partial")
if [ "$got" -ne "$length" ]; then
  echo "$got of $length bytes arrived" >&2
  exit 1
fi
sum=$(sha256sum <"$partial")
if [ "${sum%% *}" != "$sha256" ]; then
  echo "the sha256 is ${sum%% *}, expected $sha256" >&2
  exit 1
fi
chmod "$mode" "$partial"
mv -fT -- "$partial" "$target""#;

impl Connection {
    /// Puts `bytes` at `path` with `mode`. The folder must be there. A reader sees the old
    /// file or the new one, never a part.
    ///
    /// # Errors
    ///
    /// As [`Connection::run`], and when the machine could not write it: its own words say why.
    pub fn upload(
        &mut self,
        bytes: &[u8],
        path: &str,
        mode: u32,
        limit: Duration,
    ) -> Result<(), RunError> {
        let done = self.run(&receive(bytes, path, mode), bytes, limit)?;
        judge(&done, path)
    }
}

impl Sudo<'_> {
    /// As [`Connection::upload`], as root.
    ///
    /// # Errors
    ///
    /// As [`Connection::upload`].
    pub fn upload(
        &mut self,
        bytes: &[u8],
        path: &str,
        mode: u32,
        limit: Duration,
    ) -> Result<(), RunError> {
        let done = self.run(&receive(bytes, path, mode), bytes, limit)?;
        judge(&done, path)
    }
}

fn receive(bytes: &[u8], path: &str, mode: u32) -> String {
    format!(
        "target={} length={} sha256={} mode={mode:o}\n{RECEIVE}",
        quote(path),
        bytes.len(),
        hex::encode(Sha256::digest(bytes))
    )
}

fn judge(done: &Output, path: &str) -> Result<(), RunError> {
    if done.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(RunError::Refused {
        command: format!("writing {path}"),
        problem: format!(
            "{}; is there room, and may this user write there?",
            said.trim()
        ),
    })
}
