//! Whose a process is: its program and its unit or container.

use crate::root::Root;

/// The name of its program.
pub(crate) fn program(root: &Root, pid: u32) -> Option<String> {
    root.line(&format!("/proc/{pid}/comm")).ok()
}

/// Its systemd unit, or the identity of its container, by its control group.
pub(crate) fn unit(root: &Root, pid: u32) -> Option<String> {
    let text = root.line(&format!("/proc/{pid}/cgroup")).ok()?;
    unit_of(&text)
}

/// From cgroups(7): `0::/system.slice/ollama.service`, or with the older version a line a
/// controller, of which systemd's own is `1:name=systemd:…`.
pub(crate) fn unit_of(text: &str) -> Option<String> {
    let path = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let path = path("0::")
        .filter(|path| *path != "/")
        .or_else(|| path("1:name=systemd:"))?;
    let last = path.rsplit('/').find(|part| !part.is_empty())?;
    // Docker with systemd's driver, and any runtime that names its scope likewise.
    let scope = last
        .strip_suffix(".scope")
        .and_then(|name| name.rsplit_once('-'));
    let container = scope
        .map(|(_, id)| id)
        .filter(|id| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    Some(container.unwrap_or(last).to_owned())
}
