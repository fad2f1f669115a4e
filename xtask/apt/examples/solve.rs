//! Reads indexes, chooses, and says how long each took.
//!
//! `solve STATUS INDEX... -- NAME...`; an empty STATUS (`/dev/null`) is a system without packages.

use std::time::Instant;

use lab_apt::{Installed, Pin, Request, Universe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let mut halves = arguments.split(|word| word == "--");
    let files = halves.next().unwrap_or_default();
    let requests: Vec<_> = halves.flatten().map(|name| Request::newest(name)).collect();
    let bytes = files
        .iter()
        .map(std::fs::read)
        .collect::<Result<Vec<_>, _>>()?;
    let (status, indexes) = bytes
        .split_first()
        .ok_or("solve STATUS INDEX... -- NAME...")?;
    let start = Instant::now();
    let mut universe = Universe::new("amd64");
    let mut count = 0;
    for (file, bytes) in files.iter().skip(1).zip(indexes) {
        count += universe.add_index(file, &Pin::default(), bytes)?;
    }
    universe.set_installed(&Installed::from_status(status, "amd64")?);
    let read = start.elapsed();
    let solution = universe.solve(&requests)?;
    let solved = start.elapsed() - read;
    for chosen in &solution.chosen {
        println!("{} {} {}", chosen.name, chosen.version, chosen.filename);
    }
    eprintln!(
        "{count} packages read in {read:.2?}, {} chosen in {solved:.2?}",
        solution.chosen.len()
    );
    Ok(())
}
