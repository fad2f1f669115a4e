//! `init`: a description drafted from a living machine.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use lab_accept::draft::{Answers, Draft, FixedAddress, Question, draft, questions};
use lab_accept::gather::{self, Link};
use lab_facts::{Fact, Facts, Request};
use lab_machine::types::{HostName, MacAddress, Subnet};
use lab_machine::{Severity, Sources};
use lab_remote::{Privilege, Target};

use crate::failure::Failure;
use crate::reach::HostArg;
use crate::ui::{ASIDE, STRONG};
use crate::{Done, lab, probe};

/// Writes a machine.toml from a living machine.
///
/// Maker, memory, disk, network and cards are seen; what cannot be seen is asked for on a
/// terminal, else left in the file as a comment `To be filled in`. Nothing is changed on
/// the machine.
///
/// Exit codes: 0 written, 1 written but something in it has to be filled in or corrected,
/// or nothing written because the file is there already, 2 could not run.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    living: Living,
    /// Sign in with this key and no other.
    #[arg(long, value_name = "FILE", requires = "host")]
    identity: Option<PathBuf>,
    /// What the machine is to be called; by default its host name.
    #[arg(long, short, value_name = "NAME")]
    machine: Option<HostName>,
    /// The file to write; by default images/NAME/machine.toml.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file if it is there.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Living {
    /// The machine to look at, such as `me@192.0.2.7:22` or a host of ~/.ssh/config.
    #[arg(long, value_name = "[USER@]HOST[:PORT]")]
    host: Option<Target>,
    /// Look at this machine.
    #[arg(long)]
    local: bool,
}

/// A probe's answer is no longer.
const MAX_FACTS: u64 = 16 << 20;

/// How long the probe's answer may take; its own deadline is shorter.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is written beside a description under images/, for editors.
const SCHEMA: &str = "../machine.schema.json";

pub(crate) fn run(arguments: &Arguments) -> Done {
    let (facts, user) = see(arguments)?;
    let catalog = lab::catalog()?;
    let mut answers = Answers {
        name: arguments.machine.clone(),
        user,
        ..Answers::default()
    };
    if std::io::stdin().is_terminal() {
        for question in questions(&facts, catalog, &answers) {
            ask(&question, &mut answers);
        }
    }
    let name = draft(&facts, catalog, &answers).name;
    let out = place(arguments, name.as_ref())?;
    if !arguments.force && out.exists() {
        return Err(Failure::input(format!(
            "{} is there already: nothing was written; --force overwrites it, --out or --machine name another",
            out.display()
        )));
    }
    answers.schema = schema_beside(&out).then(|| SCHEMA.to_owned());
    let draft = draft(&facts, catalog, &answers);
    let errors = check(&draft, &out)?;
    write(&draft.text, &out, arguments.force)?;
    tell(&draft, &out, errors)
}

/// What is seen on the machine, and who signed in.
fn see(arguments: &Arguments) -> Result<(Facts, Option<String>), Failure> {
    match &arguments.living.host {
        Some(host) => {
            let host = HostArg::new(host.clone(), arguments.identity.clone());
            let (facts, user) = facts_of_host(&host)?;
            Ok((facts, Some(user)))
        }
        None => Ok((facts_of_this_machine()?, std::env::var("USER").ok())),
    }
}

/// What is asked of the probe for a description.
fn request() -> Request {
    Request {
        format: lab_facts::FORMAT,
        ollama: Some("127.0.0.1:11434".to_owned()),
        ..Request::default()
    }
}

/// Asks the probe on another machine; with the user that signed in.
fn facts_of_host(host: &HostArg) -> Result<(Facts, String), Failure> {
    let connection = host.unknown()?.sign_in()?;
    let user = connection.endpoint().user.clone();
    let mut link = Link {
        connection,
        privilege: Privilege::None("a description needs no root".to_owned()),
    };
    let build = || probe::program().map(<[u8]>::to_vec).map_err(Failure::why);
    let facts = gather::facts(&mut link, request(), &build);
    match facts.map_err(|lost| Failure::Environment(lost.into()))? {
        Fact::Is(facts) => Ok((facts, user)),
        Fact::Unknown(why) => Err(Failure::Environment(anyhow!("{why}"))),
    }
}

/// Asks the probe here.
fn facts_of_this_machine() -> Result<Facts, Failure> {
    let folder = tempfile::tempdir().context("making a folder for the probe")?;
    let program = folder.path().join("lab-probe");
    std::fs::write(&program, probe::program()?).context("writing the probe")?;
    let may_run = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&program, may_run).context("writing the probe")?;
    let mut child = Command::new(&program)
        .arg("facts")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("running the probe")?;
    let request = serde_json::to_vec(&request()).context("asking the probe")?;
    if let Some(mut stdin) = child.stdin.take() {
        // A probe that ended already says why itself.
        let _ = stdin.write_all(&request);
    }
    let (send, receive) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut answer = Vec::new();
            let read = stdout.take(MAX_FACTS).read_to_end(&mut answer);
            send.send(read.map(|_| answer))
        });
    }
    let Ok(answer) = receive.recv_timeout(PATIENCE) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(Failure::Environment(anyhow!(
            "the probe did not answer within {} s",
            PATIENCE.as_secs()
        )));
    };
    let answer = answer.context("reading the probe's answer")?;
    let status = child.wait().context("waiting for the probe")?;
    match status.success() {
        true => read_facts(&answer),
        false => Err(Failure::Environment(anyhow!(
            "the probe ended with {status}: see above"
        ))),
    }
}

