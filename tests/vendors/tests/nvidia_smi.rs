//! `nvidia-smi` over the mock: what it prints, what it sets, and how it fails.

#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

mod lab;

use lab::{GT1030, GTX1050TI, K2200, Lab, Said, Z440};

const SMI: &str = env!("CARGO_BIN_EXE_nvidia-smi");

fn query(lab: &Lab, columns: &str, more: &[&str]) -> String {
    let query = format!("--query-gpu={columns}");
    let mut words = vec![query.as_str(), "--format=csv,noheader"];
    words.extend(more);
    lab.run(SMI, &words).well()
}

#[test]
fn the_cards_by_name() {
    let out = Lab::z440().run(SMI, &["-L"]).well();
    assert_eq!(
        out,
        format!(
            "GPU 0: NVIDIA GeForce GT 1030 (UUID: {GT1030})\n\
             GPU 1: Quadro K2200 (UUID: {K2200})\n\
             GPU 2: NVIDIA GeForce GTX 1050 Ti (UUID: {GTX1050TI})\n"
        )
    );
}

#[test]
fn every_column_has_a_value_or_none() {
    let lab = Lab::z440();
    let columns = "index,name,uuid,pci.bus_id,driver_version,memory.total,memory.used,\
                   memory.free,temperature.gpu,power.draw,power.limit,power.default_limit,\
                   power.min_limit,power.max_limit,persistence_mode,utilization.gpu,\
                   utilization.memory,fan.speed,pcie.link.gen.current,pcie.link.gen.max,\
                   pcie.link.width.current,pcie.link.width.max,compute_cap,pstate,\
                   ecc.mode.current,vbios_version,serial";
    let out = query(&lab, columns, &[]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines,
        [
            "0, NVIDIA GeForce GT 1030, GPU-5f1c30aa-1030-4d01-8a10-c0ffee000001, \
             00000000:01:00.0, 580.173.02, 2048 MiB, 3 MiB, 2045 MiB, 38, [N/A], 30.00 W, \
             30.00 W, [N/A], [N/A], Disabled, 0 %, 0 %, [N/A], 1, 3, 4, 4, 6.1, P8, [N/A], \
             86.08.0c.00.1a, [N/A]",
            "1, Quadro K2200, GPU-2e7b2200-2200-13ba-9b20-c0ffee000002, 00000000:02:00.0, \
             580.173.02, 4096 MiB, 4 MiB, 4092 MiB, 41, 1.12 W, 39.00 W, 39.00 W, 30.00 W, \
             39.00 W, Disabled, 0 %, 0 %, 42 %, 1, 2, 16, 16, 5.0, P8, [N/A], \
             82.07.5a.00.01, 0421914000001",
            "2, NVIDIA GeForce GTX 1050 Ti, GPU-9a431050-1050-4c82-a1d0-c0ffee000003, \
             00000000:03:00.0, 580.173.02, 4096 MiB, 4 MiB, 4092 MiB, 34, [N/A], 120.00 W, \
             120.00 W, 60.00 W, 120.00 W, Disabled, 0 %, 0 %, 35 %, 1, 3, 16, 16, 6.1, P8, \
             [N/A], 86.07.48.00.4d, [N/A]",
        ]
    );
}

#[test]
fn headers_and_units() {
    let lab = Lab::z440();
    let words = |format| ["--query-gpu=name,power.limit", format, "-i", "1"];
    let with = lab.run(SMI, &words("--format=csv")).well();
    assert_eq!(with, "name, power.limit [W]\nQuadro K2200, 39.00 W\n");
    let without = lab.run(SMI, &words("--format=csv,noheader,nounits"));
    assert_eq!(without.well(), "Quadro K2200, 39.00\n");
}

#[test]
fn one_card_by_number_uuid_or_address() {
    let lab = Lab::z440();
    for name in ["2", GTX1050TI, "00000000:03:00.0", "0000:03:00.0"] {
        assert_eq!(query(&lab, "index", &["-i", name]), "2\n", "{name}");
        let joined = format!("--id={name}");
        assert_eq!(query(&lab, "index", &[&joined]), "2\n", "{name}");
    }
    for name in [
        "3",
        "0000:09:00.0",
        "GPU-00000000-0000-0000-0000-000000000000",
    ] {
        ends(
            &lab.run(SMI, &["-L", "-i", name]),
            6,
            "No devices were found",
        );
    }
}

