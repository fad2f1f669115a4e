//! Outside programs that tests run, each with the Debian package that has it: for tests
//! that say what is missing, and for `cargo xtask doctor`, which installs it.

/// What the container tier makes its machines with. Without one of them every test of it
/// reads `NOT RUN`.
pub const CONTAINER: &[(&str, &str)] = &[
    ("docker", "docker.io"),
    ("mmdebstrap", "mmdebstrap"),
    ("apt-get", "apt"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("ssh-keyscan", "openssh-client"),
];

/// What the upstreams of a converging machine need besides.
pub const UPSTREAMS: &[(&str, &str)] = &[
    ("apt-ftparchive", "apt-utils"),
    ("docker-registry", "docker-registry"),
    ("dpkg-deb", "dpkg"),
    ("gpg", "gpg"),
    ("curl", "curl"),
    ("nginx", "nginx"),
    ("openssl", "openssl"),
    ("zstd", "zstd"),
];

/// What commands over SSH are tried with: a server, an agent, networks that lose packets,
/// and sudo that asks.
pub const REMOTE: &[(&str, &str)] = &[
    ("sshd", "openssh-server"),
    ("ssh-agent", "openssh-client"),
    ("sudo", "sudo"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
];

/// What opens reports as pages.
pub const BROWSER: &[(&str, &str)] = &[("chromium", "chromium")];
