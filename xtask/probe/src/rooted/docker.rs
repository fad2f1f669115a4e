//! Docker and its containers, by its own program.

use std::collections::BTreeMap;
use std::time::Duration;

use lab_facts::{Container, Docker, DockerFacts, Fact};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::program::Program;
use crate::root::short;

const JSON: &str = "{{json .}}";
const LIMIT: Duration = Duration::from_secs(4);

/// How long a program in a container may take, in seconds.
const INSIDE_S: u64 = 4;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    server: Option<Server>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Server {
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Info {
    docker_root_dir: String,
    runtimes: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    #[serde(rename = "CDISpecDirs")]
    cdi_spec_dirs: Option<Vec<String>>,
    logging_driver: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    #[serde(default)]
    created: String,
    #[serde(default)]
    image: String,
    #[serde(default)]
    restart_count: u32,
    state: State,
    config: Config,
    host_config: HostConfig,
    #[serde(default)]
    network_settings: Network,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    running: bool,
    #[serde(default)]
    exit_code: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    image: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    #[serde(default)]
    runtime: Option<String>,
    #[serde(default)]
    device_requests: Option<Vec<DeviceRequest>>,
    #[serde(default)]
    port_bindings: Option<Ports>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeviceRequest {
    #[serde(default)]
    driver: String,
    #[serde(default, rename = "DeviceIDs")]
    device_ids: Option<Vec<String>>,
    #[serde(default)]
    capabilities: Option<Vec<Vec<String>>>,
}

type Ports = BTreeMap<String, Option<Vec<Binding>>>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    #[serde(default)]
    host_ip: String,
    #[serde(default)]
    host_port: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    #[serde(default)]
    ports: Option<Ports>,
}

/// The daemon, and the containers and images by these names.
pub(crate) fn look(names: &[String], images: &[String]) -> Result<DockerFacts, String> {
    std::thread::scope(|scope| {
        let info = scope.spawn(info);
        let each: Vec<_> = names
            .iter()
            .filter(|name| is_container_name(name))
            .map(|name| scope.spawn(|| container(name)))
            .collect();
        let identities: Vec<_> = images
            .iter()
            .map(|name| (name.clone(), scope.spawn(|| image(name))))
            .collect();
        let docker = daemon(&version()?, joined(info.join())?);
        let containers: Result<Vec<_>, String> =
            each.into_iter().map(|one| joined(one.join())).collect();
        Ok(DockerFacts {
            docker,
            containers: containers?.into_iter().flatten().collect(),
            images: identities
                .into_iter()
                .map(|(name, one)| (name, joined(one.join()).into()))
                .collect(),
        })
    })
}

fn joined<T>(joined: std::thread::Result<Result<T, String>>) -> Result<T, String> {
    joined.unwrap_or_else(|_| Err("the probe failed while it asked Docker".to_owned()))
}

fn docker<'a>(words: impl IntoIterator<Item = &'a str>) -> Program {
    Program::new("docker", words).within(LIMIT)
}

fn version() -> Result<String, String> {
    let text = docker(["version", "--format", JSON])
        .called("docker version")
        .text()?;
    let versions: Versions = read("docker version", &text)?;
    let server = versions.server.ok_or("the Docker daemon does not answer")?;
    Ok(server.version)
}

fn info() -> Result<Info, String> {
    let text = docker(["info", "--format", JSON])
        .called("docker info")
        .text()?;
    read("docker info", &text)
}

fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, String> {
    serde_json::from_str(text.trim())
        .map_err(|error| format!("`{what}` says `{}`: {error}", short(text)))
}

fn daemon(version: &str, info: Info) -> Docker {
    Docker {
        version: version.to_owned(),
        root: info.docker_root_dir,
        runtimes: info.runtimes.unwrap_or_default().into_keys().collect(),
        cdi_dirs: info.cdi_spec_dirs.unwrap_or_default(),
        logging: info.logging_driver,
    }
}

/// As Docker has them, so that none reads as an option.
fn is_container_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain)
}

/// As registries, repositories and tags are written, so that none reads as an option.
fn is_image_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-:/@".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain)
}

