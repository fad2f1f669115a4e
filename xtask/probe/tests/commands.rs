//! The program as it is called: its answers, its limits, and that it leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

mod running;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use lab_facts::{FORMAT, Fact, Facts, RootFacts, Worked, Workload};
use running::{Bin, ask, is_alive, probe};

#[test]
fn it_answers_with_facts_of_this_machine() {
    let request = format!("{{\"format\":{FORMAT},\"spaces\":[\"/\"]}}");
    let output = ask("facts", &request);
    assert!(output.status.success());
    let facts: Facts = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts.format, FORMAT);
    assert!(facts.probe.starts_with("lab-probe "));
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    // In a container more follows: see `boot_id`.
    let told = facts.system.boot_id.known().unwrap();
    assert!(told.starts_with(boot.trim()), "{told}");
    assert!(facts.system.spaces["/"].known().unwrap().size_bytes > 0);
    assert!(facts.system.listeners.known().is_some());
    assert!(facts.took_ms < 10_000);
}

#[test]
fn it_answers_with_what_root_sees() {
    let request = format!(
        "{{\"format\":{FORMAT},\"files\":[\"/etc/hostname\",\"/no/such/file\"],\
         \"objects\":[\"/etc/hostname\",\"/no/such/file\"]}}"
    );
    let output = ask("root-facts", &request);
    assert!(output.status.success());
    let facts: RootFacts = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!facts.files.contains_key("/no/such/file"));
    assert!(facts.files["/etc/hostname"].known().is_some());
    let object = facts.objects["/etc/hostname"].known().unwrap().clone();
    let (there, length) = (
        object.unwrap(),
        std::fs::metadata("/etc/hostname").unwrap().len(),
    );
    assert_eq!(there.bytes, length);
    assert_eq!(there.sha256.as_ref(), facts.files["/etc/hostname"].known());
    assert_eq!(facts.objects["/no/such/file"], Fact::Is(None));
    assert!(
        facts
            .jupyter_with_token
            .get()
            .unwrap_err()
            .contains("not asked")
    );
}

#[test]
fn what_is_no_question_is_refused_in_a_line() {
    let refused = |command: &str, text: &str, why: &str| {
        let output = ask(command, text);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(output.stdout.is_empty());
        assert!(said.contains(why) && said.lines().count() == 1, "{said}");
    };
    refused("facts", "{", "is not a request");
    refused("facts", "{\"formats\":1}", "unknown field `formats`");
    refused("facts", "{\"format\":99}", "format 99");
    refused("facts", &" ".repeat(2 << 20), "longer than");
    refused(
        "workload",
        "{\"workload\":\"mine-bitcoin\"}",
        "is not a workload",
    );
    refused(
        "workload",
        "{\"workload\":\"memory\",\"limit_s\":999999}",
        "more than",
    );
    refused("fact", "", "`fact` is no command");
    refused("", "", "no command");
}

#[test]
fn it_says_its_version_in_a_line() {
    let output = ask("version", "");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        said,
        format!("lab-probe {} format {FORMAT}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn programs_that_hang_are_left_and_gone() {
    let bin = Bin::new();
    let pid = bin.folder().join("pid");
    // It and a child of its own, which a kill of the program alone would leave behind.
    let hangs = format!("sleep 600 & echo $! >{}; wait", pid.display());
    bin.program("nvtop", &hangs)
        .program("lab", "exec sleep 600");
    let start = Instant::now();
    let mut command = bin.probe("facts");
    let output = running::answer(&mut command, "{}");
    assert!(start.elapsed() < Duration::from_secs(9));
    let facts: Facts = serde_json::from_slice(&output.stdout).unwrap();
    let software = facts.software;
    assert!(
        software
            .nvtop
            .get()
            .unwrap_err()
            .contains("did not answer within 3 s")
    );
    assert!(
        software
            .lab_status
            .get()
            .unwrap_err()
            .contains("did not answer within 5 s")
    );
    let pid = std::fs::read_to_string(pid).unwrap();
    assert!(!is_alive(pid.trim().parse().unwrap()), "{pid} runs on");
}

#[test]
fn programs_that_talk_without_end_are_left() {
    let bin = Bin::new();
    bin.program("nvtop", "exec yes")
        .program("lab", "echo no >&2; exit 7");
    let output = running::answer(&mut bin.probe("facts"), "{}");
    let facts: Facts = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        facts
            .software
            .nvtop
            .get()
            .unwrap_err()
            .contains("says more than")
    );
    let why = facts.software.lab_status.get().unwrap_err().to_owned();
    assert!(
        why.contains("exit status: 7") && why.contains("no"),
        "{why}"
    );
}

