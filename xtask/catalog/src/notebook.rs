//! The Jupyter project's notebook image with TensorFlow and CUDA: which GPUs a
//! tag can use (`data/notebooks.toml`).

use crate::{Catalog, ComputeCapability, Date, DottedVersion, Meta, Sha256};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A tag of the notebook image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotebookImage {
    /// The repository, like `quay.io/jupyter/tensorflow-notebook`.
    pub repository: String,
    /// The tag, like `cuda-2025-07-14`.
    pub tag: String,
    /// The digest it stood for, where that is known.
    pub digest: Option<Sha256>,
    /// Whether it has CUDA at all.
    pub cuda: bool,
    /// Whether the tag stands for something else from week to week.
    pub moving: bool,
    /// The day it was built, where the tag says so.
    pub built: Option<Date>,
    /// The TensorFlow in it, where that is known.
    pub tensorflow: Option<DottedVersion>,
}

/// Why an image cannot use a GPU, or why nobody can say that it will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
#[non_exhaustive]
pub enum Reason {
    /// The image has no CUDA.
    NoCuda,
    /// TensorFlow has no code for the GPU.
    NoCode {
        /// The TensorFlow in the image.
        tensorflow: DottedVersion,
        /// The GPU's capability.
        gpu: ComputeCapability,
        /// What TensorFlow has code for.
        code: Vec<ComputeCapability>,
    },
    /// The cuDNN that was newest when the image was built has no code for the GPU.
    NoCudnnCode {
        /// The GPU's capability.
        gpu: ComputeCapability,
        /// The lowest capability that has code.
        floor: ComputeCapability,
        /// Images built before this day still resolved an older cuDNN.
        built_before: Date,
    },
    /// The tag moves, and what it stands for today may have no code for the GPU.
    MovingTag {
        /// The GPU's capability.
        gpu: ComputeCapability,
        /// The lowest capability that today's cuDNN has code for.
        floor: ComputeCapability,
    },
    /// The TensorFlow that was newest when the image was built has no code for the GPU.
    NoDatedCode {
        /// The GPU's capability.
        gpu: ComputeCapability,
        /// The lowest capability that has code.
        floor: ComputeCapability,
        /// Images built since this day resolve such a TensorFlow.
        since: Date,
    },
    /// Nothing is known of what is in this image.
    Unknown,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCuda => {
                f.write_str("the image has no CUDA: choose a tag that starts with `cuda-`")
            }
            Self::NoCode {
                tensorflow,
                gpu,
                code,
            } => {
                let code: Vec<String> = code.iter().map(ToString::to_string).collect();
                let code = code.join(", ");
                write!(
                    f,
                    "TensorFlow {tensorflow} has code for {code} and none for compute capability {gpu}"
                )
            }
            Self::NoCudnnCode {
                gpu,
                floor,
                built_before,
            } => write!(
                f,
                "images built since {built_before} resolve a cuDNN that has no code below compute capability {floor}, and this GPU has {gpu}"
            ),
            Self::MovingTag { gpu, floor } => write!(
                f,
                "the tag moves, and images of today resolve a cuDNN that has no code below compute capability {floor}, while this GPU has {gpu}"
            ),
            Self::NoDatedCode { gpu, floor, since } => write!(
                f,
                "images built since {since} resolve a TensorFlow that has no code below compute capability {floor}, and this GPU has {gpu}"
            ),
            Self::Unknown => f.write_str("nothing is known of what is in this image"),
        }
    }
}

/// `data/notebooks.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotebooksFile {
    meta: Meta,
    repository: String,
    /// Since that day images resolve a cuDNN without code for older GPUs.
    built_before: Date,
    /// Every TensorFlow in the images built before has code from this capability on.
    dated_floor: ComputeCapability,
    /// Images built since that day resolve a TensorFlow without code below that capability.
    dated_floor_since: Date,
    moving: Vec<String>,
    advised: String,
    image: Vec<RawImage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawImage {
    tag: String,
    digest: Option<Sha256>,
    tensorflow: Option<DottedVersion>,
}

