//! Makes a stand-in image: `cargo run -p lab-standin --example standin -- CACHE OUT [no-joliet] [no-hwe] [oversize] [fill=BYTES]`.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use lab_standin::{Options, build};

fn main() -> Result<()> {
    let mut words = env::args().skip(1);
    let cache = PathBuf::from(
        words
            .next()
            .context("the first argument is a folder for packages")?,
    );
    let out = PathBuf::from(
        words
            .next()
            .context("the second argument is the image to make")?,
    );
    let mut options = Options::default();
    for word in words {
        match word.as_str() {
            "no-joliet" => options.joliet = false,
            "no-hwe" => options.hwe = false,
            "oversize" => options.oversize = true,
            other => match other.strip_prefix("fill=").map(str::parse) {
                Some(Ok(bytes)) => options.fill = bytes,
                _ => bail!("`{other}` is none of no-joliet, no-hwe, oversize, fill=BYTES"),
            },
        }
    }
    let made = build(&options, &cache, &out)?;
    let how = if made.reused { "stands" } else { "made" };
    println!(
        "{how}: {} ({} bytes, sha256 {})",
        made.path.display(),
        made.size,
        made.sha256
    );
    Ok(())
}
