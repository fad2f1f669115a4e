//! A stand-in for `libcuda.so.1`: the C ABI of the CUDA driver, over a file of cards.
//!
//! The probe asks each card by CUDA to compute. With this library it can be tried, with
//! what it says of broken cards, on a machine that has none. The file is that of the mock
//! NVML: `/etc/mock-nvml.toml`, or what the environment variable `MOCK_NVML` names.
//! `CUDA_VISIBLE_DEVICES` is heeded.
//!
//! What it does not prove: anything about a driver, a card, or the probe's PTX. The text of
//! the kernels is not looked at; a kernel is known by its name, and its work is done by the
//! host in [`kernels`]. A card's memory is the host's, and less than the card has. Time
//! stands still but for copies on the card, which take as long as the file's bandwidth
//! says. Only functions that the probe calls are here; a program that asks for another one
//! finds no such symbol. Where the error that a real driver gives in a fault is not known
//! from a source, the fault's place in the code says so.
//!
//! The ABI follows `cuda.h` of CUDA 11.4. The tests compare its numbers with those of the
//! crate `cudarc`, which are made from NVIDIA's header, and call it through that crate.

pub mod abi;
// The same file, and not a crate that is linked in: its functions would be found in this
// library too.
#[path = "../../mock-nvml/src/cards.rs"]
pub mod cards;
mod driver;
mod kernels;
mod memory;
mod status;

pub use driver::VARIABLE;
pub use status::Status;
