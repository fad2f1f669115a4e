//! Makes a stand-in image: `cargo run -p lab-standin --example standin -- CACHE OUT [no-joliet] [no-hwe] [oversize] [fill=BYTES] [live=PROGRAM]`.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use lab_standin::{Live, Options, build};

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
            live if live.starts_with("live=") => {
                options.live = Some(Live {
                    installer: live.trim_start_matches("live=").into(),
                });
            }
            other => match other.strip_prefix("fill=").map(str::parse) {
                Some(Ok(bytes)) => options.fill = bytes,
                _ => bail!(
                    "`{other}` is none of no-joliet, no-hwe, oversize, fill=BYTES, live=PROGRAM"
                ),
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