#[test]
fn the_power_limit_is_set_for_the_next_to_read() {
    let lab = Lab::z440();
    let set = lab.run(SMI, &["-i", GTX1050TI, "-pl", "75"]).well();
    assert!(
        set.contains("Power limit for GPU 00000000:03:00.0 was set to 75.00 W from 120.00 W."),
        "{set}"
    );
    assert_eq!(query(&lab, "power.limit", &["-i", "2"]), "75.00 W\n");
    ends(
        &lab.run(SMI, &["-i", "2", "-pl", "500"]),
        2,
        "Provided power limit 500.00 W is not a valid power limit which should be between \
         60.00 W and 120.00 W",
    );
    let other = lab.run(SMI, &["-i", "0", "-pl", "20"]).well();
    assert!(
        other.contains("is not supported for GPU: 00000000:01:00.0"),
        "{other}"
    );
}

#[test]
fn persistence_mode_is_set_for_the_next_to_read() {
    let lab = Lab::z440();
    let set = lab.run(SMI, &["-pm", "1"]).well();
    assert!(
        set.contains("Enabled persistence mode for GPU 00000000:02:00.0."),
        "{set}"
    );
    assert_eq!(query(&lab, "persistence_mode", &["-i", "1"]), "Enabled\n");
    let again = lab.run(SMI, &["-pm", "1"]).well();
    assert!(again.contains("already Enabled"), "{again}");
}

#[test]
fn what_computes() {
    let process = "[[card.process]]\npid = 4711\nname = \"/usr/bin/ollama\"\nused_mib = 900\n";
    let lab = Lab::new(&format!("{Z440}{process}"));
    let words = [
        "--query-compute-apps=gpu_uuid,pid,process_name,used_memory",
        "--format=csv,noheader",
    ];
    let out = lab.run(SMI, &words).well();
    assert_eq!(
        out,
        format!("{GTX1050TI}, 4711, /usr/bin/ollama, 900 MiB\n")
    );
}

#[test]
fn the_table_and_the_versions() {
    let lab = Lab::z440();
    let table = lab.run(SMI, &[]).well();
    assert!(table.contains("Driver Version: 580.173.02"), "{table}");
    assert!(table.contains("00000000:03:00.0"), "{table}");
    let widths: Vec<usize> = table.lines().map(str::len).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
    let version = lab.run(SMI, &["--version"]).well();
    assert!(
        version.contains("NVML version        : 580.173\n"),
        "{version}"
    );
    assert!(
        version.contains("CUDA Version        : 13.0\n"),
        "{version}"
    );
}

#[test]
fn each_fault_in_the_real_programs_words() {
    for (fault, status, words) in [
        (
            "driver-not-loaded",
            9,
            "NVIDIA-SMI has failed because it couldn't communicate",
        ),
        (
            "mismatch",
            18,
            "Failed to initialize NVML: Driver/library version mismatch",
        ),
        (
            "no-permission",
            4,
            "Failed to initialize NVML: Insufficient Permissions",
        ),
        ("unknown", 255, "Failed to initialize NVML: Unknown Error"),
    ] {
        let lab = Lab::new(&format!("fault = \"{fault}\"\n{Z440}"));
        ends(&lab.run(SMI, &["-L"]), status, words);
    }
    let lost = Lab::new(&format!("{Z440}\nfault = \"gpu-is-lost\"\n"));
    let words = "Unable to determine the device handle for GPU2: GPU is lost.";
    ends(&lost.run(SMI, &[]), 15, words);
}

#[test]
fn a_machine_without_cards_or_without_the_library() {
    let none = Lab::new("driver_version = \"580.1\"\ncuda_version = \"13.0\"\n");
    ends(&none.run(SMI, &["-L"]), 6, "No devices were found");
    let bare = Lab::z440();
    std::fs::remove_file(bare.path("lib/libnvidia-ml.so.1")).unwrap();
    let said = bare.run(SMI, &["-L"]);
    if said.status == Some(0) || said.status == Some(9) {
        lab_not_run::not_run(
            "a machine without the library",
            "this machine has the real one",
        );
        return;
    }
    ends(
        &said,
        12,
        "NVIDIA-SMI couldn't find libnvidia-ml.so library",
    );
}

#[test]
fn what_is_not_known_is_refused() {
    let lab = Lab::z440();
    let words = ["--query-gpu=name,colour", "--format=csv"];
    ends(
        &lab.run(SMI, &words),
        2,
        "Field \"colour\" is not a valid field to query.",
    );
    ends(
        &lab.run(SMI, &["--query-gpu=name"]),
        2,
        "\"--format=\" switch is missing",
    );
    ends(
        &lab.run(SMI, &["--reset"]),
        2,
        "Option --reset is not recognized",
    );
}

#[track_caller]
fn ends(said: &Said, status: i32, words: &str) {
    assert_eq!(said.status, Some(status), "{said:?}");
    assert!(said.out.contains(words), "{said:?}");
}
