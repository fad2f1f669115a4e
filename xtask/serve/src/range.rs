//! Which bytes a request asks for (RFC 9110, section 14).

/// The ranges that one request may ask for.
pub const MAX_RANGES: usize = 16;

/// A run of bytes of what is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins, in bytes.
    pub start: u64,
    /// Its length in bytes, never 0 for a range.
    pub len: u64,
}

impl Span {
    /// The byte behind the last one.
    #[must_use]
    pub fn end(self) -> u64 {
        self.start.saturating_add(self.len)
    }
}

/// The ranges are answered with 416: they are malformed, lie outside, overlap, or are too
/// many. RFC 9110, section 15.5.17, leaves that to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// Reads the value of `Range` for something of `len` bytes. `None` where the unit is not
/// bytes: such a field is ignored.
///
/// A range that begins behind the end is left out, unless it is the only one; one that ends
/// there is cut.
///
/// # Errors
///
/// [`Refused`], never a guess: whoever gets all of an image for a range that was meant to be
/// small waits for gigabytes.
pub fn spans(value: &str, len: u64) -> Result<Option<Vec<Span>>, Refused> {
    let (unit, set) = value.split_once('=').ok_or(Refused)?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ok(None);
    }
    let mut found = Vec::new();
    // Empty places between commas are allowed (section 5.6.1.2).
    let parts = set.split(',').map(|part| part.trim_matches([' ', '\t']));
    for (count, part) in parts.filter(|part| !part.is_empty()).enumerate() {
        if count >= MAX_RANGES {
            return Err(Refused);
        }
        found.extend(span(part, len)?);
    }
    match found.is_empty() || overlap(&found) {
        true => Err(Refused),
        false => Ok(Some(found)),
    }
}

/// One range: `first-last`, `first-` or `-length`. `None` where it lies outside.
fn span(part: &str, len: u64) -> Result<Option<Span>, Refused> {
    let (first, last) = part.split_once('-').ok_or(Refused)?;
    let (start, end) = match (number(first)?, number(last)?) {
        (None, None) => return Err(Refused),
        (None, Some(suffix)) => (len.saturating_sub(suffix), len),
        (Some(first), None) => (first, len),
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(len)),
        (Some(_), Some(_)) => return Err(Refused),
    };
    Ok((start < end).then(|| Span {
        start,
        len: end - start,
    }))
}

/// A number of decimal digits. One that no 64 bits hold is the largest: it lies behind every
/// end, and so does that.
fn number(text: &str) -> Result<Option<u64>, Refused> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true if text.is_empty() => Ok(None),
        true => Ok(Some(text.parse().unwrap_or(u64::MAX))),
        false => Err(Refused),
    }
}

fn overlap(spans: &[Span]) -> bool {
    let mut sorted = spans.to_vec();
    sorted.sort_by_key(|span| span.start);
    let mut pairs = sorted.iter().zip(sorted.iter().skip(1));
    pairs.any(|(one, next)| one.end() > next.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str, len: u64) -> Result<Option<Vec<(u64, u64)>>, Refused> {
        let pairs = |all: Vec<Span>| all.iter().map(|one| (one.start, one.len)).collect();
        Ok(spans(value, len)?.map(pairs))
    }

    #[test]
    fn ranges_are_read_as_the_standard_has_them() {
        assert_eq!(of("bytes=0-499", 10_000), Ok(Some(vec![(0, 500)])));
        assert_eq!(of("bytes=-500", 10_000), Ok(Some(vec![(9500, 500)])));
        assert_eq!(of("bytes=9500-", 10_000), Ok(Some(vec![(9500, 500)])));
        assert_eq!(
            of("bytes=0-0,-1", 10_000),
            Ok(Some(vec![(0, 1), (9999, 1)]))
        );
        assert_eq!(of("BYTES= 0-1 , ,4-5,", 10), Ok(Some(vec![(0, 2), (4, 2)])));
        assert_eq!(of("bytes=-99999", 10), Ok(Some(vec![(0, 10)])));
        assert_eq!(of("bytes=3-99", 10), Ok(Some(vec![(3, 7)])));
        assert_eq!(of("bytes=0-1,50-", 10), Ok(Some(vec![(0, 2)])));
        let huge = "bytes=0-99999999999999999999999";
        assert_eq!(of(huge, 10), Ok(Some(vec![(0, 10)])));
    }

    #[test]
    fn another_unit_is_ignored() {
        assert_eq!(of("lines=1-2", 10), Ok(None));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=,",
            "bytes=a-b",
            "bytes=5",
            "bytes=5-2",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=0x1-2",
            "bytes=10-",
            "bytes=-0",
            "bytes=1-2-3",
            "bytes=99999999999999999999999-",
            "bytes=0-5,3-8",
            "bytes=0-,-1",
        ] {
            assert_eq!(of(value, 10), Err(Refused), "{value}");
        }
        assert_eq!(of("bytes=0-", 0), Err(Refused));
        let many: Vec<String> = (0..=MAX_RANGES).map(|at| format!("{at}-{at}")).collect();
        assert_eq!(of(&format!("bytes={}", many.join(",")), 100), Err(Refused));
    }
}
