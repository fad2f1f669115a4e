//! Curves: what was measured over time, in as many points as a page can hold.
//!
//! A curve is thinned by its smallest and largest value of each span of time, so no peak is
//! lost, and broken wherever a value is missing. Its points stay in the units of what was
//! measured: the page scales them, and can read them off again.

use std::fmt::Write as _;

use serde::Serialize;

/// Spans of time that a curve is thinned to; each leaves two points.
const SPANS: usize = 300;

/// A point of a curve; without a value it is a gap.
pub(super) type Point = (f64, Option<f64>);

/// One quantity over time, as the page's template draws it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Chart {
    /// What is measured.
    pub(super) title: String,
    /// In what; empty for a bare number.
    pub(super) unit: String,
    /// What the axis below counts, such as `s`.
    pub(super) across: String,
    /// Where the axis below ends, which begins at 0.
    pub(super) width: String,
    /// Where the axis at the side ends, which begins at 0.
    pub(super) height: String,
    /// Marks at the side, from above.
    pub(super) up: Vec<String>,
    /// Marks below, from the left.
    pub(super) along: Vec<String>,
    /// The curves.
    pub(super) curves: Vec<Curve>,
}

/// A curve.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Curve {
    /// What it is of.
    pub(super) name: String,
    /// Its class in the style sheet, which gives it its colour.
    pub(super) class: String,
    /// An SVG path (SVG 2, section 9.3) in the units of what was measured.
    pub(super) path: String,
    /// Its least, mean and greatest value in words; empty where it has none.
    pub(super) least: String,
    /// The mean of its values.
    pub(super) mean: String,
    /// The greatest.
    pub(super) most: String,
}

/// A curve before it is drawn.
pub(super) struct Measured {
    /// What it is of.
    pub(super) name: String,
    /// Its class in the style sheet.
    pub(super) class: String,
    /// Its points, in their order.
    pub(super) points: Vec<Point>,
}

/// Draws curves of one quantity; none where not one of them has a value. `top` is where the
/// axis at the side ends, where that is fixed.
pub(super) fn chart(
    title: &str,
    unit: &str,
    across: &str,
    top: Option<f64>,
    measured: &[Measured],
) -> Option<Chart> {
    let all = || measured.iter().flat_map(|one| &one.points);
    let highest = all().filter_map(|(_, value)| *value).reduce(f64::max)?;
    let height = top
        .filter(|top| *top >= highest)
        .unwrap_or_else(|| ceiling(highest));
    let end = all().map(|(at, _)| *at).reduce(f64::max)?;
    // Five marks below, each at a round number.
    let width = 4.0 * ceiling(end / 4.0);
    let marks = |parts: u32| (0..=parts).map(move |part| f64::from(part) / f64::from(parts));
    Some(Chart {
        title: title.to_owned(),
        unit: unit.to_owned(),
        across: across.to_owned(),
        width: plain(width),
        height: plain(height),
        up: marks(2).map(|part| mark(height * (1.0 - part))).collect(),
        along: marks(4).map(|part| mark(width * part)).collect(),
        curves: measured.iter().map(curve).collect(),
    })
}

fn curve(measured: &Measured) -> Curve {
    let values: Vec<f64> = measured
        .points
        .iter()
        .filter_map(|(_, value)| *value)
        .collect();
    let said = |value: Option<f64>| value.map(super::plain::number).unwrap_or_default();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Curve {
        name: measured.name.clone(),
        class: measured.class.clone(),
        path: path(&thin(&measured.points)),
        least: said(values.iter().copied().reduce(f64::min)),
        mean: said((!values.is_empty()).then_some(mean)),
        most: said(values.iter().copied().reduce(f64::max)),
    }
}

/// The least round number that is not below `value`: of one digit, or one and a half.
fn ceiling(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let ten = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0];
    let fits = steps.into_iter().find(|step| step * ten >= value);
    fits.unwrap_or(10.0) * ten
}

/// A number as SVG reads it: no more than three places.
fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number at an axis.
fn mark(value: f64) -> String {
    match value {
        1000.0.. => format!("{value:.0}"),
        _ => super::plain::number(value),
    }
}

/// The smallest and the largest value of each span, in their order; and a gap wherever one
/// was in it.
fn thin(points: &[Point]) -> Vec<Point> {
    if points.len() <= 2 * SPANS {
        return points.to_vec();
    }
    let span = points.len().div_ceil(SPANS);
    points.chunks(span).flat_map(thin_span).collect()
}

