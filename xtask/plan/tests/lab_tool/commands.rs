//! The other subcommands of `lab`.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::bench::{Bench, LAB, UUID, is_root, said, with_driver};
use crate::common::{have, not_run};

#[test]
fn wrong_words_end_with_2_and_the_list() {
    let bench = Bench::ready(&["base", "driver", "ollama"]);
    for (words, hint) in [
        (vec!["fix"], "status, watch, logs, retry"),
        (vec!["status", "--json"], "--json"),
        (vec!["logs"], "base driver ollama"),
        (vec!["logs", "nvidia"], "base driver ollama"),
        (vec!["logs", "base driver"], "base driver ollama"),
        (vec!["logs", "-n", "x", "base"], "number"),
        (vec!["logs", "-n"], "number"),
        (vec!["logs", "base", "driver"], "one unit"),
        (vec!["retry", "--all"], "--all"),
        (vec!["describe", "x"], "--manifest"),
    ] {
        let (status, out, err) = bench.lab(&words);
        assert_eq!((status, out.as_str()), (2, ""), "{words:?}: {err}");
        assert!(err.contains(hint), "{words:?}: {err}");
    }
    assert_eq!(bench.lab(&["help"]).0, 0);
}

#[test]
fn logs_are_of_the_unit_its_service_and_its_container() {
    if !is_root() {
        not_run(
            "logs_are_of_the_unit_its_service_and_its_container",
            "needs root",
        );
        return;
    }
    let bench = Bench::new();
    assert_eq!(
        bench
            .lab(&["logs", "-f", "-n", "5", "lab-ollama.service"])
            .0,
        0
    );
    assert_eq!(
        bench.text("journal"),
        "-q -n 5 -f _SYSTEMD_UNIT=lab-ollama.service + _SYSTEMD_UNIT=ollama.service + CONTAINER_NAME=lab-ollama + _PID=1 UNIT=lab-ollama.service\n"
    );
    bench.put("root/etc/lab/units/order", "dcgan\n");
    fs::write(bench.path("journal"), "").unwrap();
    assert_eq!(bench.lab(&["logs", "dcgan"]).0, 0);
    assert_eq!(
        bench.text("journal"),
        "-q -n 200 _SYSTEMD_UNIT=lab-dcgan.service + _SYSTEMD_UNIT=dcgan.service + CONTAINER_NAME=lab-dcgan + \
         _SYSTEMD_UNIT=dcgan-train.service + CONTAINER_NAME=lab-dcgan-train + _PID=1 UNIT=lab-dcgan.service\n"
    );
}

#[test]
fn retry_starts_what_failed_and_nothing_else() {
    if !is_root() {
        not_run("retry_starts_what_failed_and_nothing_else", "needs root");
        return;
    }
    let changes = |bench: &Bench| -> Vec<String> {
        let asked = bench.text("asked");
        asked
            .lines()
            .filter(|line| !line.contains(" show "))
            .map(str::to_owned)
            .collect()
    };
    let bench = with_driver("failed/failed", "Result=timeout", "");
    assert_eq!(bench.lab(&["retry"]).0, 0);
    let all = [
        "reset-failed lab-driver.service",
        "restart --no-block lab-driver.service",
        "start --no-block lab.target",
    ];
    assert_eq!(changes(&bench), all);
    let bench = with_driver("failed/failed", "Result=timeout", "");
    let (status, out, _) = bench.lab(&["retry", "base"]);
    assert_eq!(status, 0);
    assert!(out.contains("base is ready and is left alone"), "{out}");
    assert_eq!(changes(&bench), ["start --no-block lab.target"]);
    assert_eq!(bench.lab(&["retry", "nvidia"]).0, 2);
}

