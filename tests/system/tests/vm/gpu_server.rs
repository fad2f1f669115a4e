//! The image of images/gpu-server, over the stand-in.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};
use lab_plan::place;
use lab_standin::Options;
use lab_tests::{Described, base, scratch};
use sha2::{Digest, Sha256};

/// The image.
pub(crate) struct GpuServer {
    /// Where it lies.
    pub(crate) image: PathBuf,
    /// The sha256 of its autoinstall.yaml, in hex.
    pub(crate) autoinstall: String,
}

/// The image, made once for all tests of this program. Where a program for the stand-in is
/// missing, `None`, and `test` is said not to have run.
pub(crate) fn gpu_server(test: &str) -> Result<Option<&'static GpuServer>> {
    static MADE: OnceLock<Result<GpuServer, String>> = OnceLock::new();
    let Some(base) = base(test, &Options::default())? else {
        return Ok(None);
    };
    let made = MADE.get_or_init(|| make(&base).map_err(|error| format!("{error:#}")));
    match made {
        Ok(made) => Ok(Some(made)),
        Err(error) => Err(anyhow!("making the image of gpu-server: {error}")),
    }
}

fn make(base: &Path) -> Result<GpuServer> {
    let image = scratch("menu")?.join("gpu-server.iso");
    let files = Described::new(&[])?.image(base, &image)?;
    let autoinstall = files
        .get(place::AUTOINSTALL)
        .context("the plan has no autoinstall.yaml")?;
    Ok(GpuServer {
        image,
        autoinstall: hex::encode(Sha256::digest(&autoinstall.bytes)),
    })
}
