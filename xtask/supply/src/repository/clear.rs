//! The cleartext signature framework (RFC 9580, section 7), read strictly: a file
//! that is one signed text and its signatures, with nothing before or after.
//!
//! apt's security notes name why: what stands outside of the signed block, or in a
//! second block, was believed by readers that looked for fields in the whole file
//! (CVE-2013-1051). Here only the returned text exists.

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// A text and the signatures over it, not yet verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClearSigned {
    /// The text without dash-escapes and without white space at the ends of its lines,
    /// which is not signed. Every line ends in `\n`.
    pub(super) text: String,
    /// The bytes that are signed: the text with CRLF between its lines (section 7.1).
    pub(super) signed: Vec<u8>,
    /// The armored signatures.
    pub(super) signatures: String,
}

/// Takes a clear-signed file apart.
///
/// # Errors
///
/// Says in words what is not as the framework has it.
pub(super) fn parse(bytes: &[u8]) -> Result<ClearSigned, String> {
    let file = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut lines = file
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line));
    if lines.next() != Some(BEGIN) {
        return Err(format!("it does not begin with {BEGIN}{}", page(file)));
    }
    headers(&mut lines)?;
    let text = text(&mut lines)?;
    let signatures = signatures(&mut lines)?;
    if lines.any(|line| !line.is_empty()) {
        return Err("something stands after the signed block".to_owned());
    }
    Ok(ClearSigned {
        signed: text.join("\r\n").into_bytes(),
        text: text
            .iter()
            .fold(String::new(), |all, line| all + line + "\n"),
        signatures,
    })
}

/// Only `Hash` may stand there (section 7): other headers were used to hide text.
fn headers<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Result<(), String> {
    for line in lines {
        match line.strip_prefix("Hash: ") {
            _ if line.is_empty() => return Ok(()),
            Some(hashes) if hashes.bytes().all(hash_name) => {}
            _ => return Err(format!("its head has the line {:?}", shortened(line))),
        }
    }
    Err("it ends in its head".to_owned())
}

fn hash_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b',' | b' ' | b'-' | b'/')
}

/// The lines up to the signature, dash-escapes undone (section 7.2).
fn text<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Result<Vec<&'a str>, String> {
    let mut text = Vec::new();
    for line in lines {
        if line == SIGNATURE {
            return Ok(text);
        }
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err("its text has control characters in it".to_owned());
        }
        let line = match line.strip_prefix("- ") {
            Some(escaped) => escaped,
            None if line.starts_with('-') => {
                return Err(format!(
                    "its text has the unescaped line {:?}",
                    shortened(line)
                ));
            }
            None => line,
        };
        text.push(line.trim_end_matches([' ', '\t']));
    }
    Err("its text has no signature after it".to_owned())
}

fn signatures<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Result<String, String> {
    let mut armor = format!("{SIGNATURE}\n");
    for line in lines {
        armor = armor + line + "\n";
        if line == END {
            return Ok(armor);
        }
        if line.starts_with('-') {
            break;
        }
    }
    Err(format!("its signature does not end with {END}"))
}

fn shortened(line: &str) -> String {
    line.chars().take(60).collect()
}

fn page(file: &str) -> &'static str {
    match file.trim_start().starts_with('<') {
        true => " (it looks like a web page: a proxy or login portal may have answered)",
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nA: 1 \t\n- - x\n-----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn the_signed_bytes_are_canonical() {
        let read = parse(GOOD.as_bytes()).unwrap();
        assert_eq!(read.signed, b"A: 1\r\n- x");
        assert_eq!(read.text, "A: 1\n- x\n");
        assert!(read.signatures.ends_with(END_LINE));
        let crlf = GOOD.replace('\n', "\r\n");
        assert_eq!(parse(crlf.as_bytes()).unwrap(), read);
    }

    const END_LINE: &str = "abcd\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn nothing_stands_outside_of_the_block() {
        for spoilt in [
            format!("\n{GOOD}"),
            format!("A: 2\n{GOOD}"),
            format!("{GOOD}A: 2\n"),
            format!("{GOOD}{GOOD}"),
            format!("{GOOD}\n{GOOD}"),
            GOOD.replace("Hash: SHA512\n", "Hash: SHA512\nA: 2\n"),
            GOOD.replace("Hash: SHA512", "Hash: SHA512\u{b}x"),
            GOOD.replace("Hash: SHA512\n\n", "Hash: SHA512\n \n"),
            GOOD.replace("- - x", "- x\n-- y"),
            GOOD.replace("- - x", "x\ry"),
            GOOD.replace("- - x", "x\0y"),
            GOOD.replace("abcd\n", "abcd\n-----BEGIN PGP SIGNED MESSAGE-----\n"),
            GOOD.replace(SIGNATURE, "-----BEGIN PGP SIGNATURE----- "),
            "A: 1\n".to_owned(),
            String::new(),
        ] {
            assert!(parse(spoilt.as_bytes()).is_err(), "{spoilt}");
        }
    }

    #[test]
    fn cut_at_every_byte_it_is_refused() {
        let whole = GOOD.trim_end();
        for end in 0..whole.len() {
            assert!(parse(&whole.as_bytes()[..end]).is_err(), "{end}");
        }
        assert!(parse(whole.as_bytes()).is_ok());
    }
}
