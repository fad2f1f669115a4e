//! The specification that gives containers their cards (Container Device Interface, 0.5 to
//! 0.8), as `nvidia-ctk cdi generate` writes it.

use lab_facts::Cdi;
use serde::Deserialize;

use crate::root::{Root, short};

/// Where it lies; what was made since boot goes before what somebody laid down.
const PLACES: [&str; 2] = ["/run/cdi/nvidia.yaml", "/etc/cdi/nvidia.yaml"];

/// The most that is read of it, in bytes.
const MOST: u64 = 4 << 20;

/// What of a specification names devices and libraries.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Specification {
    kind: String,
    #[serde(default)]
    devices: Vec<Device>,
    #[serde(default)]
    container_edits: Edits,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    name: String,
    #[serde(default)]
    container_edits: Edits,
}

#[derive(Default, Deserialize)]
struct Edits {
    #[serde(default)]
    mounts: Option<Vec<Mount>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mount {
    #[serde(default)]
    host_path: String,
}

/// The specification, where there is one.
pub(crate) fn look(root: &Root) -> Result<Option<Cdi>, String> {
    for path in PLACES {
        match root.text(path, MOST) {
            Err(error) if error.missing() => {}
            text => return read(path, &text?).map(Some),
        }
    }
    Ok(None)
}

pub(crate) fn read(path: &str, text: &str) -> Result<Cdi, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    let read = serde_saphyr::from_str_with_options::<Specification>(text, options);
    let all = read.map_err(|error| {
        format!(
            "{path} is no CDI specification: {}",
            short(&error.to_string())
        )
    })?;
    if all.kind != "nvidia.com/gpu" {
        return Err(format!(
            "{path} is for `{}` and not for nvidia.com/gpu",
            short(&all.kind)
        ));
    }
    let edits = all.devices.iter().map(|device| &device.container_edits);
    let driver = edits
        .chain([&all.container_edits])
        .flat_map(|edits| edits.mounts.iter().flatten())
        .find_map(|mount| driver_of(&mount.host_path));
    Ok(Cdi {
        path: path.to_owned(),
        driver,
        devices: all.devices.into_iter().map(|device| device.name).collect(),
    })
}

/// The driver's version in the name of one of its libraries: `libcuda.so.580.173.02`.
fn driver_of(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let version = name.split_once(".so.")?.1;
    let of_driver = ["libcuda.", "libnvidia-ml.", "libnvidia-ptxjitcompiler."];
    let numbers: Vec<&str> = version.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let sound = (2..=3).contains(&numbers.len()) && numbers.iter().all(number);
    let known = of_driver.iter().any(|start| name.starts_with(start));
    (known && sound).then(|| version.to_owned())
}
