//! `SHA256SUMS`, as coreutils' `sha256sum` writes it (its manual, section "cksum
//! output modes"): a digest, a space, a space or `*`, and the name.

use crate::Digest;

/// The digest that the list gives for `name`; `None` where it does not name it.
///
/// # Errors
///
/// A list that gives two digests for one name says nothing.
pub(crate) fn lookup(list: &[u8], name: &str) -> Result<Option<Digest>, String> {
    let mut found = None;
    for line in list.split(|byte| *byte == b'\n') {
        let Some(digest) = digest_for(line, name) else {
            continue;
        };
        match found {
            Some(other) if other != digest => {
                return Err(format!(
                    "it gives two digests for {name}: {other} and {digest}"
                ));
            }
            _ => found = Some(digest),
        }
    }
    Ok(found)
}

fn digest_for(line: &[u8], name: &str) -> Option<Digest> {
    let line = std::str::from_utf8(line).ok()?.trim_end_matches('\r');
    let (digest, listed) = line.split_once(' ')?;
    let listed = listed.strip_prefix(['*', ' '])?;
    if listed.strip_prefix("./").unwrap_or(listed) != name {
        return None;
    }
    digest.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_binary_lines_are_read() {
        let [a, b] = [Digest::of(b"a"), Digest::of(b"b")];
        let list = format!("{a} *x.iso\r\n{b}  y.iso\nrubbish\n{b} *x.iso.zsync\n\u{fffd}\n");
        assert_eq!(lookup(list.as_bytes(), "x.iso"), Ok(Some(a)));
        assert_eq!(lookup(list.as_bytes(), "y.iso"), Ok(Some(b)));
        assert_eq!(lookup(list.as_bytes(), "z.iso"), Ok(None));
        assert_eq!(lookup(&[0xff; 100], "z.iso"), Ok(None));
        let one_space = format!("{a} x.iso\n");
        assert_eq!(lookup(one_space.as_bytes(), "x.iso"), Ok(None));
    }

    #[test]
    fn two_digests_for_one_name_are_refused() {
        let [a, b] = [Digest::of(b"a"), Digest::of(b"b")];
        assert!(lookup(format!("{a} *x\n{b} *x\n").as_bytes(), "x").is_err());
        assert_eq!(
            lookup(format!("{a} *x\n{a}  x\n").as_bytes(), "x"),
            Ok(Some(a))
        );
    }
}