fn read_facts(json: &[u8]) -> Result<Facts, Failure> {
    let facts: Facts = serde_json::from_slice(json).context("reading the probe's answer")?;
    match facts.format == lab_facts::FORMAT {
        true => Ok(facts),
        false => Err(Failure::Environment(anyhow!(
            "the probe speaks format {}, expected {}: build both from one checkout",
            facts.format,
            lab_facts::FORMAT
        ))),
    }
}

/// Where the description goes.
fn place(arguments: &Arguments, name: Option<&HostName>) -> Result<PathBuf, Failure> {
    match (&arguments.out, name) {
        (Some(out), _) => Ok(out.clone()),
        (None, Some(name)) => {
            let images = lab::workspace()?.join("images");
            Ok(images.join(name.as_str()).join("machine.toml"))
        }
        (None, None) => Err(Failure::input(
            "the machine has no name of its own: give it one with --machine, or a place with --out",
        )),
    }
}

fn schema_beside(out: &Path) -> bool {
    let folder = out.parent().unwrap_or(Path::new(""));
    folder
        .parent()
        .is_some_and(|above| above.join("machine.schema.json").is_file())
}

/// Reads the draft back as any description is read; how many errors there are in it.
fn check(draft: &Draft, out: &Path) -> Result<usize, Failure> {
    let sources = Sources::single(out.to_string_lossy(), draft.text.as_str());
    let outcome = lab_machine::read(&sources, lab::catalog()?, Some(lab::today()));
    for finding in &outcome.diagnostics {
        anstream::eprintln!("{}\n", finding.render(&sources, true));
    }
    let is_error = |one: &&lab_machine::Diagnostic| one.severity == Severity::Error;
    Ok(outcome.diagnostics.iter().filter(is_error).count())
}

/// Beside it first: a description that is half written must not be found under its name.
fn write(text: &str, out: &Path, force: bool) -> Result<(), Failure> {
    let what = || format!("writing {}", out.display());
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).with_context(what)?;
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(parent)
        .with_context(what)?;
    file.write_all(text.as_bytes()).with_context(what)?;
    file.as_file().sync_all().with_context(what)?;
    let done = match force {
        true => file.persist(out),
        false => file.persist_noclobber(out),
    };
    done.map(drop)
        .map_err(|error| error.error)
        .with_context(what)?;
    Ok(())
}

/// Says what was written and what is left to do.
fn tell(draft: &Draft, out: &Path, errors: usize) -> Done {
    anstream::println!("{STRONG}{}{STRONG:#}", out.display());
    for open in &draft.open {
        anstream::eprintln!("{ASIDE}to be filled in{ASIDE:#}: {open}");
    }
    match errors {
        0 => Ok(()),
        _ => {
            anstream::eprintln!(
                "Nothing can be built from it before its errors are mended: `cargo xtask check` shows them again."
            );
            Err(Failure::Said)
        }
    }
}

/// Asks until the answer can be taken, or there is none.
fn ask(question: &Question, answers: &mut Answers) {
    match question {
        Question::Name => {
            answers.name = answer("What is the machine to be called (such as gpu-server)?");
        }
        Question::PowerSupply { sold_with } => {
            let sold: Vec<String> = sold_with.iter().map(ToString::to_string).collect();
            let hint = match sold.is_empty() {
                true => String::new(),
                false => format!("; this model was sold with {}", sold.join(", ")),
            };
            answers.power_supply_w = answer(&format!(
                "How many watts does its power supply give? Its label says it{hint}."
            ));
        }
        Question::Disk { candidates } => answers.disk = ask_for_disk(candidates),
        Question::FixedAddress { mac, address } => {
            answers.fixed = ask_for_address(mac, address);
        }
    }
}

fn ask_for_disk(candidates: &[(String, String)]) -> Option<String> {
    anstream::eprintln!("Which disk may the installer write?");
    for (index, (_, words)) in candidates.iter().enumerate() {
        anstream::eprintln!("  {}  {words}", index + 1);
    }
    let number: usize = answer("Its number?")?;
    let chosen = number
        .checked_sub(1)
        .and_then(|index| candidates.get(index));
    chosen.map(|(name, _)| name.clone())
}

fn ask_for_address(mac: &MacAddress, address: &Subnet) -> Option<FixedAddress> {
    let question = format!("Is {address} a fixed address of the machine (else: DHCP)? [y/N] ");
    if !crate::reach::confirmed(&question) {
        return None;
    }
    let gateway: IpAddr = answer("Its gateway?")?;
    let dns = line("Its name servers, with blanks between?")?;
    let dns: Result<Vec<IpAddr>, _> = dns.split_whitespace().map(str::parse).collect();
    Some(FixedAddress {
        mac: mac.clone(),
        address: address.clone(),
        gateway,
        dns: dns.ok().filter(|all| !all.is_empty())?,
    })
}

/// How often somebody may mistype.
const TRIES: usize = 3;

/// Asks for a value; an empty line says that nobody knows.
fn answer<T: std::str::FromStr<Err: std::fmt::Display>>(question: &str) -> Option<T> {
    for _ in 0..TRIES {
        match line(question)?.parse() {
            Ok(value) => return Some(value),
            Err(why) => anstream::eprintln!("{why}"),
        }
    }
    None
}

fn line(question: &str) -> Option<String> {
    anstream::eprint!("{question} (empty: leave it open) ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let line = line.trim();
    (read.is_ok() && !line.is_empty()).then(|| line.to_owned())
}