fn thin_span(points: &[Point]) -> Vec<Point> {
    let known = || {
        let all = points.iter().enumerate();
        all.filter_map(|(index, (_, value))| Some((index, (*value)?)))
    };
    let least = known().min_by(|one, other| one.1.total_cmp(&other.1));
    let most = known().max_by(|one, other| one.1.total_cmp(&other.1));
    let gap = points.iter().position(|(_, value)| value.is_none());
    let mut kept = vec![
        least.map(|(index, _)| index),
        most.map(|(index, _)| index),
        gap,
    ];
    // A curve begins and ends where its values do.
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter()
        .flatten()
        .map(|index| points[index])
        .collect()
}

/// The points as lines, with a new beginning after each gap. A value that stands alone is a
/// line to itself, which round ends make a dot.
fn path(points: &[Point]) -> String {
    let mut path = String::new();
    let runs = points.split(|(_, value)| value.is_none());
    for run in runs.filter(|run| !run.is_empty()) {
        for (index, (at, value)) in run.iter().enumerate() {
            let letter = if index == 0 { 'M' } else { 'L' };
            let value = value.unwrap_or_default();
            let _ = write!(path, "{letter}{} {}", plain(*at), plain(value));
        }
        if run.len() == 1 {
            path.push_str("h0");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(points: Vec<Point>) -> Chart {
        let measured = Measured {
            name: "gt1030".to_owned(),
            class: "s0".to_owned(),
            points,
        };
        chart("Utilisation", "%", "s", None, &[measured]).unwrap()
    }

    #[test]
    fn a_curve_is_broken_where_a_value_is_missing() {
        let points = vec![
            (0.0, Some(1.0)),
            (0.25, Some(2.5)),
            (0.5, None),
            (0.75, Some(97.0)),
            (1.0, None),
            (1.25, None),
            (1.5, Some(3.0)),
            (1.75, Some(4.0)),
        ];
        let chart = drawn(points);
        assert_eq!(chart.curves[0].path, "M0 1L0.25 2.5M0.75 97h0M1.5 3L1.75 4");
        assert_eq!((chart.height.as_str(), chart.width.as_str()), ("100", "2"));
        assert_eq!(chart.up, ["100", "50", "0"]);
        assert_eq!(chart.curves[0].least, "1");
        assert_eq!(chart.curves[0].most, "97");
    }

    #[test]
    fn a_peak_and_a_gap_survive_thinning() {
        let value = |index: usize| match index {
            31_234 => Some(99.0),
            7_777 => Some(1.0),
            20_000..=20_999 => None,
            _ => Some(50.0),
        };
        let points = (0..50_000)
            .map(|index| (index as f64, value(index)))
            .collect();
        let path = drawn(points).curves[0].path.clone();
        assert!(
            path.contains("L31234 99") && path.contains("L7777 1"),
            "{path}"
        );
        assert!(path.matches('M').count() >= 2, "the gap is closed");
        assert!(!path.contains(" 0"), "a missing value is drawn as none");
        assert!(path.len() < 12_000, "{} bytes", path.len());
    }

    #[test]
    fn nothing_measured_is_no_chart() {
        assert!(chart("Power", "W", "s", None, &[]).is_none());
        let silent = Measured {
            name: String::new(),
            class: String::new(),
            points: vec![(0.0, None), (1.0, None)],
        };
        assert!(chart("Power", "W", "s", None, &[silent]).is_none());
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        let values = [0.0, 0.3, 1.0, 1.1, 42.0, 61.0, 97.0, f64::NAN, 2_345.0];
        let ends = [1.0, 0.3, 1.0, 1.5, 50.0, 70.0, 100.0, 1.0, 2_500.0];
        for (value, end) in values.into_iter().zip(ends) {
            assert!(
                (ceiling(value) - end).abs() < 1e-9,
                "{value}: {}",
                ceiling(value)
            );
        }
    }

    #[test]
    fn one_sample_and_mad_values_are_drawn_without_harm() {
        let chart = drawn(vec![(5.0, Some(7.0))]);
        assert_eq!(
            (chart.width.as_str(), chart.curves[0].path.as_str()),
            ("6", "M5 7h0")
        );
        let chart = drawn(vec![(0.0, Some(1e300)), (1.0, Some(0.0))]);
        assert!(!chart.height.contains("inf") && !chart.height.contains("NaN"));
    }
}
