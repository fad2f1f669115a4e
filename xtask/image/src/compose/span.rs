//! An image as runs of bytes, in order.

use crate::layout::Plan;

/// A run of bytes of the new image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// The base's bytes from `from` on, with the plan's patches over them.
    Base { from: u64, at: u64, len: u64 },
    /// A part of the tail, by its place in the plan, filled up with zeros.
    Part { index: usize, at: u64, len: u64 },
    /// Zeros.
    Zero { at: u64, len: u64 },
}

impl Span {
    pub(super) fn at(&self) -> u64 {
        match *self {
            Self::Base { at, .. } | Self::Part { at, .. } | Self::Zero { at, .. } => at,
        }
    }

    pub(super) fn len(&self) -> u64 {
        match *self {
            Self::Base { len, .. } | Self::Part { len, .. } | Self::Zero { len, .. } => len,
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.at() + self.len()
    }
}

/// All of the image, without gaps.
pub(super) fn spans(plan: &Plan<'_>) -> Vec<Span> {
    let layout = &plan.layout;
    let head = plan.base_len.min(layout.tail_start);
    let mut spans = vec![Span::Base {
        from: 0,
        at: 0,
        len: head,
    }];
    let mut at = head;
    let zero_to = |spans: &mut Vec<Span>, at: u64, to: u64| {
        if to > at {
            spans.push(Span::Zero { at, len: to - at });
        }
    };
    for (index, part) in plan.parts.iter().enumerate() {
        zero_to(&mut spans, at, part.offset);
        let len = part.end() - part.offset;
        spans.push(Span::Part {
            index,
            at: part.offset,
            len,
        });
        at = part.end();
    }
    let tail_end = layout.tail_start + layout.tail_len;
    zero_to(&mut spans, at, tail_end);
    if plan.base_len > layout.tail_start {
        spans.push(Span::Base {
            from: layout.tail_start,
            at: tail_end,
            len: plan.base_len - layout.tail_start,
        });
    }
    spans
}

/// Whether a patch touches the bytes from `at` to `end`.
pub(super) fn is_patched(patches: &[(u64, Vec<u8>)], at: u64, end: u64) -> bool {
    patches
        .iter()
        .any(|(offset, bytes)| *offset < end && offset + bytes.len() as u64 > at)
}

/// Puts the patches that touch `at..` over a buffer.
pub(super) fn overlay(patches: &[(u64, Vec<u8>)], at: u64, buffer: &mut [u8]) {
    let end = at + buffer.len() as u64;
    for (offset, bytes) in patches {
        let (from, to) = ((*offset).max(at), (offset + bytes.len() as u64).min(end));
        if from >= to {
            continue;
        }
        let source = bytes.get((from - offset) as usize..(to - offset) as usize);
        let target = buffer.get_mut((from - at) as usize..(to - at) as usize);
        if let (Some(source), Some(target)) = (source, target) {
            target.copy_from_slice(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_cut_to_the_buffer() {
        let patches = [(10, vec![1; 10]), (30, vec![2; 2])];
        let mut buffer = [0; 8];
        assert!(is_patched(&patches, 15, 23));
        overlay(&patches, 15, &mut buffer);
        assert_eq!(buffer, [1, 1, 1, 1, 1, 0, 0, 0]);
        assert!(!is_patched(&patches, 20, 28));
        overlay(&patches, 20, &mut buffer);
        assert_eq!(buffer, [1, 1, 1, 1, 1, 0, 0, 0]);
        overlay(&patches, 24, &mut buffer);
        assert_eq!(buffer, [1, 1, 1, 1, 1, 0, 2, 2]);
    }
}
