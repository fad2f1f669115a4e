//! The list for people: a line for each component in columns, and totals. No line is longer
//! than [`WIDTH`]; what does not fit is cut, and the other forms have all of it.

use crate::inventory::{Component, Inventory, Kind};
use crate::licence::Licence;

/// The longest line, in characters.
const WIDTH: usize = 100;
const COLUMNS: usize = 7;
/// Digits of a digest that are shown: enough to find it in the lock.
const DIGITS: usize = 12;
/// The columns that may be cut: name, version, licence, from; and none below this.
const MAY_SHRINK: [usize; 4] = [1, 2, 4, 5];
const NARROWEST: usize = 8;
/// The column of sizes is flush right.
const SIZE: usize = 3;

type Row = [String; COLUMNS];

/// The list as text.
#[must_use]
pub fn text(list: &Inventory) -> String {
    let head = [
        "kind", "name", "version", "size", "licence", "from", "sha256",
    ]
    .map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(list.components.iter().map(row));
    let widths = widths(&rows);
    let mut text = format!(
        "{}, as machine.lock sha256:{} has it\n\n",
        list.machine,
        short(&list.lock.to_string())
    );
    for row in &rows {
        text.push_str(&line(row, &widths));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&totals(list));
    text
}

fn row(one: &Component) -> Row {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let supplier = (!one.supplier.is_empty()).then(|| one.supplier.clone());
    [
        one.kind.name().to_owned(),
        one.name.clone(),
        or_dash(one.version.clone()),
        or_dash(one.size.map(size)),
        or_dash(one.licence.as_ref().map(licence)),
        or_dash(supplier),
        or_dash(
            one.sha256
                .map(|digest| short(&digest.to_string()).to_owned()),
        ),
    ]
}

/// A licence without the mark of a name that SPDX does not list: that is for programs.
fn licence(licence: &Licence) -> String {
    licence.as_str().replace("LicenseRef-", "")
}

fn short(digest: &str) -> &str {
    digest.get(..DIGITS).unwrap_or(digest)
}

/// Bytes in decimal units, three digits at least.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    let unit = UNITS.iter().find(|(unit, _)| bytes >= *unit);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(unit, name)| format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10)),
    )
}

/// As wide as the widest value, the widest columns narrowed until a line fits.
fn widths(rows: &[Row]) -> [usize; COLUMNS] {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    while widths.iter().sum::<usize>() + COLUMNS - 1 > WIDTH {
        let widest = widths
            .iter_mut()
            .enumerate()
            .filter(|(column, width)| MAY_SHRINK.contains(column) && **width > NARROWEST)
            .max_by_key(|(_, width)| **width);
        match widest {
            Some((_, width)) => *width -= 1,
            None => break,
        }
    }
    widths
}

fn line(row: &Row, widths: &[usize; COLUMNS]) -> String {
    let cells: Vec<String> = row
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(column, (cell, width))| {
            let cell = cut(cell, *width);
            match column {
                SIZE => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            }
        })
        .collect();
    cells.join(" ").trim_end().to_owned()
}

/// Cuts at the end; an image's reference at its start, as its end tells more. What a terminal
/// would obey is not passed on.
fn cut(text: &str, width: usize) -> String {
    let text = &text.replace(char::is_control, "\u{fffd}");
    let (count, kept) = (text.chars().count(), width.saturating_sub(1));
    if count <= width {
        return text.clone();
    }
    match text.contains('/') {
        true => format!("…{}", text.chars().skip(count - kept).collect::<String>()),
        false => format!("{}…", text.chars().take(kept).collect::<String>()),
    }
}

fn totals(list: &Inventory) -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        let all: Vec<&Component> = list.of_kind(kind).collect();
        if all.is_empty() {
            continue;
        }
        let sizes = all.iter().filter_map(|one| one.size);
        let bytes = sizes.reduce(u64::saturating_add);
        let bytes = bytes.map_or_else(|| "-".to_owned(), size);
        text.push_str(&format!("{:<8} {:>6} {:>9}", kind.name(), all.len(), bytes));
        let unknown = all.iter().filter(|one| one.licence.is_none()).count();
        // Keys have none, and the base image has those of all that is in it.
        if unknown > 0 && !matches!(kind, Kind::Base | Kind::Key) {
            text.push_str(&format!("  {unknown} without a known licence"));
        }
        text.push('\n');
    }
    text
}