#[test]
fn it_ends_when_nobody_reads_any_more() {
    let bin = Bin::new();
    let pid = bin.folder().join("pid");
    bin.program(
        "nvtop",
        &format!("echo $$ >{}; exec sleep 600", pid.display()),
    );
    let mut child = bin.probe("facts").stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{}").unwrap();
    running::until(|| std::fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')));
    drop(child.stdout.take());
    let start = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(start.elapsed() < Duration::from_secs(1));
    let pid = std::fs::read_to_string(pid)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    running::until(|| !is_alive(pid));
}

#[test]
fn a_question_without_an_end_is_not_waited_for() {
    let mut child = probe("facts").stdin(Stdio::piped()).spawn().unwrap();
    // Held open: waiting would close it.
    let mut question = child.stdin.take().unwrap();
    question.write_all(b"{}").unwrap();
    let start = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(start.elapsed() < Duration::from_secs(8));
    drop(question);
}

#[test]
fn an_ssh_servers_socket_that_is_closed_for_questions_is_open_for_answers() {
    // sshd gives its program one socket for both directions, and closes one half of it
    // where the caller has nothing more to ask.
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut command = probe("facts");
    command
        .stdin(OwnedFd::from(theirs.try_clone().unwrap()))
        .stdout(OwnedFd::from(theirs));
    let mut child = command.spawn().unwrap();
    drop(command);
    ours.write_all(b"{}").unwrap();
    ours.shutdown(Shutdown::Write).unwrap();
    let mut text = Vec::new();
    ours.read_to_end(&mut text).unwrap();
    assert!(serde_json::from_slice::<Facts>(&text).is_ok());
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_it_started_ends_with_it() {
    let bin = Bin::new();
    let pid = bin.folder().join("pid");
    bin.program(
        "nvtop",
        &format!("echo $$ >{}; exec sleep 600", pid.display()),
    );
    let mut child = bin.probe("facts").stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{}").unwrap();
    running::until(|| std::fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')));
    child.kill().unwrap();
    child.wait().unwrap();
    let pid = std::fs::read_to_string(pid)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    running::until(|| !is_alive(pid));
}

/// Answers each connection with the bytes that `answer` has for its first line.
fn serve(answer: impl Fn(&str) -> String + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            let (mut first, mut line, mut body) = (String::new(), String::new(), 0);
            stream.read_line(&mut first).unwrap();
            while stream.read_line(&mut line).is_ok_and(|count| count > 2) {
                let length = line.to_ascii_lowercase();
                if let Some(length) = length.strip_prefix("content-length:") {
                    body = length.trim().parse().unwrap();
                }
                line.clear();
            }
            stream.read_exact(&mut vec![0; body]).unwrap();
            let _ = stream.get_mut().write_all(answer(first.trim()).as_bytes());
        }
    });
    port
}

