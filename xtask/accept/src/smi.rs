//! The cards by `nvidia-smi -q -x`, for a machine on which the probe cannot run.
//!
//! The form is `nvsmi_device_v12.dtd` and later, as drivers from 470 on write it. It says
//! less than the probe, and what it does not say stays unknown: nothing here was computed,
//! and nothing but NVML was asked.

use anyhow::{Context as _, Result, bail, ensure};
use lab_facts::{Fact, Gpu, GpuProcess, GpuUse, Library, Nvidia, PcieLink};
use roxmltree::{Document, Node, ParsingOptions};

/// Why what is not in there is not known.
const NOT_SAID: &str = "the probe could not run, and nvidia-smi does not say it";

/// The most that is read, in bytes and in elements; a card takes some twenty thousand bytes.
const MOST: usize = 16 << 20;
const ELEMENTS: u32 = 500_000;

/// What `nvidia-smi -q -x` says of the cards.
///
/// # Errors
///
/// Where the text is not of that form: then nvidia-smi's own words are in the message.
pub fn nvidia_from_smi(xml: &str) -> Result<Nvidia> {
    ensure!(
        xml.len() <= MOST,
        "nvidia-smi -q -x says {} bytes, and at most {MOST} are read",
        xml.len()
    );
    let options = ParsingOptions {
        // Its second line names the form.
        allow_dtd: true,
        nodes_limit: ELEMENTS,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(xml, options)
        .with_context(|| format!("nvidia-smi -q -x says no XML but `{}`", first_line(xml)))?;
    let log = document.root_element();
    if !log.has_tag_name("nvidia_smi_log") {
        bail!(
            "nvidia-smi -q -x says <{}> where <nvidia_smi_log> is expected",
            log.tag_name().name()
        );
    }
    let gpus: Result<Vec<Gpu>> = elements(log, "gpu").map(gpu).collect();
    Ok(Nvidia {
        pci: Fact::unknown(NOT_SAID),
        module: Fact::unknown(NOT_SAID),
        nouveau: Fact::unknown(NOT_SAID),
        nodes: Fact::unknown(NOT_SAID),
        library: library(log).into(),
        gpus: Fact::Is(gpus?),
        compute: Fact::unknown(NOT_SAID),
        cdi: Fact::unknown(NOT_SAID),
    })
}

fn first_line(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn elements<'a, 'x>(
    node: Node<'a, 'x>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'x>> + use<'a, 'x> {
    node.children()
        .filter(move |child| child.has_tag_name(name))
}

/// The text of an element by its path; none where it is not there.
fn text<'a>(node: Node<'a, '_>, path: &[&'static str]) -> Option<&'a str> {
    let mut node = node;
    for name in path {
        node = elements(node, name).next()?;
    }
    Some(node.text().unwrap_or_default().trim())
}

/// A value by the first of these paths that is there, each older than the one before it.
fn value<'a>(node: Node<'a, '_>, paths: &[&[&'static str]]) -> Result<&'a str, String> {
    let said = paths.iter().find_map(|path| text(node, path));
    match said.ok_or(NOT_SAID)? {
        "" => Err(NOT_SAID.to_owned()),
        "N/A" | "[N/A]" | "Not Supported" | "[Not Supported]" => Err("NotSupported".to_owned()),
        other => Ok(other),
    }
}

