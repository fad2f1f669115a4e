//! The restart into the kernel that the driver was built for.

use super::bench::Bench;
use crate::common::workspace;

/// A machine that runs the kernel 6.8.0-1, with modules of the driver for 6.8.0-20 (and for
/// 6.8.0-9, which is older, and 6.8.0-30, which cannot be started).
fn bench() -> Bench {
    let bench = Bench::new();
    for kernel in ["6.8.0-1", "6.8.0-9", "6.8.0-20", "6.8.0-30"] {
        bench.folder(&format!("lib/modules/{kernel}"));
    }
    for kernel in ["6.8.0-1", "6.8.0-9", "6.8.0-20"] {
        bench.put(&format!("boot/vmlinuz-{kernel}"), "");
    }
    bench.program("modinfo", "[[ $2 != 6.8.0-1 ]]");
    bench.program("modprobe", "echo 'FATAL: Module nvidia not found'; exit 1");
    bench.program("uname", "echo 6.8.0-1");
    bench.program("lsmod", "true");
    bench.program(
        "loginctl",
        &format!("cat {}/sessions 2>/dev/null || true", bench.root()),
    );
    bench.program(
        "systemctl",
        &format!("echo \"$*\" >>{}/asked", bench.root()),
    );
    bench
}

/// What `load` ends with, and what systemd was asked.
fn loads(bench: &Bench) -> (Option<i32>, String, String) {
    let driver = workspace().join("templates/usr/lib/lab/units/driver");
    let driver = std::fs::read_to_string(driver).unwrap();
    let root = bench.root();
    let script = format!(
        "packages=(one) branch=580 persistence=no\n{driver}\nmodules={root}/lib/modules\nboot={root}/boot\nload"
    );
    let output = bench.unit(&script);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said, bench.text("asked"))
}

#[test]
fn a_machine_that_is_set_up_restarts_once_into_the_driver_s_kernel() {
    let bench = bench();
    let (code, said, asked) = loads(&bench);
    assert_eq!(code, Some(75), "{said}");
    assert!(
        said.contains("restarts once, into the kernel 6.8.0-20"),
        "{said}"
    );
    assert_eq!(asked, "--no-block reboot\n");
    // It came up with the same kernel: then somebody has to look.
    let (code, said, asked) = loads(&bench);
    assert_eq!((code, asked.lines().count()), (Some(78), 1), "{said}");
}

#[test]
fn nobody_is_thrown_out_and_a_machine_that_worked_is_left_alone() {
    for (path, text) in [
        ("sessions", "1 1000 lab seat0\n"),
        ("var/lib/lab/units/driver.once", ""),
    ] {
        let bench = bench();
        bench.put(path, text);
        let (code, said, asked) = loads(&bench);
        assert_eq!((code, asked.as_str()), (Some(78), ""), "{path}: {said}");
        assert!(said.contains("sudo reboot"), "{said}");
    }
}

#[test]
fn without_a_kernel_that_has_the_modules_it_stays() {
    let bench = bench();
    bench.program("modinfo", "exit 1");
    let (code, said, asked) = loads(&bench);
    assert_eq!((code, asked.as_str()), (Some(78), ""), "{said}");
}
