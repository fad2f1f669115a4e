//! `nvidia-ctk runtime configure --runtime=docker`: the runtime's entry in daemon.json.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::{Options, log};

const DEFAULT: &str = "/etc/docker/daemon.json";

/// Merges the runtime into the file, and leaves everything else in it as it is.
pub(crate) fn configure(options: &Options) -> Result<()> {
    let runtime = options.value("runtime").unwrap_or("docker");
    if runtime != "docker" {
        bail!("unrecognized runtime '{runtime}': this stand-in knows docker only");
    }
    let path = Path::new(options.value("config").unwrap_or(DEFAULT));
    let mut config = read(path)?;
    merge(&mut config, options)?;
    let text = print(&config)?;
    if options.flag("dry-run") {
        print!("{text}");
        return Ok(());
    }
    write(path, &text)?;
    log(
        "info",
        &format!("Wrote updated config to {}", path.display()),
    );
    log("info", "It is recommended that docker daemon be restarted.");
    Ok(())
}

fn read(path: &Path) -> Result<Map<String, Value>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            log("info", "Config file does not exist; using empty config");
            return Ok(Map::new());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("unable to read config {}", path.display()));
        }
    };
    log("info", &format!("Loading config from {}", path.display()));
    serde_json::from_str(&text).with_context(|| {
        format!(
            "unable to load config for runtime docker: {}",
            path.display()
        )
    })
}

fn merge(config: &mut Map<String, Value>, options: &Options) -> Result<()> {
    object(config, "runtimes")?.insert(
        "nvidia".to_owned(),
        json!({"args": [], "path": "nvidia-container-runtime"}),
    );
    if options.flag("set-as-default") {
        config.insert("default-runtime".to_owned(), json!("nvidia"));
    }
    if options.flag("cdi.enabled") || options.flag("enable-cdi") {
        object(config, "features")?.insert("cdi".to_owned(), json!(true));
    }
    Ok(())
}

/// The object of this name, made where there is none.
fn object<'c>(
    config: &'c mut Map<String, Value>,
    name: &str,
) -> Result<&'c mut Map<String, Value>> {
    let value = config.entry(name).or_insert_with(|| json!({}));
    let Value::Object(object) = value else {
        bail!("unable to update config: `{name}` is {value}, and not an object");
    };
    Ok(object)
}

/// With the four spaces of the real one.
fn print(config: &Map<String, Value>) -> Result<String> {
    let mut text = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, indent);
    serde::Serialize::serialize(config, &mut serializer).context("writing the config as JSON")?;
    text.push(b'\n');
    String::from_utf8(text).context("writing the config as JSON")
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("making the directory {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