/// A number with this unit after it, such as `38 C`. What else stands there, such as
/// `Requested functionality has been deprecated`, is the reason why it is not known.
fn number(node: Node<'_, '_>, paths: &[&[&'static str]], unit: &str) -> Result<u64, String> {
    let said = value(node, paths)?;
    let digits = said.strip_suffix(unit).unwrap_or(said).trim();
    digits
        .parse()
        .map_err(|_| format!("nvidia-smi says `{}`", first_line(said)))
}

fn small(node: Node<'_, '_>, paths: &[&[&'static str]], unit: &str) -> Result<u32, String> {
    let number = number(node, paths, unit)?;
    u32::try_from(number).map_err(|_| format!("nvidia-smi says `{number}`"))
}

fn library(log: Node<'_, '_>) -> Result<Library, String> {
    // From 610 on the driver is told apart as the kernel's and the user's part.
    let driver = value(log, &[&["driver_version"], &["kmd_version"]])?;
    let cuda = value(log, &[&["cuda_version"], &["cuda_umd_version"]])?;
    Ok(Library {
        driver: driver.to_owned(),
        cuda: cuda.to_owned(),
    })
}

fn gpu(node: Node<'_, '_>) -> Result<Gpu> {
    let said = |path: &[&'static str]| {
        value(node, &[path]).map_err(|_| {
            anyhow::anyhow!("nvidia-smi -q -x has a card without <{}>", path.join("/"))
        })
    };
    let mib = |what| number(node, &[&["fb_memory_usage", what]], "MiB");
    let bytes = |mib: u64| mib.saturating_mul(1 << 20);
    Ok(Gpu {
        uuid: said(&["uuid"])?.to_owned(),
        name: said(&["product_name"])?.to_owned(),
        address: address(said(&["pci", "pci_bus_id"])?),
        pci_id: pci_id(said(&["pci", "pci_device_id"])?)?,
        compute_capability: Fact::unknown(NOT_SAID),
        memory_total_bytes: mib("total").map(bytes).into(),
        memory_used_bytes: mib("used").map(bytes).into(),
        temperature_c: small(node, &[&["temperature", "gpu_temp"]], "C").into(),
        slowdown_c: small(node, &[&["temperature", "gpu_temp_slow_threshold"]], "C").into(),
        power_mw: power(node, POWER_DRAW).into(),
        power_limit_mw: power(node, POWER_LIMIT).into(),
        persistence: persistence(node).into(),
        pcie: pcie(node).into(),
        busy: busy(node).into(),
        ecc_uncorrected: ecc_uncorrected(node).into(),
        throttle: throttle(node).into(),
        processes: processes(node).into(),
    })
}

/// What a card draws, in drivers from 545, 535 and before.
const POWER_DRAW: &[&[&str]] = &[
    &["gpu_power_readings", "instant_power_draw"],
    &["gpu_power_readings", "average_power_draw"],
    &["gpu_power_readings", "power_draw"],
    &["power_readings", "power_draw"],
];

/// What it may draw.
const POWER_LIMIT: &[&[&str]] = &[
    &["gpu_power_readings", "current_power_limit"],
    &["gpu_power_readings", "power_limit"],
    &["power_readings", "enforced_power_limit"],
    &["power_readings", "power_limit"],
];

/// `00000000:03:00.0` as the kernel writes it: `0000:03:00.0`.
fn address(bus_id: &str) -> String {
    let lower = bus_id.to_ascii_lowercase();
    match lower.split_once(':') {
        Some((domain, rest)) => format!("{:0>4}:{rest}", domain.trim_start_matches('0')),
        None => lower,
    }
}

/// `1C8210DE`, device before vendor, as `10de:1c82`.
fn pci_id(id: &str) -> Result<String> {
    let digits = id.trim_start_matches("0x");
    match u32::from_str_radix(digits, 16) {
        Ok(id) => Ok(format!("{:04x}:{:04x}", id & 0xffff, id >> 16)),
        Err(_) => bail!("nvidia-smi -q -x has the PCI id `{}`", first_line(id)),
    }
}

/// `39.00 W` in milliwatts. The first that is a number counts: newer drivers have several,
/// of which a card may know one.
fn power(node: Node<'_, '_>, paths: &[&[&'static str]]) -> Result<u32, String> {
    let mut why = None;
    for path in paths {
        match value(node, &[path]).and_then(milliwatts) {
            Ok(power) => return Ok(power),
            Err(reason) if text(node, path).is_some() => why = why.or(Some(reason)),
            Err(_) => {}
        }
    }
    Err(why.unwrap_or_else(|| NOT_SAID.to_owned()))
}

fn milliwatts(said: &str) -> Result<u32, String> {
    let watts = said.strip_suffix('W').unwrap_or(said).trim();
    match watts.parse::<f64>() {
        // No card draws a megawatt, so it fits.
        Ok(watts) if (0.0..1e6).contains(&watts) => Ok((watts * 1000.0).round() as u32),
        _ => Err(format!("nvidia-smi says `{}`", first_line(said))),
    }
}

fn persistence(node: Node<'_, '_>) -> Result<bool, String> {
    match value(node, &[&["persistence_mode"]])? {
        "Enabled" => Ok(true),
        "Disabled" => Ok(false),
        other => Err(format!("nvidia-smi says `{}`", first_line(other))),
    }
}

fn pcie(node: Node<'_, '_>) -> Result<PcieLink, String> {
    let of = |group, name| small(node, &[&["pci", "pci_gpu_link_info", group, name]], "x");
    Ok(PcieLink {
        generation: of("pcie_gen", "current_link_gen")?,
        generation_max: of("pcie_gen", "max_link_gen")?,
        width: of("link_widths", "current_link_width")?,
        width_max: of("link_widths", "max_link_width")?,
    })
}

fn busy(node: Node<'_, '_>) -> Result<GpuUse, String> {
    Ok(GpuUse {
        gpu_percent: small(node, &[&["utilization", "gpu_util"]], "%")?,
        memory_percent: small(node, &[&["utilization", "memory_util"]], "%")?,
    })
}

/// Since the driver was loaded. Cards before Volta count by two bits that were wrong; newer
/// ones by where it was.
fn ecc_uncorrected(node: Node<'_, '_>) -> Result<u64, String> {
    let count = |path: &[&'static str]| number(node, &[path], "");
    let older = ["ecc_errors", "volatile", "double_bit", "total"];
    if text(node, &older).is_some() {
        return count(&older);
    }
    let newer = elements(node, "ecc_errors")
        .flat_map(|errors| elements(errors, "volatile"))
        .flat_map(|volatile| volatile.children().filter(Node::is_element))
        .filter(|one| one.tag_name().name().contains("uncorrectable"));
    let each: Vec<Result<u64, String>> = newer.map(|one| number(one, &[&[]], "")).collect();
    let known: Vec<u64> = each.iter().flatten().copied().collect();
    match (known.is_empty(), each.into_iter().find_map(Result::err)) {
        (false, _) => Ok(known.iter().fold(0, |sum, one| sum.saturating_add(*one))),
        (true, why) => Err(why.unwrap_or_else(|| NOT_SAID.to_owned())),
    }
}

/// The reasons that are active, by NVML's names. They were called `throttle` reasons before
/// driver 535.
fn throttle(node: Node<'_, '_>) -> Result<Vec<String>, String> {
    let newer = ("clocks_event_reasons", "clocks_event_reason_");
    let older = ("clocks_throttle_reasons", "clocks_throttle_reason_");
    for (group, start) in [newer, older] {
        let Some(reasons) = elements(node, group).next() else {
            continue;
        };
        let children = || reasons.children().filter(Node::is_element);
        if children().next().is_none() {
            return value(node, &[&[group]]).map(|_| Vec::new());
        }
        let active = children().filter(|one| one.text().map(str::trim) == Some("Active"));
        let name = |one: Node<'_, '_>| {
            let name = one.tag_name().name().strip_prefix(start)?;
            Some(name.to_owned())
        };
        return Ok(active.filter_map(name).collect());
    }
    Err(NOT_SAID.to_owned())
}

/// The programs that compute; those that only draw have the type `G`.
fn processes(node: Node<'_, '_>) -> Result<Vec<GpuProcess>, String> {
    let list = elements(node, "processes").next().ok_or(NOT_SAID)?;
    let infos = elements(list, "process_info");
    if elements(list, "process_info").next().is_none() {
        return match list.text().unwrap_or_default().trim() {
            "" => Ok(Vec::new()),
            _ => value(node, &[&["processes"]]).map(|_| Vec::new()),
        };
    }
    let computes =
        |one: &Node<'_, '_>| text(*one, &["type"]).is_some_and(|kind| kind.contains('C'));
    infos.filter(computes).map(process).collect()
}

fn process(one: Node<'_, '_>) -> Result<GpuProcess, String> {
    let name = value(one, &[&["process_name"]]).ok();
    let program = name.and_then(|path| path.split(' ').next()?.rsplit('/').next());
    Ok(GpuProcess {
        pid: small(one, &[&["pid"]], "")?,
        program: program.map(str::to_owned),
        unit: None,
        memory_bytes: number(one, &[&["used_memory"]], "MiB")
            .ok()
            .map(|mib| mib.saturating_mul(1 << 20)),
    })
}
