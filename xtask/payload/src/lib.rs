//! What an image carries for a machine without a network: the packages as a signed
//! repository, and what a .deb says of itself.
//!
//! Nothing here reads the clock or the environment: the same packages and the same key
//! give the same bytes.

mod deb;
mod key;
mod repository;

pub use deb::{DebError, control, copyright};
pub use key::{KeyError, RepositoryKey};
pub use repository::{Deb, Files, PlaceError, place, repository};
