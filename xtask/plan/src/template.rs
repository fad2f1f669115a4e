//! The files under `templates/`, which are laid out as they land, and their
//! rendering. They are part of the program: nothing is read at run time.

use std::sync::LazyLock;

use anyhow::{Context as _, Result};
use tera::{Context, Kwargs, State, Tera};

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        const TEMPLATES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../templates/", $name)))),*
        ];
    };
}

templates![
    "boot/grub/menu.cfg",
    "etc/apt/apt.conf.d/52lab-updates",
    "etc/cloud/cloud.cfg.d/99-lab.cfg",
    "etc/issue.d/lab.issue",
    "etc/lab/firewall.nft",
    "etc/lab/ollama/environment",
    "etc/modprobe.d/lab-nvidia.conf",
    "etc/ssh/sshd_config.d/10-lab.conf",
    "etc/sudoers.d/10-lab",
    "etc/sysctl.d/60-lab.conf",
    "etc/systemd/journald.conf.d/10-lab.conf",
    "etc/systemd/network/10-netplan-lab-wired.network.d/10-lab.conf",
    "etc/systemd/resolved.conf.d/10-lab.conf",
    "etc/systemd/system/lab-adopt.service",
    "etc/systemd/system/lab-container.service",
    "etc/systemd/system/lab-exporter.socket",
    "etc/systemd/system/lab-exporter@.service",
    "etc/systemd/system/lab-firewall.service",
    "etc/systemd/system/lab-unit.service",
    "etc/systemd/system/lab.target",
    "etc/systemd/system/nvidia-persistenced.service.d/10-lab.conf",
    "etc/systemd/system/ollama.service",
    "etc/systemd/timesyncd.conf.d/10-lab.conf",
    "etc/update-motd.d/90-lab",
    "lab/facts.sh",
    "lab/guard",
    "lab/guard.conf",
    "lab/lay-down",
    "lab/survey",
    "usr/lib/lab/adopt",
    "usr/lib/lab/cards",
    "usr/lib/lab/container",
    "usr/lib/lab/exporter",
    "usr/lib/lab/lib.sh",
    "usr/lib/lab/packages.sh",
    "usr/lib/lab/payload.sh",
    "usr/lib/lab/run",
    "usr/lib/lab/state.sh",
    "usr/lib/lab/units/base",
    "usr/lib/lab/units/cards",
    "usr/lib/lab/units/dcgan",
    "usr/lib/lab/units/docker",
    "usr/lib/lab/units/driver",
    "usr/lib/lab/units/jupyter",
    "usr/lib/lab/units/monitoring",
    "usr/lib/lab/units/ollama",
    "usr/lib/lab/units/toolkit",
    "usr/lib/lab/workload.sh",
    "usr/local/bin/lab",
    "usr/share/lab/notebooks/dcgan.ipynb",
];

/// The text of a template that is taken as it is: a script holds many braces,
/// and none of them is meant for the renderer.
///
/// # Errors
///
/// When there is no template of that name.
pub(crate) fn verbatim(name: &str) -> Result<&'static str> {
    let found = TEMPLATES.iter().find(|(other, _)| *other == name);
    found
        .map(|(_, text)| *text)
        .with_context(|| format!("there is no template {name}"))
}

/// Renders a template.
///
/// # Errors
///
/// When there is no such template, or it names a value that `context` lacks.
pub(crate) fn render(name: &str, context: &Context) -> Result<String> {
    let tera = ENGINE
        .as_ref()
        .map_err(|why| anyhow::anyhow!("reading the templates: {why}"))?;
    let text = tera
        .render(name, context)
        .with_context(|| format!("rendering templates/{name}"))?;
    Ok(tidy(&text))
}

/// Scripts hold `{#` and `{{`, and are never rendered.
fn is_rendered(name: &str) -> bool {
    let scripts = ["usr/", "etc/update-motd.d/", "lab/"];
    name == "lab/guard.conf" || !scripts.iter().any(|folder| name.starts_with(folder))
}

static ENGINE: LazyLock<Result<Tera, String>> = LazyLock::new(|| {
    let mut tera = Tera::new();
    tera.register_filter("sh", sh_filter);
    let rendered = TEMPLATES
        .iter()
        .filter(|(name, _)| is_rendered(name))
        .copied();
    tera.add_raw_templates(rendered)
        .map_err(|error| error.to_string())?;
    Ok(tera)
});

fn sh_filter(text: &str, _: Kwargs, _: &State<'_>) -> String {
    quoted(text)
}

/// A word that a POSIX shell takes for just this text.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Takes out the empty lines that statements of the template leave behind: never
/// two in a row, none at the start, one newline at the end.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() && blank {
            continue;
        }
        blank = line.is_empty();
        tidy.push_str(line);
        tidy.push('\n');
    }
    while tidy.ends_with("\n\n") {
        tidy.pop();
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in [
            "",
            "plain",
            "it's",
            "$(reboot)",
            "a\nb",
            "`x`",
            "\\",
            "'; rm -rf /; '",
        ] {
            let script = format!("printf %s {}", quoted(text));
            let run = std::process::Command::new("sh")
                .args(["-c", &script])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(run.stdout).unwrap(), text);
        }
    }

    #[test]
    fn a_missing_value_is_an_error() {
        let error = render("etc/systemd/system/lab.target", &Context::new()).unwrap_err();
        assert!(format!("{error:#}").contains("lab.target"));
        assert!(verbatim("no/such").is_err());
    }
}
