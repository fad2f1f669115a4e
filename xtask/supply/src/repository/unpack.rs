//! xz (the .xz file format 1.2.1) and gzip (RFC 1952), up to an announced size and
//! not a byte further.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use crate::refusal::Refusal;

/// What liblzma may allocate, in bytes. `xz -9` needs 65 MiB.
const XZ_MEMORY: u64 = 128 << 20;

/// How a list is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Xz,
    Gzip,
    None,
}

impl Packing {
    /// In the order in which they are preferred.
    pub(super) const ALL: [Self; 3] = [Self::Xz, Self::Gzip, Self::None];

    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Xz => ".xz",
            Self::Gzip => ".gz",
            Self::None => "",
        }
    }

    /// Unpacks what must come to exactly `size` bytes where that is known, to at most
    /// `most` otherwise.
    pub(super) fn unpack(
        self,
        packed: Vec<u8>,
        size: Option<u64>,
        most: u64,
    ) -> Result<Vec<u8>, Refusal> {
        let expected = size.unwrap_or(most);
        let failed = |why: String| Refusal::Decompression { expected, why };
        let unpacked = match self {
            Self::None => packed,
            Self::Gzip => read(MultiGzDecoder::new(&packed[..]), expected).map_err(failed)?,
            Self::Xz => {
                let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)
                    .map_err(|error| failed(error.to_string()))?;
                read(XzDecoder::new_stream(&packed[..], stream), expected).map_err(failed)?
            }
        };
        match size {
            Some(size) if size != unpacked.len() as u64 => Err(failed(format!(
                "only {} bytes come out of it",
                unpacked.len()
            ))),
            _ => Ok(unpacked),
        }
    }
}

fn read(reader: impl Read, expected: u64) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    reader
        .take(expected.saturating_add(1))
        .read_to_end(&mut unpacked)
        .map_err(|error| error.to_string())?;
    match unpacked.len() as u64 > expected {
        true => Err("more comes out of it".to_owned()),
        false => Ok(unpacked),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::write::GzEncoder;
    use liblzma::write::XzEncoder;

    use super::*;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = XzEncoder::new(Vec::new(), 9);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_packed_comes_out_at_its_size_alone() {
        let bytes = b"Package: a\n".repeat(1000);
        let size = bytes.len() as u64;
        let packed = [
            (Packing::Gzip, gz(&bytes)),
            (Packing::Xz, xz(&bytes)),
            (Packing::None, bytes.clone()),
        ];
        for (packing, packed) in packed {
            assert_eq!(
                packing.unpack(packed.clone(), Some(size), 0),
                Ok(bytes.clone())
            );
            for wrong in [0, size - 1, size + 1] {
                assert!(
                    packing.unpack(packed.clone(), Some(wrong), 0).is_err(),
                    "{packing:?} {wrong}"
                );
            }
        }
    }

    /// 64 MiB of zeros in some kilobytes: no more than the announced size comes out.
    #[test]
    fn bombs_stop_at_the_announced_size() {
        let zeros = vec![0; 64 << 20];
        for (packing, packed) in [(Packing::Gzip, gz(&zeros)), (Packing::Xz, xz(&zeros))] {
            assert!(packed.len() < 100 << 10, "{}", packed.len());
            let error = packing
                .unpack(packed, Some(1000), 0)
                .unwrap_err()
                .to_string();
            assert!(error.contains("more comes out"), "{error}");
        }
    }

    /// One byte of a block's header announces the dictionary, up to 4 GiB.
    #[test]
    fn a_greedy_dictionary_is_refused_before_it_is_allocated() {
        let options = {
            let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
            options.dict_size(256 << 20);
            options
        };
        let mut filters = liblzma::stream::Filters::new();
        filters.lzma2(&options);
        let stream = Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc64).unwrap();
        let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(b"Package: a\n").unwrap();
        let packed = encoder.finish().unwrap();
        let error = Packing::Xz
            .unpack(packed, Some(11), 0)
            .unwrap_err()
            .to_string();
        assert!(error.to_lowercase().contains("mem"), "{error}");
    }

    #[test]
    fn cut_and_spoilt_files_are_refused_and_do_not_panic() {
        let bytes = b"Package: a\nVersion: 1\n".repeat(20);
        let size = bytes.len() as u64;
        for (packing, packed) in [(Packing::Gzip, gz(&bytes)), (Packing::Xz, xz(&bytes))] {
            for at in 0..packed.len() {
                assert!(
                    packing
                        .unpack(packed[..at].to_vec(), Some(size), 0)
                        .is_err()
                );
                let mut spoilt = packed.clone();
                spoilt[at] ^= 0x55;
                let _ = packing.unpack(spoilt, Some(size), 0);
            }
        }
    }
}
