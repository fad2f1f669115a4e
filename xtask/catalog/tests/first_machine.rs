//! The first machine of the lab: an HP Z440 with a GT 1030, a Quadro K2200 and a GTX 1050 Ti.

use lab_catalog::{
    Architecture, Catalog, ComputeCapability, Date, DottedVersion, DriverBranch, Gpu,
    KernelFlavour, KernelModule, OpenModule, PciId, ProductLine, Reason,
};

const GT_1030: PciId = PciId::nvidia(0x1d01);
const K2200: PciId = PciId::nvidia(0x13ba);
const GTX_1050_TI: PciId = PciId::nvidia(0x1c82);

fn card(id: PciId) -> &'static Gpu {
    Catalog::builtin()
        .gpu(id)
        .unwrap_or_else(|| panic!("{id} is missing"))
}

fn version(text: &str) -> DottedVersion {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

fn architectures() -> Vec<Architecture> {
    [GT_1030, K2200, GTX_1050_TI]
        .map(|id| card(id).architecture)
        .to_vec()
}

#[test]
fn its_cards_are_known() {
    let facts = |id| {
        let gpu = card(id);
        let memory = gpu.least_vram_mib();
        (
            gpu.chip.as_str(),
            gpu.architecture,
            gpu.compute_capability.to_string(),
            memory,
            gpu.power_limit_w,
        )
    };
    let pascal = |chip, mib, watts| {
        (
            chip,
            Architecture::Pascal,
            "6.1".to_owned(),
            Some(mib),
            Some(watts),
        )
    };
    assert_eq!(facts(GT_1030), pascal("GP108", 2048, 30));
    let maxwell = (
        "GM107",
        Architecture::Maxwell,
        "5.0".to_owned(),
        Some(4096),
        Some(39),
    );
    assert_eq!(facts(K2200), maxwell);
    assert_eq!(facts(GTX_1050_TI), pascal("GP107", 4096, 120));
    assert_eq!(card(K2200).line, ProductLine::Quadro);
    assert_eq!(card(K2200).worst_power_w(), Some(68));
    assert_eq!(card(GTX_1050_TI).worst_power_w(), Some(120));
    assert!(
        card(GT_1030)
            .note
            .as_ref()
            .is_some_and(|note| note.contains("DDR4"))
    );
}

#[test]
fn branch_580_is_advised_and_is_their_last() {
    let catalog = Catalog::builtin();
    let advised = catalog.advised_driver(&architectures()).expect("a branch");
    assert_eq!(advised.branch, DriverBranch(580));
    for architecture in architectures() {
        let last = catalog.last_branch_for(architecture).expect("a branch");
        assert_eq!(last.branch, DriverBranch(580));
    }
    let next = catalog.driver_branch(DriverBranch(595)).expect("595");
    assert!(!next.supports(Architecture::Pascal));
    assert!(next.supports(Architecture::Turing));
}

#[test]
fn its_packages_are_in_the_order_that_keeps_dkms_out() {
    let branch = Catalog::builtin()
        .driver_branch(DriverBranch(580))
        .expect("580");
    let module = KernelModule::for_all(&architectures()).expect("a module");
    assert_eq!(module, KernelModule::Closed);
    let ga = branch.packages(module, KernelFlavour::Ga);
    let expected = [
        "linux-modules-nvidia-580-server-generic",
        "nvidia-headless-no-dkms-580-server",
        "nvidia-utils-580-server",
        "nvidia-compute-utils-580-server",
        "libnvidia-compute-580-server",
    ];
    assert_eq!(ga, expected);
    let hwe = branch.packages(module, KernelFlavour::Hwe);
    assert_eq!(
        hwe.first().map(String::as_str),
        Some("linux-modules-nvidia-580-server-generic-hwe-24.04")
    );
    let open = branch.packages(KernelModule::Open, KernelFlavour::Ga);
    assert_eq!(
        open.first().map(String::as_str),
        Some("linux-modules-nvidia-580-server-open-generic")
    );
}

#[test]
fn the_open_module_is_not_for_them() {
    for architecture in architectures() {
        assert_eq!(architecture.open_module(), OpenModule::Impossible);
        assert!(!KernelModule::Open.drives(architecture));
    }
    let mixed = [Architecture::Pascal, Architecture::Blackwell];
    assert_eq!(KernelModule::for_all(&mixed), None);
    assert_eq!(
        KernelModule::for_all(&[Architecture::Blackwell]),
        Some(KernelModule::Open)
    );
    assert_eq!(
        KernelModule::for_all(&[Architecture::Turing]),
        Some(KernelModule::Closed)
    );
}

#[test]
fn its_container_toolkit_has_a_known_hole() {
    let catalog = Catalog::builtin();
    let holes = |text: &str| -> Vec<&str> {
        let holes = catalog.toolkit_vulnerabilities_of(version(text));
        holes.map(|hole| hole.id.as_str()).collect()
    };
    assert_eq!(holes("1.17.8"), ["CVE-2026-24260"]);
    assert_eq!(holes("1.17.7").len(), 3);
    assert_eq!(holes("1.0").len(), 5);
    assert!(holes("1.19.1").is_empty() && holes("1.20.0").is_empty());
    assert_eq!(
        catalog.toolkit_least_safe_version(),
        Some(version("1.19.1"))
    );
}

#[test]
fn ollama_asks_for_branch_570() {
    let catalog = Catalog::builtin();
    let floor = |ollama: &str, id: PciId| {
        let floor = catalog.ollama_driver_floor(version(ollama), card(id).compute_capability);
        floor.map(|floor| floor.driver)
    };
    assert_eq!(floor("0.30.11", K2200), Some(DriverBranch(570)));
    assert_eq!(floor("0.35.1", GTX_1050_TI), Some(DriverBranch(570)));
    assert_eq!(floor("0.30.10", K2200), None);
    assert_eq!(
        catalog.ollama_driver_floor(version("0.35.1"), ComputeCapability::new(7, 0)),
        None
    );
}

#[test]
fn its_model_fits_on_the_smallest_card() {
    let model = Catalog::builtin().model("gemma3:1b").expect("gemma3:1b");
    assert!(model.is_pinned());
    let blobs: u64 = model.blobs.iter().map(|blob| blob.size).sum();
    // What `ollama list` counts: all files but the manifest.
    assert_eq!(blobs, 815_319_791);
    assert_eq!(model.disk_bytes, 815_319_791 + 855);
    let memory = card(GT_1030).least_vram_mib().expect("its memory");
    assert!(model.vram_estimate_mib() <= u64::from(memory));
    let large = Catalog::builtin().model("gemma3:12b").expect("gemma3:12b");
    assert!(large.vram_estimate_mib() > 4096 && !large.is_pinned());
}

#[test]
fn the_k2200_has_no_tensorflow_since_2_17() {
    let catalog = Catalog::builtin();
    let runs = |tensorflow: &str, id: PciId| {
        let release = catalog.tensorflow(version(tensorflow)).expect("a release");
        release.runs_on(card(id).compute_capability)
    };
    assert!(runs("2.15.1", K2200) && runs("2.16.2", K2200));
    for late in ["2.17.1", "2.18.1", "2.19.0", "2.19.1", "2.20.0", "2.21.0"] {
        assert!(!runs(late, K2200), "{late}");
        assert!(runs(late, GTX_1050_TI), "{late}");
    }
}

#[test]
fn its_notebook_image_must_be_an_old_one() {
    let catalog = Catalog::builtin();
    let pascal = card(GTX_1050_TI).compute_capability;
    let maxwell = card(K2200).compute_capability;
    let turing = ComputeCapability::new(7, 5);
    let run = |tag: &str, gpu| catalog.can_run(&catalog.notebook_image(tag), gpu);

    assert_eq!(run("cuda-2025-07-14", pascal), Ok(()));
    assert_eq!(run("cuda-2025-08-11", pascal), Ok(()));
    assert!(matches!(
        run("cuda-2025-08-12", pascal),
        Err(Reason::NoCudnnCode { .. })
    ));
    assert_eq!(run("cuda-2025-08-12", turing), Ok(()));
    assert!(matches!(
        run("cuda-ubuntu-24.04", pascal),
        Err(Reason::MovingTag { .. })
    ));
    assert_eq!(run("cuda-ubuntu-24.04", turing), Ok(()));
    assert_eq!(run("cuda-tensorflow-2.19.0", pascal), Ok(()));
    assert!(matches!(
        run("cuda-tensorflow-2.19.0", maxwell),
        Err(Reason::NoCode { .. })
    ));
    assert!(matches!(
        run("cuda-tensorflow-2.20.0", pascal),
        Err(Reason::NoCudnnCode { .. })
    ));
    assert!(matches!(
        run("cuda-2025-07-14", maxwell),
        Err(Reason::NoDatedCode { .. })
    ));
    assert_eq!(run("cuda-2024-05-06", maxwell), Err(Reason::Unknown));
    assert_eq!(run("2025-07-14", turing), Err(Reason::NoCuda));
    assert_eq!(run("cuda-whatever", turing), Err(Reason::Unknown));
    assert_eq!(catalog.can_run(&catalog.notebook_advised(), pascal), Ok(()));
    for gpu in [pascal, maxwell] {
        let reason = run("cuda-ubuntu-24.04", gpu)
            .expect_err("too old")
            .to_string();
        assert!(reason.contains(&gpu.to_string()), "{reason}");
    }
}

#[test]
fn cudnn_cut_older_cards_off_in_9_11() {
    let catalog = Catalog::builtin();
    assert_eq!(catalog.cudnn_floor(version("9.10.2")), None);
    assert_eq!(
        catalog.cudnn_floor(version("9.11")),
        Some(ComputeCapability::new(7, 5))
    );
}

#[test]
fn its_workstation_and_release_are_known() {
    let catalog = Catalog::builtin();
    let z440 = catalog
        .workstation("HP Z440 Workstation")
        .expect("the Z440");
    assert_eq!(z440.sys_vendor, "Hewlett-Packard");
    assert!(z440.power_supply_w.contains(&700) && z440.confirmed);
    let noble = catalog.ubuntu_release("24.04").expect("24.04");
    assert_eq!(
        noble.newest().map(|image| image.release.as_str()),
        Some("24.04.5")
    );
    let image = catalog.ubuntu_image("24.04.5").expect("24.04.5");
    assert_eq!(
        image.url,
        "https://releases.ubuntu.com/24.04/ubuntu-24.04.5-live-server-amd64.iso"
    );
    assert_eq!(image.file_name, "ubuntu-24.04.5-live-server-amd64.iso");
    assert_eq!(catalog.ubuntu_image_by_sha256(image.sha256), Some(image));
    let today: Date = "2026-11-23".parse().expect("a day");
    assert!(today.days_until(noble.end_of_standard_support) > 730);
    assert_eq!(KernelFlavour::Hwe.package(), "linux-generic-hwe-24.04");
}

#[test]
fn support_ends_when_it_says() {
    let catalog = Catalog::builtin();
    let ended = |branch, today: &str| {
        let branch = catalog
            .driver_branch(DriverBranch(branch))
            .expect("a branch");
        branch.is_ended(today.parse().expect("a day"))
    };
    assert!(!ended(580, "2028-06-30"));
    assert!(ended(580, "2028-07-01"));
    assert!(ended(535, "2026-11-23"));
    assert!(ended(470, "2020-01-01"));
}
