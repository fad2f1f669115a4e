//! `tunnel`: the machine's pages on local ports.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Args;
use lab_machine::Machine;
use lab_remote::{Connection, Forwarding, Secret};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::failure::Failure;
use crate::reach::{HostArg, QUICK, Reached};
use crate::ui::{ASIDE, BAD, GOOD, STRONG};
use crate::{Done, MachineArg, lab};

/// Opens JupyterLab, the training's page and the other services of a machine on local
/// ports, and prints the links.
///
/// The ports are the machine's own where they are free here. It runs until Ctrl-C.
/// Exit codes: 0 closed by Ctrl-C, 1 the input is at fault, 2 could not connect, or the
/// line was lost.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    #[command(flatten)]
    host: HostArg,
    /// The local port of JupyterLab.
    #[arg(long, value_name = "LOCAL")]
    port: Option<u16>,
    /// Print JupyterLab's token even where standard output is no terminal.
    #[arg(long)]
    token: bool,
}

/// Where the machine keeps JupyterLab's token; only root may read it.
const TOKEN: &str = "/etc/lab/secrets/jupyter-token";

/// How long a page may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Something on the machine that answers over HTTP, on loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    /// What it is, for the user.
    title: &'static str,
    /// The lab's unit behind it.
    unit: &'static str,
    /// Where it listens on the machine.
    at: SocketAddr,
    /// What is asked of it, and what the link leads to.
    path: &'static str,
}

/// The described services that answer on loopback. JupyterLab is the first where it is one.
fn services(machine: &Machine) -> Vec<Service> {
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let service = |on: bool, title, unit, at: SocketAddr, path| {
        on.then_some(Service {
            title,
            unit,
            at,
            path,
        })
    };
    let (jupyter, dcgan) = (&machine.jupyter, &machine.dcgan);
    let (ollama, monitoring) = (&machine.ollama, &machine.monitoring);
    let loopback = ollama.listen.ip().is_loopback();
    [
        service(
            jupyter.enabled,
            JUPYTER,
            "jupyter",
            local(jupyter.port),
            "/lab",
        ),
        service(dcgan.enabled, "DCGAN", "dcgan", local(dcgan.port), "/"),
        service(
            ollama.enabled && loopback,
            "Ollama",
            "ollama",
            ollama.listen,
            "/api/version",
        ),
        service(
            monitoring.exporter,
            "exporter",
            "monitoring",
            local(monitoring.exporter_port),
            "/metrics",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What JupyterLab is called here.
const JUPYTER: &str = "JupyterLab";

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    let services = services(machine);
    if services.is_empty() {
        return Err(Failure::input(
            "the description has nothing that a tunnel could lead to: JupyterLab, the training, Ollama and the exporter are off",
        ));
    }
    let mut signals =
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).context("taking over Ctrl-C")?;
    let locals = locals(&services, arguments.port)?;
    let mut connection = arguments.host.connector(machine)?.sign_in()?;
    let status = units(&mut connection);
    let (connection, token) = token(connection, arguments, &services)?;
    let forwardings: Vec<Forwarding> = services
        .iter()
        .zip(&locals)
        .map(|(service, local)| forwarding(service, *local))
        .collect();
    let tunnel = connection
        .forward(&forwardings)
        .context("opening the tunnel")?;
    let name = arguments.host.name();
    for (service, local) in services.iter().zip(tunnel.locals()) {
        let answer = answer(*local, service.path);
        anstream::println!("{}", line(service, *local, &answer, &status, &token, &name));
    }
    anstream::println!("Open until Ctrl-C.");
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            anstream::eprintln!("closed");
            std::process::exit(0);
        }
    });
    match tunnel.wait() {
        Ok(()) => Ok(()),
        Err(why) => Err(Failure::Environment(anyhow!(
            "the tunnel to {name} is closed: {why}; run the command again once the machine can be reached"
        ))),
    }
}

/// Local addresses: the machine's ports where they are free here, else any. The one that
/// was asked for must be free.
fn locals(services: &[Service], wanted: Option<u16>) -> Result<Vec<SocketAddr>, Failure> {
    let mut held = Vec::new();
    let mut locals = Vec::new();
    for (index, service) in services.iter().enumerate() {
        let asked = wanted.filter(|_| index == 0);
        let port = asked.unwrap_or(service.at.port());
        let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let listener = match (listen(port), asked) {
            (Ok(listener), _) => listener,
            (Err(error), Some(port)) => {
                return Err(Failure::input(format!(
                    "the local port {port} cannot be had ({error}): choose another with --port, or leave it out"
                )));
            }
            (Err(_), None) => listen(0).context("finding a free local port")?,
        };
        locals.push(listener.local_addr().context("asking for a port")?);
        // Held until all are chosen, so that no port is chosen twice.
        held.push(listener);
    }
    Ok(locals)
}

fn forwarding(service: &Service, local: SocketAddr) -> Forwarding {
    Forwarding {
        local,
        host: service.at.ip().to_string(),
        port: service.at.port(),
    }
}

