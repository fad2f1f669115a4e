//! A stand-in for `libnvidia-ml.so.1`: the C ABI of NVML, over a file of cards.
//!
//! Programs that ask NVML for the cards of a machine can be tried on a machine that has
//! none. The file is `/etc/mock-nvml.toml`, or what the environment variable `MOCK_NVML`
//! names; it is read again at each `nvmlInit`. [`cards`] says what stands in it, and
//! `cards/z440.toml` is one for the machine with three cards.
//!
//! What it does not prove: that a driver works. Values stand still, whatever runs on the
//! machine; nothing computes; a power limit that was set binds nothing and is not lost
//! when the driver is unloaded; MIG, vGPU, NVLink, events and field values are not here,
//! and a program that asks for one of them finds no such symbol. Where the answer of a
//! real card is not known from a source, the file of cards says so.
//!
//! The ABI follows `nvml.h` of CUDA 13; the tests compare its structures with those of the
//! crate `nvml-wrapper-sys`.

pub mod abi;
pub mod cards;
mod session;
mod state;
mod status;

pub use session::VARIABLE;
pub use status::Status;
