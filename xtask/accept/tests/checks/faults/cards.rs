//! Faults of the cards and their driver.

use lab_facts::{Fact, KernelLine, Kind, PciDevice, Worked, WorkloadRequest};

use super::{Fault, fault, gpu, known, nvidia, root, software, strict, text, unit, worked};
use crate::fixture::{GT1030, GTX1050TI, K2200};

fn pci(evidence: &mut lab_accept::Evidence, index: usize) -> &mut PciDevice {
    &mut known(&mut nvidia(evidence).pci)[index]
}

/// Xid lines as the driver writes them.
fn xid(evidence: &mut lab_accept::Evidence, line: &str) {
    known(&mut root(evidence).kernel_log).push(KernelLine {
        at_ms: 5_000_000,
        text: text(line),
    });
}

fn proof(evidence: &mut lab_accept::Evidence, index: usize) -> &mut lab_facts::Proof {
    known(&mut known(&mut nvidia(evidence).compute)[index].proof)
}

fn memory(request: &WorkloadRequest) -> bool {
    matches!(request, WorkloadRequest::Memory { .. })
}

fn module(evidence: &mut lab_accept::Evidence) -> &mut lab_facts::Module {
    known(&mut nvidia(evidence).module).as_mut().unwrap()
}

pub(super) static FAULTS: &[Fault] = &[
    fault(
        "a card is missing",
        |e| {
            known(&mut nvidia(e).pci).remove(1);
            known(&mut nvidia(e).gpus).remove(1);
        },
        &["gpu.on-bus[k2200]"],
    ),
    fault(
        "a card moved to another slot",
        |e| {
            pci(e, 2).address = text("0000:04:00.0");
            gpu(e, 2).address = text("0000:04:00.0");
        },
        &["gpu.on-bus[gtx1050ti]"],
    ),
    fault(
        "two cards changed places",
        |e| {
            pci(e, 0).address = text("0000:03:00.0");
            gpu(e, 0).address = text("0000:03:00.0");
            pci(e, 2).address = text("0000:01:00.0");
            gpu(e, 2).address = text("0000:01:00.0");
        },
        &["gpu.on-bus[gt1030]", "gpu.on-bus[gtx1050ti]"],
    ),
    fault(
        "a fourth card",
        |e| {
            let card = PciDevice {
                address: text("0000:04:00.0"),
                id: text("10de:1b80"),
                subsystem: text("1043:8591"),
                driver: Some(text("nvidia")),
            };
            known(&mut nvidia(e).pci).push(card);
        },
        &["gpu.undescribed"],
    ),
    fault(
        "nouveau has a card",
        |e| pci(e, 1).driver = Some(text("nouveau")),
        &["gpu.bound[k2200]"],
    ),
    fault(
        "a card is set aside for a virtual machine",
        |e| pci(e, 0).driver = Some(text("vfio-pci")),
        &["gpu.bound[gt1030]"],
    ),
    fault(
        "no driver took a card",
        |e| pci(e, 2).driver = None,
        &["gpu.bound[gtx1050ti]"],
    ),
    fault(
        "nouveau is loaded",
        |e| *known(&mut nvidia(e).nouveau) = true,
        &["gpu.nouveau"],
    ),
    fault(
        "a package of the driver is missing",
        |e| {
            known(&mut software(e).packages).remove("nvidia-utils-580-server");
        },
        &["gpu.packages[nvidia-utils-580-server]"],
    ),
    fault(
        "a package of the driver is half installed",
        |e| {
            known(&mut software(e).packages)
                .get_mut("libnvidia-compute-580-server")
                .unwrap()
                .status = text("iF");
        },
        &[
            "gpu.packages[libnvidia-compute-580-server]",
            "machine.locked-packages",
        ],
    ),
    fault(
        "the driver is not held",
        |e| {
            known(&mut software(e).held).retain(|name| name != "libnvidia-compute-580-server");
        },
        &["gpu.held"],
    ),
    fault(
        "no module is loaded",
        |e| *known(&mut nvidia(e).module) = None,
        &["gpu.module"],
    ),
    fault(
        "a module of another branch",
        |e| {
            module(e).version = text("595.58.03");
            known(&mut nvidia(e).library).driver = text("595.58.03");
            known(&mut nvidia(e).cdi).as_mut().unwrap().driver = Some(text("595.58.03"));
        },
        &["gpu.module"],
    ),
    fault(
        "the library was upgraded under the module",
        |e| known(&mut nvidia(e).library).driver = text("580.178.04"),
        &["gpu.library"],
    ),
    fault(
        "NVML refuses the module",
        |e| nvidia(e).library = Fact::unknown("Driver/library version mismatch"),
        &["gpu.library"],
    ),
    fault(
        "the open module",
        |e| module(e).kind = Fact::Is(Kind::Open),
        &["gpu.module-kind"],
    ),
    fault(
        "nvidia-uvm is not loaded",
        |e| module(e).uvm = false,
        &["gpu.uvm"],
    ),
    fault(
        "no node of nvidia-uvm",
        |e| known(&mut nvidia(e).nodes).retain(|node| node != "/dev/nvidia-uvm"),
        &["gpu.uvm"],
    ),
    fault(
        "the persistence daemon ended",
        |e| unit(e, "nvidia-persistenced.service", "failed"),
        &["gpu.persistence-daemon"],
    ),
    fault(
        "a card does not persist",
        |e| *known(&mut gpu(e, 0).persistence) = false,
        &["gpu.persistence[gt1030]"],
    ),
    Fault {
        described: &[("branch = 580", "branch = 580\npersistence = false")],
        ..fault(
            "a persistence daemon that nobody wants",
            |e| unit(e, "nvidia-persistenced.service", "active"),
            &["gpu.persistence-daemon"],
        )
    },
    fault(
        "NVML lost a card",
        |e| {
            known(&mut nvidia(e).gpus).remove(2);
        },
        &["gpu.seen[gtx1050ti]"],
    ),
    fault(
        "NVML calls a card otherwise",
        |e| gpu(e, 0).pci_id = text("10de:1d02"),
        &["gpu.seen[gt1030]"],
    ),
    fault(
        "the list of cards is an old one",
        |e| {
            known(&mut software(e).lab_gpus)[1].1 = text(GT1030);
        },
        &["gpu.name[k2200]"],
    ),
    fault(
        "a card is not in the list",
        |e| {
            known(&mut software(e).lab_gpus).remove(0);
        },
        &["gpu.name[gt1030]"],
    ),
    fault(
        "a forged card",
        |e| *known(&mut gpu(e, 2).memory_total_bytes) = 1 << 30,
        &["gpu.memory[gtx1050ti]"],
    ),
    fault(
        "an error of the card's memory",
        |e| gpu(e, 1).ecc_uncorrected = Fact::Is(3),
        &["gpu.ecc[k2200]"],
    ),
    fault(
        "a card fell off the bus",
        |e| {
            xid(
                e,
                "NVRM: Xid (PCI:0000:03:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
            );
        },
        &["gpu.xid[gtx1050ti]"],
    ),
    fault(
        "an error of a card that is gone",
        |e| {
            xid(
                e,
                "NVRM: Xid (PCI:0000:04:00): 13, pid=2211, name=python3, Graphics Exception",
            );
        },
        &["gpu.xid"],
    ),
    fault(
        "an Xid of no known form",
        |e| xid(e, "NVRM: Xid without an address"),
        &["gpu.xid"],
    ),
    fault(
        "a fan stands still",
        |e| *known(&mut gpu(e, 0).temperature_c) = 94,
        &["gpu.temperature[gt1030]"],
    ),
    fault(
        "lost lanes",
        |e| known(&mut gpu(e, 1).pcie).width = 8,
        &["gpu.pcie-width[k2200]"],
    ),
    strict(
        "another power limit",
        |e| *known(&mut gpu(e, 1).power_limit_mw) = 39_000,
        &["gpu.power-limit[k2200]"],
    ),
    fault(
        "held down by heat",
        |e| known(&mut gpu(e, 2).throttle).push(text("hw_thermal_slowdown")),
        &["gpu.throttle[gtx1050ti]"],
    ),
    fault(
        "held down by the power supply",
        |e| {
            *known(&mut gpu(e, 2).throttle) =
                vec![text("hw_slowdown"), text("hw_power_brake_slowdown")];
        },
        &["gpu.throttle[gtx1050ti]"],
    ),
    fault(
        "CUDA is dead",
        |e| {
            known(&mut nvidia(e).compute)[1].proof =
                Fact::unknown("CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected");
        },
        &["gpu.compute[k2200]"],
    ),
    fault(
        "CUDA does not see a card",
        |e| {
            known(&mut nvidia(e).compute).remove(0);
        },
        &["gpu.compute[gt1030]"],
    ),
    fault(
        "a wrong result",
        |e| proof(e, 2).wrong = 1,
        &["gpu.compute[gtx1050ti]"],
    ),
    fault(
        "nothing was computed",
        |e| proof(e, 2).computed = 0,
        &["gpu.compute[gtx1050ti]"],
    ),
    fault(
        "a bit of the card's memory is lost",
        |e| proof(e, 0).wrong_words = 1,
        &["gpu.compute-memory[gt1030]"],
    ),
    fault(
        "no memory was filled",
        |e| proof(e, 0).filled_bytes = 0,
        &["gpu.compute-memory[gt1030]"],
    ),
    fault(
        "a GT 1030 with DDR4",
        |e| proof(e, 0).bandwidth_mb_s = 15_200,
        &["gpu.bandwidth[gt1030]"],
    ),
    fault(
        "a card's last chip is bad",
        |e| {
            if let Worked::Memory(all) = worked(e, memory) {
                known(&mut all[1].1).wrong_words = 4096;
            }
        },
        &["gpu.memory-full[k2200]"],
    ),
    fault(
        "filling a card failed",
        |e| {
            if let Worked::Memory(all) = worked(e, memory) {
                all[2].1 = Fact::unknown("CUDA_ERROR_ILLEGAL_ADDRESS");
            }
        },
        &["gpu.memory-full[gtx1050ti]"],
    ),
    fault(
        "filling was killed",
        |e| {
            super::workload(e, memory).worked = Fact::unknown("it did not end within 120 s");
        },
        &[
            "gpu.memory-full[gt1030]",
            "gpu.memory-full[gtx1050ti]",
            "gpu.memory-full[k2200]",
        ],
    ),
    fault(
        "a specification of an older driver",
        |e| {
            known(&mut nvidia(e).cdi).as_mut().unwrap().driver = Some(text("580.95.05"));
        },
        &["docker.cdi-driver"],
    ),
    fault(
        "no specification",
        |e| *known(&mut nvidia(e).cdi) = None,
        &["docker.cdi-driver"],
    ),
    fault(
        "a specification without a card",
        |e| {
            known(&mut nvidia(e).cdi)
                .as_mut()
                .unwrap()
                .devices
                .retain(|one| one != K2200 && one != GTX1050TI);
        },
        &["docker.cdi-cards[gtx1050ti]", "docker.cdi-cards[k2200]"],
    ),
];
