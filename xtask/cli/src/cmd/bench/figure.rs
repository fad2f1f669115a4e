//! A figure, what it may be at most, and the table of them.

use std::time::Duration;

use anyhow::anyhow;

use crate::Done;
use crate::failure::Failure;
use crate::ui::{ASIDE, BAD, GOOD, STRONG};

/// A figure and what it may be.
pub(super) struct Figure {
    pub(super) what: &'static str,
    /// Or why there is none.
    pub(super) value: Result<f64, String>,
    pub(super) unit: &'static str,
    pub(super) at_most: f64,
}

impl Figure {
    /// A ratio of times, to be at most `at_most`.
    pub(super) fn ratio(what: &'static str, one: Duration, other: Duration, at_most: f64) -> Self {
        Self {
            what,
            value: Ok(one.as_secs_f64() / other.as_secs_f64().max(1e-9)),
            unit: "x",
            at_most,
        }
    }

    /// A part of a whole in percent, to be at most `at_most`.
    pub(super) fn percent(what: &'static str, part: u64, whole: u64, at_most: f64) -> Self {
        Self {
            what,
            value: Ok(part as f64 * 100.0 / whole.max(1) as f64),
            unit: "%",
            at_most,
        }
    }

    /// What was not measured, and why.
    pub(super) fn not_run(what: &'static str, why: String) -> Self {
        Self {
            what,
            value: Err(why),
            unit: "",
            at_most: 0.0,
        }
    }

    pub(super) fn met(&self) -> bool {
        self.value
            .as_ref()
            .is_ok_and(|value| *value <= self.at_most)
    }
}

/// Prints the table; an error where an aim was missed or could not be measured.
pub(super) fn report(figures: &[Figure]) -> Done {
    anstream::println!("\n{STRONG}{:44} {:>10}   aim{STRONG:#}", "figure", "here");
    for figure in figures {
        let (what, unit) = (figure.what, figure.unit);
        let style = if figure.met() { GOOD } else { BAD };
        match &figure.value {
            Ok(value) => anstream::println!(
                "{what:44} {style}{value:6.2} {unit:3}{style:#}   at most {} {unit}",
                figure.at_most
            ),
            Err(why) => anstream::println!("{what:44} {ASIDE}not run{ASIDE:#}: {why}"),
        }
    }
    match !figures.is_empty() && figures.iter().all(Figure::met) {
        true => Ok(()),
        false => Err(Failure::Environment(anyhow!(
            "an aim was missed, or could not be measured"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_whole_is_in_percent() {
        let figure = Figure::percent("", 3, 400, 1.0);
        assert_eq!(figure.value, Ok(0.75));
        assert!(figure.met());
        assert!(!Figure::percent("", 5, 400, 1.0).met());
        assert!(Figure::percent("", 0, 400, 0.0).met());
    }

    #[test]
    fn a_ratio_is_of_the_first_to_the_second() {
        let [one, two] = [1, 2].map(Duration::from_secs);
        assert!(Figure::ratio("", one, two, 0.5).met());
        assert!(!Figure::ratio("", two, one, 1.9).met());
    }

    #[test]
    fn what_was_not_measured_is_never_met() {
        let missing = Figure::not_run("", "no root".to_owned());
        assert!(!missing.met());
        assert!(report(&[missing]).is_err());
        assert!(report(&[]).is_err());
        assert!(report(&[Figure::percent("", 0, 1, 0.0)]).is_ok());
    }
}
