//! What the machine was made from, on the machine: the description as it was
//! written and as it was understood, and the lock of it where there is one. Neither holds a secret: the description only
//! says where one comes from.

use anyhow::{Context as _, Result, bail};

use super::Subject;
use crate::TargetTree;
use crate::unit::Unit;

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    let mut json =
        serde_json::to_string_pretty(machine).context("writing the resolved description")?;
    json.push('\n');
    tree.file("etc/lab/machine.json", 0o644, json)?;
    let mut release = format!(
        "LAB_MACHINE={}\nLAB_DESCRIPTION={}\nLAB_VERSION={}\n",
        machine.identity.name,
        machine.digest(),
        env!("CARGO_PKG_VERSION"),
    );
    if let Some(lock) = subject.lock {
        let text = lock.to_text().context("writing the lock")?;
        let digest = lock.digest().context("writing the lock")?;
        release.push_str(&format!("LAB_LOCK={digest}\n"));
        tree.file(format!("etc/lab/{}", lab_lock::FILE_NAME), 0o644, text)?;
    }
    tree.file("etc/lab/release", 0o644, release)?;
    let own = subject.description.len().saturating_sub(1);
    for (index, (name, text)) in subject.description.iter().enumerate() {
        if text.contains("PRIVATE KEY-----") {
            bail!("{name} holds a private key: take it out, and make a new one");
        }
        let path = match index == own {
            true => "etc/lab/machine.toml".to_owned(),
            false => format!("etc/lab/extends/{}-{}", index + 1, plain_name(name)),
        };
        tree.file(path, 0o644, text.as_bytes())?;
    }
    Ok(None)
}

/// The last part of a path, of plain characters: the path itself belongs to the
/// machine where the image was made, and must not show in it.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '_'
            }
        })
        .take(80)
        .collect()
}