#[test]
fn an_ordinary_user_is_told_to_use_sudo() {
    if !is_root() || !have("an_ordinary_user_is_told_to_use_sudo", &["setpriv"]) {
        not_run(
            "an_ordinary_user_is_told_to_use_sudo",
            "needs root and setpriv",
        );
        return;
    }
    let bench = with_driver("failed/failed", "Result=timeout", "");
    fs::set_permissions(bench.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    let run = |words: &[&str]| {
        let lab = bench.command(LAB);
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(lab.get_program())
            .args(words);
        command.envs(lab.get_envs().map(|(k, v)| (k, v.unwrap())));
        said(&command.output().unwrap())
    };
    let (status, out, err) = run(&["status"]);
    assert_eq!(status, 1, "{err}");
    assert!(out.contains("sudo lab logs driver"), "{out}");
    assert_eq!(run(&["logs", "driver"]).0, 1);
    assert!(
        run(&["retry", "driver"])
            .2
            .contains("sudo lab retry driver")
    );
}

#[test]
fn describe_is_a_description_with_a_head() {
    let bench = Bench::new();
    let release = bench.text("root/etc/lab/release");
    bench.put("root/etc/lab/release", release + "LAB_LOCK=cd34\n");
    bench.put(
        "root/etc/lab/machine.toml",
        "[machine]\nname = \"gpu-server\"\n",
    );
    bench.put("root/etc/lab/units/base.key", "k1\n");
    bench.put("root/var/lib/lab/units/base.done", "k1\n");
    bench.put("root/etc/lab/units/driver.key", "k2\n");
    bench.put(
        "root/var/lib/lab/generations/current/overlay.list",
        "file 0644:ab etc/x\n",
    );
    let (status, out, err) = bench.lab(&["describe"]);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("# description: ab12\n"), "{out}");
    assert!(out.contains("# lock:        cd34\n"), "{out}");
    assert!(
        out.contains("#   base         k1  set up\n#   driver       k2  not set up"),
        "{out}"
    );
    assert!(
        out.ends_with("\n[machine]\nname = \"gpu-server\"\n"),
        "{out}"
    );
    assert_eq!(
        bench.lab(&["describe", "--manifest"]).1,
        "file 0644:ab etc/x\n"
    );
}

#[test]
fn gpus_are_shown_by_name() {
    let bench = Bench::new();
    assert!(bench.lab(&["gpus"]).2.contains("the unit driver"));
    bench.put(
        "root/run/lab/gpus",
        format!("gtx1050ti {UUID} 0000:03:00.0\ngt1030 - -\n"),
    );
    bench.program(
        "bin/nvidia-smi",
        &format!("#!/bin/sh\necho '{UUID}, 100, 4096, 45, [N/A]'\n"),
    );
    let (status, out, err) = bench.lab(&["gpus"]);
    assert_eq!(status, 0, "{err}");
    assert!(
        out.contains("gtx1050ti       0000:03:00.0     100/4096 MiB    45 C      - W  GPU-1111"),
        "{out}"
    );
    assert!(out.contains("gt1030          -"), "{out}");
    bench.program(
        "bin/nvidia-smi",
        "#!/bin/sh\necho 'Failed to initialize NVML: Driver/library version mismatch'\nexit 18\n",
    );
    let (status, out, err) = bench.lab(&["gpus"]);
    assert_eq!(status, 1);
    assert!(
        out.contains(UUID) && err.contains("Driver/library version mismatch"),
        "{out}{err}"
    );
}

#[test]
fn watch_ends_when_all_is_ready_or_something_failed() {
    assert_eq!(
        Bench::ready(&["base", "driver", "ollama"])
            .lab(&["watch"])
            .0,
        0
    );
    assert_eq!(
        with_driver("failed/failed", "Result=timeout", "")
            .lab(&["watch"])
            .0,
        1
    );
    let bench = with_driver("activating/start", "", "state=working\ntext=at work\n");
    let mut child = bench
        .command(LAB)
        .arg("watch")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut begun = [0; 16];
    out.read_exact(&mut begun).unwrap();
    let bench_ready = Bench::ready(&["base", "driver", "ollama"]);
    fs::rename(bench_ready.path("show"), bench.path("show")).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(rest.ends_with("lab gpu-server: ready, 3 units\n"), "{rest}");
}

#[test]
fn the_console_says_where_the_lab_is() {
    let bench = with_driver(
        "activating/start",
        "",
        "state=failed\ntext=no \\4 card\\n\nway_out=x\n",
    );
    bench.program("bin/agetty", "#!/bin/sh\necho \"$@\" >>\"$BENCH/agetty\"\n");
    assert_eq!(bench.lab(&["issue"]), (0, String::new(), String::new()));
    assert_eq!(
        bench.text("root/run/lab/issue"),
        "lab gpu-server: failed, 1 of 3 units ready; driver: no ?4 card?n\nAddress: \\4. After login: lab status\n"
    );
    assert_eq!(bench.lab(&["issue"]).0, 0);
    assert_eq!(
        bench.text("agetty"),
        "--reload\n",
        "an equal text is not written again"
    );
    bench.put("show", "");
    bench.program("bin/systemctl", "#!/bin/sh\nexit 1\n");
    assert_eq!(bench.lab(&["issue"]), (0, String::new(), String::new()));
    fs::remove_file(bench.path("root/etc/lab/units/order")).unwrap();
    assert_eq!(bench.lab(&["issue"]), (0, String::new(), String::new()));
}
