//! What the cards do while something runs on them.

use serde::{Deserialize, Serialize};

use crate::{Fact, GpuProcess, Loaded, Proof};

/// What `lab-probe workload` is asked, on its standard input, in JSON; as root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "workload", deny_unknown_fields)]
pub enum WorkloadRequest {
    /// A model answers a prompt.
    Ollama {
        /// Ollama's address.
        address: String,
        /// The model.
        model: String,
        /// What it is asked.
        prompt: String,
        /// How many tokens it may answer with.
        tokens: u32,
        /// The longest that it may take, in seconds.
        limit_s: u64,
    },
    /// TensorFlow multiplies matrices in a container.
    TensorFlow {
        /// The container, such as `lab-jupyter`.
        container: String,
        /// The longest that it may take, in seconds.
        limit_s: u64,
    },
    /// The whole memory of each card is filled and read back, as far as it is free.
    Memory {
        /// The longest that it may take, in seconds.
        limit_s: u64,
    },
    /// The DCGAN service is watched.
    Dcgan {
        /// The folder of its files.
        folder: String,
        /// How long, in seconds.
        watch_s: u64,
    },
    /// nvtop draws on a terminal.
    Nvtop {
        /// The longest that it may take, in seconds.
        limit_s: u64,
    },
}

/// A workload, and the cards while it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Workload {
    /// What was asked.
    pub request: WorkloadRequest,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The cards, about four times a second, from before the beginning; none where NVML says
    /// nothing.
    pub samples: Vec<Sample>,
    /// Programs that were seen on a card while it ran.
    pub seen: Vec<Seen>,
    /// What came of it; unknown with the reason where it failed.
    pub worked: Fact<Worked>,
}

/// The cards at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sample {
    /// Since the beginning, in milliseconds.
    pub at_ms: u64,
    /// Each card.
    pub gpus: Vec<GpuSample>,
}

/// A card at one moment; what it does not say is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GpuSample {
    /// The card.
    pub uuid: String,
    /// How busy its processors are, in per cent.
    pub busy_percent: Option<u32>,
    /// Its memory in use, in MiB.
    pub memory_mib: Option<u64>,
    /// Its temperature in degrees Celsius.
    pub temperature_c: Option<u32>,
    /// What it draws, in milliwatts.
    pub power_mw: Option<u32>,
}

/// A program that was seen on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Seen {
    /// The card.
    pub uuid: String,
    /// The program.
    pub process: GpuProcess,
}

/// What came of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Worked {
    /// The model's answer.
    Ollama(Generated),
    /// What TensorFlow saw and computed.
    TensorFlow(TensorFlow),
    /// What each card's memory gave back, by UUID.
    Memory(Vec<(String, Fact<Proof>)>),
    /// The training's state.
    Dcgan(DcganRun),
    /// What nvtop drew, without the terminal's control sequences.
    Nvtop(String),
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Generated {
    /// Its text, cut at 2000 characters.
    pub text: String,
    /// Tokens of the answer (`eval_count`).
    pub tokens: u64,
    /// How long they took, in nanoseconds (`eval_duration`).
    pub took_ns: u64,
    /// How long loading the model took, in nanoseconds (`load_duration`).
    pub load_ns: u64,
    /// `/api/ps` right after it.
    pub loaded: Vec<Loaded>,
}

/// What TensorFlow saw and computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TensorFlow {
    /// Its version.
    pub version: String,
    /// The cards that it can use, by their names.
    pub devices: Vec<String>,
    /// Where the product of two matrices was computed, such as `/job:localhost/…/device:GPU:0`.
    pub computed_on: String,
    /// Whether the product was right.
    pub right: bool,
}

/// The state of the training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DcganRun {
    /// Lines of its metrics file (`metrics.jsonl`), as they stand there; the newest last.
    pub metrics: Vec<String>,
    /// Its checkpoints' file names.
    pub checkpoints: Vec<String>,
    /// The GIF's size in bytes; none where there is none yet.
    pub gif_bytes: Option<u64>,
    /// The newest picture (PNG), in base64; none where there is none.
    pub picture: Option<String>,
}
