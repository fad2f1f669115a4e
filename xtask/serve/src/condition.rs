//! Whether a request's conditions hold (RFC 9110, section 13), and which bytes it gets.

use crate::date;
use crate::range::{self, Span};
use crate::request::{Method, Request};

/// What is compared with: of the thing that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validators<'a> {
    /// The strong entity tag, with its quotes.
    pub(crate) tag: &'a str,
    /// When it was modified, in seconds since 1970.
    pub(crate) modified: u64,
    /// Its length in bytes.
    pub(crate) len: u64,
}

/// What a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All of it.
    Whole,
    /// These parts of it.
    Parts(Vec<Span>),
    /// It has it already: 304.
    NotModified,
    /// It wanted another one: 412.
    Failed,
    /// No such range: 416.
    NoRange,
}

/// Judges in the order of section 13.2.2.
pub(crate) fn judge(request: &Request, held: Validators<'_>) -> Verdict {
    match (
        &request.if_match,
        request.if_unmodified_since.as_deref().and_then(date::read),
    ) {
        (Some(tags), _) if !has(tags, held.tag, false) => return Verdict::Failed,
        (None, Some(date)) if held.modified > date => return Verdict::Failed,
        _ => {}
    }
    match (
        &request.if_none_match,
        request.if_modified_since.as_deref().and_then(date::read),
    ) {
        (Some(tags), _) if has(tags, held.tag, true) => return Verdict::NotModified,
        (None, Some(date)) if held.modified <= date => return Verdict::NotModified,
        _ => {}
    }
    // A range has a meaning for GET alone (section 14.2).
    match &request.range {
        Some(value) if request.method == Method::Get && still(request, held) => {
            match range::spans(value, held.len) {
                Ok(Some(spans)) => Verdict::Parts(spans),
                Ok(None) => Verdict::Whole,
                Err(range::Refused) => Verdict::NoRange,
            }
        }
        _ => Verdict::Whole,
    }
}

/// Whether `If-Range` lets the range count: the same tag, or the very same date.
fn still(request: &Request, held: Validators<'_>) -> bool {
    match request.if_range.as_deref().map(str::trim) {
        None => true,
        Some(tag) if tag.starts_with('"') => tag == held.tag,
        Some(date) => date::read(date) == Some(held.modified),
    }
}

/// Whether a list of tags has this one. A weak tag counts only where the comparison is weak.
fn has(list: &str, tag: &str, weak: bool) -> bool {
    let plain = |one: &str| match weak {
        true => one.strip_prefix("W/").unwrap_or(one) == tag,
        false => one == tag,
    };
    // Tags of this server have no comma in them, so none is cut in two.
    list.trim() == "*" || list.split(',').map(str::trim).any(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: Validators<'static> = Validators {
        tag: "\"a-1\"",
        modified: 784_111_777,
        len: 100,
    };
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn of(fields: &[(&str, &str)]) -> Verdict {
        let mut text = "GET / HTTP/1.1\r\nHost: localhost\r\n".to_owned();
        for (name, value) in fields {
            text += &format!("{name}: {value}\r\n");
        }
        let (request, _) = crate::read_request(format!("{text}\r\n").as_bytes())
            .unwrap()
            .unwrap();
        judge(&request, HELD)
    }

    #[test]
    fn a_copy_that_is_still_good_is_not_sent_again() {
        assert_eq!(
            of(&[("If-None-Match", "\"x\", W/\"a-1\"")]),
            Verdict::NotModified
        );
        assert_eq!(of(&[("If-None-Match", "*")]), Verdict::NotModified);
        assert_eq!(of(&[("If-Modified-Since", THEN)]), Verdict::NotModified);
        assert_eq!(of(&[("If-Modified-Since", BEFORE)]), Verdict::Whole);
        let both = [("If-None-Match", "\"x\""), ("If-Modified-Since", THEN)];
        assert_eq!(of(&both), Verdict::Whole);
    }

    #[test]
    fn another_image_than_the_wanted_one_is_not_sent() {
        assert_eq!(of(&[("If-Match", "\"x\"")]), Verdict::Failed);
        assert_eq!(of(&[("If-Match", "W/\"a-1\"")]), Verdict::Failed);
        assert_eq!(of(&[("If-Match", "\"a-1\"")]), Verdict::Whole);
        assert_eq!(of(&[("If-Unmodified-Since", BEFORE)]), Verdict::Failed);
        assert_eq!(of(&[("If-Unmodified-Since", THEN)]), Verdict::Whole);
    }

    #[test]
    fn a_download_goes_on_only_with_the_same_image() {
        let part = Verdict::Parts(vec![Span { start: 50, len: 50 }]);
        let with = |tag| of(&[("Range", "bytes=50-"), ("If-Range", tag)]);
        assert_eq!(of(&[("Range", "bytes=50-")]), part);
        assert_eq!(with("\"a-1\""), part);
        assert_eq!(with(THEN), part);
        for other in ["\"x\"", "W/\"a-1\"", BEFORE, "nonsense"] {
            assert_eq!(with(other), Verdict::Whole, "{other}");
        }
        assert_eq!(of(&[("Range", "bytes=100-")]), Verdict::NoRange);
    }
}
