//! The exporter's answers.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::bench::{Bench, EXPORTER, UUID, with_driver};

fn exporting() -> Bench {
    let bench = with_driver("failed/failed", "Result=timeout", "");
    bench.put(
        "root/run/lab/gpus",
        format!("gtx1050ti {UUID} 0000:03:00.0\n"),
    );
    bench.program("bin/nvidia-smi", &format!("#!/bin/sh\necho '{UUID}, 45, 1024, 4096, [N/A], 7, 580.173.02'\necho 'Unable to determine the device handle'\n"));
    bench
}

#[test]
fn the_exporter_gives_what_there_is() {
    let answer = exporting().ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains(&format!("Content-Length: {}\r\n", body.len())),
        "{head}"
    );
    let labels = format!("name=\"gtx1050ti\",uuid=\"{UUID}\"");
    for line in [
        "lab_unit_state{unit=\"base\",state=\"ready\"} 1".to_owned(),
        "lab_unit_state{unit=\"driver\",state=\"failed\"} 1".to_owned(),
        "lab_ready 0".to_owned(),
        format!("lab_gpu_info{{{labels},bdf=\"0000:03:00.0\",driver=\"580.173.02\"}} 1"),
        format!("lab_gpu_temperature_celsius{{{labels}}} 45"),
        format!("lab_gpu_memory_used_bytes{{{labels}}} 1073741824"),
        format!("lab_gpu_utilization_ratio{{{labels}}} 0.07"),
    ] {
        assert!(
            body.lines().any(|one| one == line),
            "{line} is missing:\n{body}"
        );
    }
    assert!(
        !body.contains("lab_gpu_power_watts"),
        "not supported is not 0 W:\n{body}"
    );
}

#[test]
fn the_exporter_stands_every_request() {
    let bench = exporting();
    let huge = [b"GET /metrics HTTP/1.1\r\nX: ".as_slice(), &[b'a'; 9000]].concat();
    let many = [
        b"GET /metrics HTTP/1.1\r\n".as_slice(),
        &b"X: y\r\n".repeat(3000),
    ]
    .concat();
    let binary: Vec<u8> = (0..=255).cycle().take(5000).collect();
    for (request, status) in [
        (b"GET / HTTP/1.1\r\n\r\n".as_slice(), "404 Not Found"),
        (b"GET /metrics2 HTTP/1.1\r\n\r\n", "404 Not Found"),
        (
            b"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
            "405 Method Not Allowed",
        ),
        (b"GET /metrics\r\n\r\n", "400 Bad Request"),
        (
            b"GET /metrics HTTP/1.1\r\nno header\r\n\r\n",
            "400 Bad Request",
        ),
        (b"GET /metrics HTTP/1.1\r\n", "400 Bad Request"),
        (b"\x16\x03\x01\x02\x00\x01\n\n", "400 Bad Request"),
        (b"\n", "400 Bad Request"),
        (&huge, "400 Bad Request"),
        (&many, "400 Bad Request"),
        (&binary, "400 Bad Request"),
    ] {
        let answer = bench.ask(request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{}: {answer}",
            request.escape_ascii()
        );
        assert!(answer.contains("Connection: close\r\n"), "{answer}");
    }
    assert_eq!(bench.ask(b""), "");
}

#[test]
fn the_exporter_waits_for_nobody() {
    let bench = exporting();
    let begin = Instant::now();
    let mut child = bench
        .command(EXPORTER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut request = child.stdin.take().unwrap();
    request.write_all(b"GET /met").unwrap();
    let mut answer = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut answer)
        .unwrap();
    child.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(begin.elapsed() < Duration::from_secs(10));
    bench.program("bin/nvidia-smi", "#!/bin/sh\ntrap '' TERM\nexec sleep 60\n");
    let begin = Instant::now();
    let answer = bench.ask(b"GET /metrics HTTP/1.0\n\n");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("lab_ready 0"),
        "{answer}"
    );
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "it hangs with nvidia-smi"
    );
}

#[test]
fn what_is_not_known_is_not_exported() {
    let bench = exporting();
    bench.program("bin/systemctl", "#!/bin/sh\nexit 1\n");
    fs::remove_file(bench.path("root/run/lab/gpus")).unwrap();
    let answer = bench.ask(b"GET /metrics HTTP/1.1\r\n\r\n");
    assert!(
        !answer.contains("lab_ready") && !answer.contains("lab_unit_state"),
        "{answer}"
    );
    assert!(
        answer.contains(&format!(
            "lab_gpu_temperature_celsius{{name=\"\",uuid=\"{UUID}\"}} 45"
        )),
        "{answer}"
    );
}
