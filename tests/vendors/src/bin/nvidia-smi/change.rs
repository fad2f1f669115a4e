//! What can be set: the power limit and the persistence mode.

use lab_vendors::words;
use nvml_wrapper::Device;
use nvml_wrapper::error::NvmlError;

use crate::failure::Failure;
use crate::fields;
use crate::say;

/// What the real program says last when nothing went wrong.
const DONE: &str = "All done.";

/// `nvidia-smi -pl WATTS`.
pub(crate) fn power_limit(
    cards: Vec<Device<'_>>,
    watts: f64,
    out: &mut String,
) -> Result<(), Failure> {
    for mut card in cards {
        let bus = fields::bus_id(&card)?;
        match limit(&mut card, watts, &bus, out) {
            Err(NvmlError::NotSupported) => warn("power management limit", &bus, out),
            Err(error) => return Err(failed("power management limit", &bus, &error)),
            Ok(refused) => refused?,
        }
    }
    say!(out, "{DONE}");
    Ok(())
}

/// Sets one card's limit. The inner error is a limit out of range.
fn limit(
    card: &mut Device<'_>,
    watts: f64,
    bus: &str,
    out: &mut String,
) -> Result<Result<(), Failure>, NvmlError> {
    let range = card.power_management_limit_constraints()?;
    let (least, most) = (
        f64::from(range.min_limit) / 1000.0,
        f64::from(range.max_limit) / 1000.0,
    );
    if !(least..=most).contains(&watts) {
        return Ok(Err(Failure::usage(&format!(
            "Provided power limit {watts:.2} W is not a valid power limit which should be \
             between {least:.2} W and {most:.2} W for GPU {bus}\n\
             Terminating early due to previous errors."
        ))));
    }
    let before = f64::from(card.power_management_limit()?) / 1000.0;
    // Within the card's range, which NVML gives in 32 bits.
    card.set_power_management_limit((watts * 1000.0).round() as u32)?;
    say!(
        out,
        "Power limit for GPU {bus} was set to {watts:.2} W from {before:.2} W."
    );
    if !card.is_in_persistent_mode().unwrap_or(true) {
        say!(
            out,
            "\nWarning: persistence mode is disabled on device {bus}. See the Known Issues \
             section of the nvidia-smi(1) man page for more information."
        );
    }
    Ok(Ok(()))
}

/// `nvidia-smi -pm 0|1`.
pub(crate) fn persistence_mode(
    cards: Vec<Device<'_>>,
    on: bool,
    out: &mut String,
) -> Result<(), Failure> {
    let word = if on { "Enabled" } else { "Disabled" };
    for mut card in cards {
        let bus = fields::bus_id(&card)?;
        match mode(&mut card, on) {
            Ok(true) => say!(out, "{word} persistence mode for GPU {bus}."),
            Ok(false) => say!(out, "Persistence mode is already {word} for GPU {bus}."),
            Err(NvmlError::NotSupported) => warn("persistence mode", &bus, out),
            Err(error) => return Err(failed("persistence mode", &bus, &error)),
        }
    }
    say!(out, "{DONE}");
    Ok(())
}

/// Sets one card's mode; whether it was another before.
fn mode(card: &mut Device<'_>, on: bool) -> Result<bool, NvmlError> {
    if card.is_in_persistent_mode()? == on {
        return Ok(false);
    }
    card.set_persistent(on)?;
    Ok(true)
}

fn warn(what: &str, bus: &str, out: &mut String) {
    say!(
        out,
        "Changing {what} is not supported for GPU: {bus}.\nTreating as warning and moving on."
    );
}

fn failed(what: &str, bus: &str, error: &NvmlError) -> Failure {
    let (words, status) = words::of(error);
    Failure {
        text: format!(
            "Unable to set {what} for GPU {bus}: {words}\n\
             Terminating early due to previous errors."
        ),
        status,
    }
}