impl Catalog {
    /// The repository that the notebook images are in.
    #[must_use]
    pub fn notebook_repository(&self) -> &str {
        &self.notebooks().repository
    }

    /// The tag to choose where a GPU is older than capability 7.5.
    #[must_use]
    pub fn notebook_advised(&self) -> NotebookImage {
        self.notebook_image(&self.notebooks().advised)
    }

    /// The tags that are known, oldest first.
    pub fn notebook_tags(&self) -> impl Iterator<Item = &str> {
        self.notebooks().image.iter().map(|one| one.tag.as_str())
    }

    /// What a tag says about the image: from the list, else from the tag's form
    /// (`cuda-2025-07-14`, `cuda-tensorflow-2.19.0`).
    #[must_use]
    pub fn notebook_image(&self, tag: &str) -> NotebookImage {
        let file = self.notebooks();
        let known = file.image.iter().find(|one| one.tag == tag);
        let after_cuda = tag
            .strip_prefix("cuda-")
            .or_else(|| tag.strip_prefix("cuda12-"));
        let form = after_cuda.unwrap_or(tag);
        let version = form
            .strip_prefix("tensorflow-")
            .and_then(|v| v.parse().ok());
        NotebookImage {
            repository: file.repository.clone(),
            tag: tag.to_owned(),
            digest: known.and_then(|one| one.digest),
            cuda: after_cuda.is_some() || file.moving.iter().any(|one| one == tag),
            moving: file.moving.iter().any(|one| one == tag),
            built: form.parse().ok(),
            tensorflow: known.and_then(|one| one.tensorflow).or(version),
        }
    }

    /// Whether an image can use a GPU of that capability.
    ///
    /// # Errors
    /// The reason why not, or why it cannot be known.
    pub fn can_run(&self, image: &NotebookImage, gpu: ComputeCapability) -> Result<(), Reason> {
        if !image.cuda {
            return Err(Reason::NoCuda);
        }
        let tensorflow = image
            .tensorflow
            .and_then(|version| self.tensorflow(version));
        if let Some(tensorflow) = tensorflow
            && !tensorflow.runs_on(gpu)
        {
            return Err(Reason::NoCode {
                tensorflow: tensorflow.version,
                gpu,
                code: tensorflow.code.clone(),
            });
        }
        // A wheel that pins cuDNN exactly brings the old one whenever it is built.
        if tensorflow.is_some_and(|one| one.cudnn_exact) {
            return Ok(());
        }
        self.runs_with_cudnn_of_the_day(image, gpu)
    }

    /// Whether an image whose cuDNN is whatever was newest when it was built can use a GPU.
    fn runs_with_cudnn_of_the_day(
        &self,
        image: &NotebookImage,
        gpu: ComputeCapability,
    ) -> Result<(), Reason> {
        let NotebooksFile {
            built_before,
            dated_floor,
            dated_floor_since,
            ..
        } = *self.notebooks();
        let floor = self.tensorflow_file().cudnn_floor;
        match image.built {
            Some(built) if built < built_before && gpu >= dated_floor => Ok(()),
            Some(built) if gpu < dated_floor && built >= dated_floor_since => {
                Err(Reason::NoDatedCode {
                    gpu,
                    floor: dated_floor,
                    since: dated_floor_since,
                })
            }
            Some(built) if built < built_before => Err(Reason::Unknown),
            None if !image.moving && image.tensorflow.is_none() => Err(Reason::Unknown),
            _ if gpu >= floor => Ok(()),
            None if image.moving => Err(Reason::MovingTag { gpu, floor }),
            _ => Err(Reason::NoCudnnCode {
                gpu,
                floor,
                built_before,
            }),
        }
    }

    /// Where the facts about the images are from, and when they were looked up.
    #[must_use]
    pub fn notebook_source(&self) -> (&str, Date) {
        let meta = &self.notebooks().meta;
        (&meta.source, meta.date)
    }
}
