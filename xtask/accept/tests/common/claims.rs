//! The tables of claims: what passed, and what was not run.

/// Id, subject, key of the description, claim, evidence.
pub type Passed = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

#[rustfmt::skip] // A row a claim.
pub const SYSTEM: &[Passed] = &[
    ("machine.product", "", "machine.product", "it is an HP Z440 Workstation of Hewlett-Packard", "Hewlett-Packard HP Z440 Workstation, BIOS M60 v02.61"),
    ("machine.cpu", "", "", "its processor can be read", "Intel(R) Xeon(R) CPU E5-1650 v4 @ 3.60GHz, 12 threads"),
    ("machine.memory", "", "machine.memory_gib", "it has 32 GiB of memory, of which firmware may keep 10 %", "31.3 GiB"),
    ("machine.memory-errors", "", "", "the memory controllers counted no error that was not corrected", "4 controllers, 0 corrected, 0 uncorrected"),
    ("machine.disk", "", "disk.model", "the system lies on a Samsung SSD 870 EVO 250GB", "/dev/mapper/ubuntu--vg-ubuntu--lv on sda, Samsung SSD 870 EVO 250GB"),
    ("machine.space", "/", "", "/ has 10 % and 5 GiB free", "171.2 GiB of 228.0 GiB free at /"),
    ("machine.space", "/var/lib/docker", "", "/var/lib/docker has 10 % and 5 GiB free", "171.2 GiB of 228.0 GiB free at /"),
    ("machine.release", "", "ubuntu.release", "the system is Ubuntu 24.04", "Ubuntu 24.04.5 LTS"),
    ("machine.kernel", "", "ubuntu", "the kernel is the release's own", "6.8.0-91-generic"),
    ("machine.clock", "", "", "the clock is right within 2 s", "ahead by 14 ms, give or take 3 ms"),
    ("machine.timezone", "", "ubuntu.timezone", "the time zone is Etc/UTC", "Etc/UTC"),
    ("machine.installed", "", "", "it runs what was installed, and not the installer", "ext4 from /dev/mapper/ubuntu--vg-ubuntu--lv"),
    ("machine.description", "", "", "the machine was made from this description", "LAB_DESCRIPTION=4be1a07f9c3d…"),
    ("machine.manifest", "", "", "what was laid down is what this description lays down", "sha256 9a40cf…"),
];

/// Id, claim, and of each card what more is claimed and what was seen.
type OfCards = (
    &'static str,
    &'static str,
    [(&'static str, &'static str); 3],
);

#[rustfmt::skip] // A row a claim.
pub const CARDS: &[OfCards] = &[
    ("gpu.present", "stands at its slot", [("0000:01:00.0", "10de:1d01 at 0000:01:00.0"), ("0000:02:00.0", "10de:13ba at 0000:02:00.0"), ("0000:03:00.0", "10de:1c82 at 0000:03:00.0")]),
    ("gpu.bound", "is bound to the driver nvidia", [("", "nvidia"), ("", "nvidia"), ("", "nvidia")]),
    ("gpu.nvml", "is seen by NVML", [("", "NVIDIA GeForce GT 1030"), ("", "Quadro K2200"), ("", "NVIDIA GeForce GTX 1050 Ti")]),
    ("gpu.temperature", "is cooler than where it slows itself down", [("", "38 °C, slows down at 94 °C"), ("", "44 °C, slows down at 101 °C"), ("", "41 °C, slows down at 94 °C")]),
    ("gpu.persistence", "stays initialised", [("", "on"), ("", "on"), ("", "on")]),
    ("gpu.compute", "computes 1,048,576 numbers and all are right", [("", "0 wrong in 180 ms"), ("", "0 wrong in 174 ms"), ("", "0 wrong in 161 ms")]),
    ("gpu.bandwidth", "moves at least half of what its maker says", [("", "38.4 GB/s of 48 GB/s"), ("", "46.3 GB/s of 80 GB/s"), ("", "96.9 GB/s of 112 GB/s")]),
    ("gpu.memory-errors", "counted no error of its memory", [("", "NotSupported"), ("", "NotSupported"), ("", "NotSupported")]),
];