/// What `lab status` says, for a reason where a page does not answer; nothing where it
/// says nothing.
fn units(connection: &mut Connection) -> String {
    let output = connection.run("/usr/local/bin/lab status --porcelain", b"", QUICK);
    output.map(|output| output.text()).unwrap_or_default()
}

/// JupyterLab's token, or why it is not shown.
enum Token {
    /// It is this.
    Is(Secret),
    /// It is not shown, and how to get it.
    Hidden(String),
}

/// Reads the token where it may be shown: on the user's own terminal, or where it was
/// asked for.
fn token(
    connection: Connection,
    arguments: &Arguments,
    services: &[Service],
) -> Result<(Connection, Token), Failure> {
    if !services.iter().any(|one| one.title == JUPYTER) {
        return Ok((connection, Token::Hidden(String::new())));
    }
    if !arguments.token && !std::io::stdout().is_terminal() {
        let why =
            "its token is not printed where standard output is no terminal: --token prints it";
        return Ok((connection, Token::Hidden(why.to_owned())));
    }
    let mut reached = Reached::of(connection)?;
    let read = reached.root(
        "reading JupyterLab's token",
        &format!("cat {TOKEN}"),
        b"",
        QUICK,
    );
    let token = match read {
        Ok(text) => checked(&text),
        Err(Failure::Environment(error) | Failure::Input(error)) => {
            Token::Hidden(format!("its token could not be read: {error:#}"))
        }
        Err(Failure::Said) => Token::Hidden("its token could not be read".to_owned()),
    };
    Ok((reached.into_connection(), token))
}

/// Whatever stands in the file gets into a link and onto a terminal.
fn checked(text: &str) -> Token {
    let token = text.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    match (8..=128).contains(&token.len()) && token.chars().all(plain) {
        true => Token::Is(Secret::new(token.to_owned())),
        false => Token::Hidden(format!(
            "what stands in {TOKEN} is no token: `sudo lab retry jupyter` on the machine makes a new one once it is removed"
        )),
    }
}

/// The status of what answers behind a local port, or why nothing does.
fn answer(local: SocketAddr, path: &str) -> Result<u16, String> {
    let until = Instant::now() + ANSWER;
    let failed = |error: std::io::Error| error.to_string();
    let mut socket = TcpStream::connect_timeout(&local, ANSWER).map_err(failed)?;
    socket.set_read_timeout(Some(ANSWER)).map_err(failed)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {local}\r\nConnection: close\r\n\r\n");
    // In one piece: who answers after the first of several would reset the rest.
    socket.write_all(request.as_bytes()).map_err(failed)?;
    let mut head = Vec::new();
    let mut buffer = [0; 256];
    // `HTTP/1.1 200` and no more is needed.
    while head.len() < 12 && Instant::now() < until {
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => head.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if is_late(&error) => return Err("no answer".to_owned()),
            Err(error) => return Err(failed(error)),
        }
    }
    if head.is_empty() {
        return Err("nothing listens there".to_owned());
    }
    status(&head).ok_or_else(|| "what answers is no web server".to_owned())
}

fn is_late(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}

