//! Time and bytes of a write: ours against `dd` and `cmp`, on a loop device.
//!
//! `bench IMAGE FOLDER [RUNS]`, as root: the file behind the loop device is made in FOLDER.
//! The runs of both take turns, and the fastest of each is compared: where a computer gives
//! its memory back, single runs differ by more than the programs do. It prints the ratio,
//! and what is written after an edit of 2 KiB near the image's end.
//!
//! A loop device is faster than any stick: the figures are the programs' own cost, an upper
//! bound of it.

use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use lab_stick::{Consent, Host, Job, Kinds, Mode, Written, candidate, write};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [image, folder] => bench(Path::new(image), Path::new(folder), 3),
        [image, folder, runs] => runs
            .parse()
            .map_err(Into::into)
            .and_then(|runs| bench(Path::new(image), Path::new(folder), runs)),
        _ => Err("usage: bench IMAGE FOLDER [RUNS]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(image: &Path, folder: &Path, runs: u32) -> Result<()> {
    let size = std::fs::metadata(image)?.len();
    let disk = folder.join("bench-disk");
    let copy = folder.join("bench-image");
    std::fs::copy(image, &copy)?;
    let file = std::fs::File::create(&disk)?;
    file.set_len(size.next_multiple_of(1 << 20) + (8 << 20))?;
    let node = said(
        "losetup",
        &["--find", "--show", &disk.display().to_string()],
    )?;
    let measured = measure(&copy, &node, runs, size);
    said("losetup", &["-d", &node])?;
    std::fs::remove_file(&disk)?;
    std::fs::remove_file(&copy)?;
    measured
}

fn measure(image: &Path, node: &str, runs: u32, size: u64) -> Result<()> {
    let name = node.trim_start_matches("/dev/");
    let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
    for _ in 0..runs {
        ours = ours.min(timed(|| put(name, image, Mode::Whole).map(drop))?);
        theirs = theirs.min(timed(|| dd_and_cmp(image, node, size))?);
    }
    println!("image          {size} bytes");
    println!(
        "ours           {:.2} s (written, read back, compared)",
        ours.as_secs_f64()
    );
    println!("dd and cmp     {:.2} s", theirs.as_secs_f64());
    println!(
        "ratio          {:.2}",
        ours.as_secs_f64() / theirs.as_secs_f64()
    );
    put(name, image, Mode::Whole)?;
    let again = put(name, image, Mode::Changes)?;
    println!("second run     {} bytes written", again.written);
    let file = std::fs::OpenOptions::new().write(true).open(image)?;
    file.write_all_at(&[0x5a; 2048], size - size / 16)?;
    let began = Instant::now();
    let edited = put(name, image, Mode::Changes)?;
    println!(
        "after an edit  {} bytes written, {:.3} % of the image, in {:.2} s",
        edited.written,
        edited.written as f64 * 100.0 / size as f64,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn timed(act: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let began = Instant::now();
    act()?;
    Ok(began.elapsed())
}

fn put(name: &str, image: &Path, mode: Mode) -> Result<Written> {
    let host = Host::this();
    let survey = host.survey()?;
    let need = std::fs::metadata(image)?.len();
    let found = candidate(&survey, name, need, Kinds { test_devices: true })?;
    let stick = found
        .confirm(&Consent::Typed(name.to_owned()), &survey)?
        .open(&host)?;
    let progress = &mut |_| ControlFlow::Continue(());
    Ok(write(
        &stick,
        Job {
            image,
            mode,
            note: "bench",
            progress,
        },
    )?)
}

/// What people do by hand: `dd` past the cache, and `cmp` of what is on the disk then.
fn dd_and_cmp(image: &Path, node: &str, size: u64) -> Result<()> {
    let (from, to) = (format!("if={}", image.display()), format!("of={node}"));
    said(
        "dd",
        &[
            &from,
            &to,
            "bs=4M",
            "oflag=direct",
            "conv=fsync",
            "status=none",
        ],
    )?;
    said("blockdev", &["--flushbufs", node])?;
    said(
        "cmp",
        &["-n", &size.to_string(), &image.display().to_string(), node],
    )?;
    Ok(())
}

fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(format!("{program} {arguments:?} failed: {}", output.status).into()),
    }
}
