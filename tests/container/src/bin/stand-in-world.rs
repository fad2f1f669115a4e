//! `cargo xtask rehearse --base stand-in` runs this: a command in a world in which the
//! vendors' names lead to servers of this computer. Usage: `stand-in-world FOLDER COMMAND…`;
//! the servers' facts are left in `FOLDER/catalog`.
//!
//! What it does not prove: that the vendors' own packages install, or that their servers are
//! up. See `tests/container/src/upstream`.

use std::path::Path;
use std::process::ExitCode;

use lab_container::{in_a_world, missing_for_upstreams};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((folder, command)) = words.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        eprintln!("usage: stand-in-world FOLDER COMMAND…");
        return ExitCode::from(1);
    };
    if let Some(reason) = missing_for_upstreams() {
        eprintln!("the vendors' servers cannot be stood in for here: {reason}");
        return ExitCode::from(2);
    }
    match in_a_world(Path::new(folder), command) {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            ExitCode::from(code.unwrap_or(2))
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