/// The status in the first line of an answer (RFC 9112, section 4).
fn status(head: &[u8]) -> Option<u16> {
    let digits = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What is printed of a service: its link, or why there is none.
fn line(
    service: &Service,
    local: SocketAddr,
    answer: &Result<u16, String>,
    status: &str,
    token: &Token,
    host: &str,
) -> String {
    let title = format!("{STRONG}{:12}{STRONG:#}", service.title);
    match answer {
        Ok(code) if *code < 500 => {
            let link = format!("http://{local}{}", service.path);
            match (service.title, token) {
                (JUPYTER, Token::Is(token)) => {
                    format!("{title} {GOOD}{link}?token={}{GOOD:#}", token.reveal())
                }
                (JUPYTER, Token::Hidden(why)) => {
                    format!(
                        "{title} {GOOD}{link}{GOOD:#}\n{:12} {ASIDE}{why}{ASIDE:#}",
                        ""
                    )
                }
                _ => format!("{title} {GOOD}{link}{GOOD:#}"),
            }
        }
        other => {
            let what = match other {
                Ok(code) => format!("answers with an error ({code})"),
                Err(why) => format!("does not answer: {why}"),
            };
            let reason = reason(status, service.unit)
                .unwrap_or_else(|| format!("`ssh {host} lab status` says more"));
            format!(
                "{title} {BAD}{what}{BAD:#} (port {} there, {} here); {reason}",
                service.at.port(),
                local.port()
            )
        }
    }
}

/// What a unit says of itself in `lab status --porcelain` (six fields, apart by tabs), and
/// whose text may hold anything.
fn reason(status: &str, unit: &str) -> Option<String> {
    let mut lines = status
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let fields = lines.find(|fields| fields.len() == 6 && fields.first() == Some(&unit))?;
    let [_, state, _, _, text, way_out] = fields.as_slice() else {
        return None;
    };
    let parts = [*state, *text, *way_out];
    let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let said = said.join(", ");
    let clean: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
    Some(format!("the unit {unit} is {clean}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_catalog::Catalog;
    use lab_machine::Sources;

    fn machine(more: &str) -> Machine {
        let text = format!(
            "[machine]\nproduct = \"x\"\n[[gpu]]\npci_id = \"10de:1c82\"\n[disk]\nserial = \"ABC123\"\nsize_gb = 250\n{more}"
        );
        let sources = Sources::single("machine.toml", text);
        let outcome = lab_machine::read(&sources, Catalog::builtin(), None);
        outcome.machine.unwrap()
    }

    fn service(at: SocketAddr) -> Service {
        Service {
            title: JUPYTER,
            unit: "jupyter",
            at,
            path: "/lab",
        }
    }

    #[test]
    fn what_is_described_on_loopback_is_led_to() {
        let ports = |machine: &Machine| -> Vec<(&'static str, u16)> {
            let all = services(machine).into_iter();
            all.map(|one| (one.title, one.at.port())).collect()
        };
        let machine = machine("[ollama]\nlisten = \"127.0.0.1:4000\"\n[jupyter]\nport = 9999\n");
        assert_eq!(
            ports(&machine)[..],
            [
                (JUPYTER, 9999),
                ("DCGAN", machine.dcgan.port),
                ("Ollama", 4000),
                ("exporter", 9835)
            ]
        );
        let open = super::tests::machine(
            "[ollama]\nlisten = \"0.0.0.0:11434\"\n[dcgan]\nenabled = false\n[monitoring]\nexporter = false\n",
        );
        assert_eq!(ports(&open), [(JUPYTER, 8888)]);
    }

    #[test]
    fn a_port_that_is_taken_is_replaced_unless_it_was_asked_for() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        let chosen = locals(&[service(at), service(at)], None).unwrap();
        assert!(chosen[0] != at && chosen[1] != at && chosen[0] != chosen[1]);
        let error = locals(&[service(at)], Some(at.port())).unwrap_err();
        assert!(matches!(error, Failure::Input(_)), "{error:?}");
        drop(taken);
        assert_eq!(locals(&[service(at)], None).unwrap(), [at]);
        assert_eq!(locals(&[service(at)], Some(at.port())).unwrap(), [at]);
    }

    /// Answers one connection with these bytes.
    fn answering(bytes: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let _ = socket.read(&mut request);
            let _ = socket.write_all(bytes);
        });
        at
    }

    #[test]
    fn an_answer_is_told_from_none() {
        assert_eq!(
            answer(answering(b"HTTP/1.1 403 Forbidden\r\n\r\n"), "/"),
            Ok(403)
        );
        assert_eq!(answer(answering(b"HTTP/1.0 200 OK\r\n"), "/"), Ok(200));
        let text = |bytes| answer(answering(bytes), "/").unwrap_err();
        assert!(text(b"SSH-2.0-OpenSSH_9.2\r\n").contains("no web server"));
        assert!(text(b"").contains("nothing listens"));
        assert!(text(b"HTTP/1.1 \xff\xff\xff").contains("no web server"));
    }

    #[test]
    fn a_link_only_leads_to_what_answers() {
        let at: SocketAddr = "127.0.0.1:8888".parse().unwrap();
        let hidden = Token::Hidden("--token prints it".to_owned());
        let shown = |answer, status, token: &Token| {
            let styled = line(&service(at), at, &answer, status, token, "gpu-server");
            anstream::adapter::strip_str(&styled).to_string()
        };
        let token = Token::Is(Secret::new("0123abcd".to_owned()));
        let good = shown(Ok(302), "", &token);
        assert!(
            good.ends_with("http://127.0.0.1:8888/lab?token=0123abcd"),
            "{good}"
        );
        let without = shown(Ok(302), "", &hidden);
        assert!(
            without.contains("8888/lab\n") && without.contains("--token"),
            "{without}"
        );
        let status = "jupyter\twaiting\t1\t2\tquay.io does not \u{1b}answer\t\nlab\tworking\n";
        let dead = shown(Err("nothing listens there".into()), status, &token);
        assert!(
            !dead.contains("http://") && !dead.contains("0123abcd"),
            "{dead}"
        );
        assert!(
            dead.contains("jupyter is waiting, quay.io does not answer"),
            "{dead}"
        );
        let dead = shown(Ok(502), "garbage", &token);
        assert!(
            dead.contains("502") && dead.contains("lab status"),
            "{dead}"
        );
    }

    #[test]
    fn what_is_no_token_is_not_printed() {
        for bad in [
            "",
            "short",
            "a b c d e f g h",
            "abc\u{1b}[31mdefgh",
            &"x".repeat(129),
        ] {
            assert!(matches!(checked(bad), Token::Hidden(_)), "{bad:?}");
        }
        let Token::Is(token) = checked("6fe2a0c1d5\n") else {
            panic!("a good one is refused")
        };
        assert_eq!(token.reveal(), "6fe2a0c1d5");
    }
}