#[rustfmt::skip] // A row a claim.
pub const SOFTWARE: &[Passed] = &[
    ("gpu.undescribed", "", "gpu", "no card is there that is not described", "3 display controllers, 3 described"),
    ("gpu.branch", "", "driver.branch", "the driver is of branch 580", "580.173.02"),
    ("gpu.module", "", "driver", "module and library are of one version", "580.173.02 both"),
    ("gpu.module-kind", "", "driver", "the proprietary module drives the old cards", "closed"),
    ("gpu.uvm", "", "", "/dev/nvidia-uvm is there", "/dev/nvidia-uvm, /dev/nvidia0, /dev/nvidia1, /dev/nvidia2, /dev/nvidiactl"),
    ("gpu.held", "", "driver", "no upgrade moves the driver by itself", "7 packages held"),
    ("docker.source", "", "docker", "its packages come from a source that Docker's key signs", "https://download.docker.com/linux/ubuntu, 9DC858229FC7DD38854AE2D88D81803C0EBFCD88"),
    ("docker.version", "", "docker.version", "Docker is 29.1.3", "29.1.3"),
    ("docker.runtime", "", "docker", "it finds CDI specifications", "/etc/cdi, /var/run/cdi"),
    ("docker.cdi", "", "docker", "the CDI specification names every card and this driver", "/run/cdi/nvidia.yaml: all, 0, 1, 2 and 3 UUIDs, 580.173.02"),
    ("docker.cards", "lab-dcgan", "dcgan.gpus", "the container sees gtx1050ti and no other card", "GPU-c4f6e1ab-2d90-f7b3-8a15-e29d7730b4c6"),
    ("docker.logging", "", "docker", "a container's log cannot fill the disk", "local"),
    ("toolkit.version", "", "toolkit.version", "the container toolkit is 1.19.1", "1.19.1"),
    ("toolkit.cve", "", "toolkit", "it is not older than 1.17.8 (CVE-2025-23266)", "1.19.1"),
    ("toolkit.source", "", "toolkit", "its packages come from a source that NVIDIA's key signs", "C95B321B61E88C1809C4F759DDCAE044F796ECB0"),
    ("ollama.version", "", "ollama.version", "Ollama is 0.35.1", "0.35.1"),
    ("ollama.loopback", "", "ollama.listen", "it listens on 127.0.0.1:11434 alone", "127.0.0.1:11434"),
    ("ollama.model", "gemma3:1b", "ollama.models", "the model is there with its digest", "8648f39daa8f…"),
    ("ollama.answer", "gemma3:1b", "ollama.models", "it answers a prompt", "387 tokens in 14.2 s"),
    ("ollama.vram", "gemma3:1b", "ollama.gpus", "all of it lies in the card's memory", "1.2 GiB of 1.2 GiB"),
    ("ollama.card", "", "ollama.gpus", "it computes on k2200 and on no other card", "ollama (4711) on GPU-83b7d0f2-55a9-0e6c-9d21-6b40a2c5e7d8"),
    ("ollama.speed", "gemma3:1b", "ollama.gpus", "it answers with 5 tokens a second at least", "27.2 tokens/s"),
    ("jupyter.loopback", "", "jupyter.port", "it listens on 127.0.0.1:8888 alone", "127.0.0.1:8888"),
    ("dcgan.service", "", "dcgan", "the training runs", "active (running), 0 restarts"),
    ("dcgan.checkpoints", "", "dcgan.checkpoint_every", "it keeps a checkpoint every 15 epochs", "epoch-0015.ckpt, epoch-0030.ckpt"),
    ("dcgan.speed", "", "dcgan.gpus", "an epoch takes less than 120 s", "18.2 s, median of 33 epochs"),
    ("dcgan.card", "", "dcgan.gpus", "it computes on gtx1050ti and on no other card", "python3 (6032) on GPU-c4f6e1ab-2d90-f7b3-8a15-e29d7730b4c6"),
    ("access.passwords", "", "access", "no account can log in with a password", "2 accounts, none with a password"),
    ("access.root", "", "access", "root cannot log in", "permitrootlogin no"),
    ("access.keys-only", "", "access", "sshd takes keys and nothing else", "authenticationmethods any, passwordauthentication no"),
    ("access.secrets", "", "access", "no secret can be read by others", "none of 4 files"),
    ("access.firewall", "", "network", "the firewall is up", "inet lab"),
    ("access.port", "22", "network", "port 22 answers from here", "open"),
    ("access.port", "8888", "jupyter.port", "port 8888 does not answer from here", "closed"),
    ("access.port", "11434", "ollama.listen", "port 11434 does not answer from here", "closed"),
    ("access.listeners", "", "network", "nothing else listens on other than loopback", "tcp 0.0.0.0:22 and [::]:22 (sshd)"),
    ("updates.security", "", "updates", "security updates are installed by themselves", "${distro_id}:${distro_codename}-security"),
    ("updates.timer", "", "updates", "the daily timer is on", "apt-daily-upgrade.timer enabled"),
    ("updates.held", "", "updates", "driver and Docker are left alone", "^nvidia-, ^libnvidia-, ^docker-ce, ^containerd"),
    ("tools.nvtop", "", "monitoring.nvtop", "nvtop is there", "nvtop version 3.1.0"),
    ("tools.exporter", "", "monitoring.exporter", "the exporter tells of every card", "3 cards, 21 values"),
];

const RESTARTS: &str = "needs restarts of the machine: run with --disruptive";
const CONTAINER: &str = "the container lab-jupyter does not run (exit status 137)";

#[rustfmt::skip] // A row a claim.
pub const NOT_RUN: &[(&str, &str, &str, &str, &str)] = &[
    ("gpu.survives-reboot", "gt1030", "", "is there after two restarts", RESTARTS),
    ("gpu.survives-reboot", "k2200", "", "is there after two restarts", RESTARTS),
    ("gpu.survives-reboot", "gtx1050ti", "", "is there after two restarts", RESTARTS),
    ("docker.survives-reload", "", "docker", "a running container keeps its card through a daemon-reload", RESTARTS),
    ("docker.survives-restart", "", "docker", "a running container comes back after Docker is restarted", RESTARTS),
    ("jupyter.tensorflow", "", "jupyter.gpus", "TensorFlow sees gt1030 from inside", CONTAINER),
    ("jupyter.token", "", "jupyter", "it wants a token, and takes the machine's own", CONTAINER),
    ("machine.secure-boot", "", "", "Secure Boot is as described", "the machine was started by BIOS, which has none"),
];
