//! How the library is linked.
//!
//! - It gets the name that programs ask the loader for. `ldconfig` makes the link
//!   `libnvidia-ml.so.1` from it, so a package may lay the file down as
//!   `libnvidia-ml.so.<version>`, as the driver's package does.
//! - It is never unloaded. Rust's standard library leaves a destructor with each thread
//!   that called it, and a thread that ends after `dlclose` would jump into nothing.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libnvidia-ml.so.1");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