/// The identity of an image; none where there is none of that name.
fn image(name: &str) -> Result<Option<String>, String> {
    if !is_image_name(name) {
        return Err(format!("`{}` is no image's name", short(name)));
    }
    let words = ["image", "inspect", "--format", "{{.Id}}", name];
    let said = docker(words).called("docker image inspect").run()?;
    if said.status.success() {
        return Ok(Some(short(&said.out)));
    }
    let gone = said.err.to_ascii_lowercase().contains("no such");
    gone.then_some(None)
        .ok_or_else(|| said.failure("docker image inspect"))
}

/// A container and the cards that it sees; none where it is not there.
fn container(name: &str) -> Result<Option<Container>, String> {
    let words = ["inspect", "--type", "container", "--format", JSON, name];
    let said = docker(words).called("docker inspect").run()?;
    if !said.status.success() {
        let gone = said.err.to_ascii_lowercase().contains("no such");
        return gone
            .then_some(None)
            .ok_or_else(|| said.failure("docker inspect"));
    }
    let inspected: Inspected = read("docker inspect", &said.out)?;
    let sees = match inspected.state.running {
        true => sees(name).into(),
        false => Fact::unknown("it does not run"),
    };
    Ok(Some(described(name, inspected, sees)))
}

fn described(name: &str, seen: Inspected, sees: Fact<Vec<String>>) -> Container {
    let requests = seen.host_config.device_requests.unwrap_or_default();
    let by_runtime = seen.host_config.runtime.as_deref() == Some("nvidia");
    let ports = seen
        .network_settings
        .ports
        .filter(|ports| !published(ports).is_empty());
    let ports = ports.or(seen.host_config.port_bindings).unwrap_or_default();
    Container {
        name: name.to_owned(),
        image: seen.image,
        image_name: seen.config.image,
        created: seen.created,
        id: seen.id,
        running: seen.state.running,
        exit_code: seen.state.exit_code,
        restarts: seen.restart_count,
        legacy_gpus: by_runtime || requests.iter().any(is_legacy),
        cdi: requests
            .into_iter()
            .filter(|request| request.driver == "cdi")
            .flat_map(|request| request.device_ids.unwrap_or_default())
            .collect(),
        published: published(&ports),
        sees,
    }
}

/// `--gpus` asks for a capability, whoever provides it.
fn is_legacy(request: &DeviceRequest) -> bool {
    let mut capabilities = request.capabilities.iter().flatten().flatten();
    request.driver != "cdi" && (request.driver == "nvidia" || capabilities.any(|one| one == "gpu"))
}

fn published(ports: &Ports) -> Vec<String> {
    let address = |binding: &Binding| match binding.host_ip.as_str() {
        "" => format!("0.0.0.0:{}", binding.host_port),
        v6 if v6.contains(':') => format!("[{v6}]:{}", binding.host_port),
        v4 => format!("{v4}:{}", binding.host_port),
    };
    let mut published: Vec<String> = ports.values().flatten().flatten().map(address).collect();
    published.sort();
    published.dedup();
    published
}

/// The cards that are seen from inside. The time limit runs inside too: what hangs there
/// does not end with the program that started it.
fn sees(name: &str) -> Result<Vec<String>, String> {
    let limit = INSIDE_S.to_string();
    let within = Duration::from_secs(INSIDE_S + 1);
    let bounded = ["exec", name, "timeout", &limit, "nvidia-smi", "-L"];
    let said = docker(bounded).called("docker exec").within(within).run()?;
    let no_timeout = matches!(said.status.code(), Some(126 | 127))
        && format!("{}{}", said.out, said.err).contains("\"timeout\"");
    let said = match no_timeout {
        true => docker(["exec", name, "nvidia-smi", "-L"])
            .called("docker exec")
            .run()?,
        false => said,
    };
    match said.status.success() {
        true => Ok(uuids(&said.out)),
        false => Err(said.failure("nvidia-smi -L")),
    }
}

/// `GPU 0: Quadro K2200 (UUID: GPU-…)`.
fn uuids(text: &str) -> Vec<String> {
    let uuid = |line: &str| {
        let uuid = line.trim().split_once("(UUID: ")?.1.strip_suffix(')')?;
        uuid.starts_with("GPU-").then(|| uuid.to_owned())
    };
    text.lines().filter_map(uuid).collect()
}

#[cfg(test)]
mod tests;
