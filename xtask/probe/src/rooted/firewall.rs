//! nftables' tables.

use crate::program::Program;

/// Their names, such as `inet lab`.
pub(crate) fn tables() -> Result<Vec<String>, String> {
    let text = Program::new("nft", ["list", "tables"]).text()?;
    let name = |line: &str| line.trim().strip_prefix("table ").map(str::to_owned);
    Ok(text.lines().filter_map(name).collect())
}