fn page(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn ollama(line: &str) -> String {
    match line.split(' ').nth(1).unwrap() {
        // In pieces, as Ollama answers what is long.
        "/api/version" => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                           9\r\n{\"version\r\n9\r\n\":\"0.35.1\r\n2\r\n\"}\r\n0\r\n\r\n"
                .to_owned()
        }
        "/api/tags" => {
            page("{\"models\":[{\"name\":\"gemma3:1b\",\"digest\":\"8648\",\"size\":815}]}")
        }
        "/api/ps" => page("{\"models\":[{\"name\":\"gemma3:1b\",\"size\":9,\"size_vram\":8}]}"),
        "/api/generate" => page(
            "{\"response\":\"Blue.\",\"eval_count\":3,\"eval_duration\":60000000,\"load_duration\":5}",
        ),
        _ => "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n".to_owned(),
    }
}

#[test]
fn services_are_asked_over_http() {
    let ollama = serve(ollama);
    let jupyter = serve(|_| "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n{}".to_owned());
    let elsewhere =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n";
    let dcgan = serve(|_| elsewhere.to_owned());
    let exporter = serve(|_| page(&"x".repeat(100_000)));
    let request = format!(
        "{{\"format\":{FORMAT},\"ollama\":\"127.0.0.1:{ollama}\",\"jupyter_port\":{jupyter},\
         \"dcgan_port\":{dcgan},\"exporter_port\":{exporter}}}"
    );
    let facts: Facts = serde_json::from_slice(&ask("facts", &request).stdout).unwrap();
    let software = facts.software;
    let seen = software.ollama.get().unwrap();
    assert_eq!(
        (seen.version.as_str(), seen.models[0].digest.as_str()),
        ("0.35.1", "8648")
    );
    assert_eq!((seen.loaded[0].size, seen.loaded[0].size_vram), (9, 8));
    assert_eq!(software.jupyter_without_token.get().unwrap().status, 403);
    assert_eq!(software.dcgan_page.get().unwrap().status, 302);
    assert_eq!(software.exporter.get().unwrap().body.len(), 64 << 10);
}

#[test]
fn a_service_that_hangs_or_is_none_is_said() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let garbage = serve(|_| "SSH-2.0-OpenSSH_9.6\r\n".to_owned());
    let request = format!(
        "{{\"jupyter_port\":{},\"dcgan_port\":{garbage},\"ollama\":\"evil@host:1/x\"}}",
        silent.local_addr().unwrap().port()
    );
    let start = Instant::now();
    let facts: Facts = serde_json::from_slice(&ask("facts", &request).stdout).unwrap();
    assert!(start.elapsed() < Duration::from_secs(9));
    let software = facts.software;
    assert!(
        software
            .jupyter_without_token
            .get()
            .unwrap_err()
            .contains("in time")
    );
    assert!(software.dcgan_page.known().is_none());
    assert!(
        software
            .ollama
            .get()
            .unwrap_err()
            .contains("is not an address")
    );
}

#[test]
fn a_model_answers_a_prompt() {
    let request = format!(
        "{{\"workload\":\"ollama\",\"address\":\"127.0.0.1:{}\",\"model\":\"gemma3:1b\",\
         \"prompt\":\"Why?\",\"tokens\":8,\"limit_s\":10}}",
        serve(ollama)
    );
    let workload: Workload = serde_json::from_slice(&ask("workload", &request).stdout).unwrap();
    let Worked::Ollama(generated) = workload.worked.get().unwrap() else {
        panic!("{workload:?}");
    };
    assert_eq!((generated.text.as_str(), generated.tokens), ("Blue.", 3));
    assert_eq!(
        (generated.took_ns, generated.loaded[0].size_vram),
        (60_000_000, 8)
    );
}

#[test]
fn what_docker_says_is_read_side_by_side() {
    let bin = Bin::new();
    let says = r#"case "$*" in
version*) echo '{"Client":{},"Server":{"Version":"29.1.0"}}' ;;
info*) echo '{"DockerRootDir":"/d","LoggingDriver":"journald","Runtimes":{"runc":{}}}' ;;
*inspect*gone) echo 'Error: No such container: gone' >&2; exit 1 ;;
inspect*) echo '{"Id":"5b","State":{"Running":true},"Config":{"Image":"i"},"HostConfig":{}}' ;;
"exec c timeout 4 nvidia-smi -L") echo 'GPU 0: Q (UUID: GPU-1)' ;;
*) exit 9 ;;
esac"#;
    bin.program("docker", says);
    let output = running::answer(
        &mut bin.probe("root-facts"),
        "{\"containers\":[\"c\",\"gone\"]}",
    );
    let facts: RootFacts = serde_json::from_slice(&output.stdout).unwrap();
    let docker = facts.docker.get().unwrap();
    assert_eq!(
        (docker.docker.version.as_str(), docker.docker.root.as_str()),
        ("29.1.0", "/d")
    );
    assert_eq!(docker.containers.len(), 1);
    assert_eq!(docker.containers[0].sees.get().unwrap(), &["GPU-1"]);
}

#[test]
fn nothing_is_left_in_the_callers_folders() {
    let home = tempfile::tempdir().unwrap();
    let mut command = probe("facts");
    command
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .current_dir(home.path());
    assert!(running::answer(&mut command, "{}").status.success());
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}
