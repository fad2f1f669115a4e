//! What boots in an emulated machine.
//!
//! `standin` boots the stand-in base bare and composed, `foreign` images that others made
//! and Debian packages carry, `menu` the image of images/gpu-server before disks in
//! different states, `network` the same image as iPXE starts it from a server.
//! libtest runs as many guests at once as there are processors.

mod foreign;
mod gpu_server;
mod menu;
mod network;
mod standin;

use std::time::Duration;

/// How long a guest may take to get to a point. Emulated on two busy processors, a boot
/// has taken up to a minute.
const BOOT: Duration = Duration::from_secs(150);

/// Tests by name: the function that is the test, and its arguments after the name.
macro_rules! boots {
    ($($name:ident: $how:ident($($argument:expr),*);)*) => {
        $(
            #[test]
            fn $name() -> anyhow::Result<()> {
                $how(stringify!($name), $($argument),*)
            }
        )*
    };
}
pub(crate) use boots;
