//! Memory that direct I/O takes: it must begin at a multiple of the device's sector (open(2),
//! O_DIRECT).

/// Enough for every sector size there is, in bytes.
pub(crate) const ALIGNMENT: usize = 4096;

/// Bytes that begin at a multiple of [`ALIGNMENT`].
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// Zeros.
    pub(crate) fn zeroed(len: usize) -> Self {
        let bytes = vec![0; len + ALIGNMENT];
        // A Vec that is moved keeps its place on the heap, so the offset stays true.
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { bytes, start, len }
    }

    /// Zeros of another length, in the same memory where it suffices.
    pub(crate) fn resized(mut self, len: usize) -> Self {
        if len + ALIGNMENT > self.bytes.len() {
            return Self::zeroed(len);
        }
        self.len = len;
        self
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes
            .get(self.start..self.start + self.len)
            .unwrap_or_default()
    }

    /// The bytes, to be changed.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes
            .get_mut(self.start..self.start + self.len)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_where_direct_io_wants_it() {
        for len in [0, 1, 512, 4096, 70_000] {
            let mut buffer = Buffer::zeroed(len);
            assert_eq!(buffer.bytes().as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!(buffer.bytes_mut().len(), len);
            let buffer = buffer.resized(len / 2);
            assert_eq!(buffer.bytes().as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!(buffer.resized(90_000).bytes().len(), 90_000);
        }
    }
}
