//! TensorFlow's releases: the GPUs that their wheels have code for (`data/tensorflow.toml`).

use crate::{Catalog, ComputeCapability, Date, DottedVersion, Meta};
use serde::{Deserialize, Serialize};

/// A TensorFlow release, as its Linux wheel with CUDA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorFlow {
    /// Its version.
    pub version: DottedVersion,
    /// The capabilities that it has machine code for, lowest first.
    pub code: Vec<ComputeCapability>,
    /// The capability of the intermediate code (PTX) in it, which the driver
    /// compiles for any GPU from there on; none where that was not looked up.
    pub ptx: Option<ComputeCapability>,
    /// The cuDNN version that it was built against: exact where `cudnn_exact`, else the least.
    pub cudnn: DottedVersion,
    /// Whether the wheel pins cuDNN to exactly that version.
    pub cudnn_exact: bool,
}

impl TensorFlow {
    /// Whether it runs on a GPU of that capability: it has machine code for it,
    /// or intermediate code that the driver can compile.
    #[must_use]
    pub fn runs_on(&self, gpu: ComputeCapability) -> bool {
        let native = self.code.iter().any(|code| gpu.runs_code_for(*code));
        native || self.ptx.is_some_and(|ptx| gpu >= ptx)
    }
}

/// `data/tensorflow.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TensorFlowFile {
    meta: Meta,
    /// The first cuDNN version without code for older GPUs.
    cudnn_cut: DottedVersion,
    /// The lowest capability that cuDNN has code for since then.
    pub(crate) cudnn_floor: ComputeCapability,
    release: Vec<TensorFlow>,
}

impl Catalog {
    /// TensorFlow's releases that are known, oldest first.
    #[must_use]
    pub fn tensorflow_releases(&self) -> &[TensorFlow] {
        &self.tensorflow_file().release
    }

    /// What is known of a version of TensorFlow. A release that is not listed
    /// itself, such as 2.19.0, is taken for the listed one of its series.
    #[must_use]
    pub fn tensorflow(&self, version: DottedVersion) -> Option<&TensorFlow> {
        let releases = self.tensorflow_releases();
        let exact = releases.iter().find(|one| one.version == version);
        let series = |one: &&TensorFlow| {
            (one.version.major(), one.version.minor()) == (version.major(), version.minor())
        };
        exact.or_else(|| releases.iter().find(series))
    }

    /// The lowest capability that a version of cuDNN has code for, where it cut the older ones off.
    #[must_use]
    pub fn cudnn_floor(&self, cudnn: DottedVersion) -> Option<ComputeCapability> {
        let file = self.tensorflow_file();
        (cudnn >= file.cudnn_cut).then_some(file.cudnn_floor)
    }

    /// Where the facts about TensorFlow are from, and when they were looked up.
    #[must_use]
    pub fn tensorflow_source(&self) -> (&str, Date) {
        let meta = &self.tensorflow_file().meta;
        (&meta.source, meta.date)
    }
}
