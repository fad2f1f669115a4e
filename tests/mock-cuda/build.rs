//! How the library is linked.
//!
//! - It gets the name that programs ask the loader for, so that `ldconfig` makes the link
//!   `libcuda.so.1` from a file of any name.
//! - It is never unloaded. Rust's standard library leaves a destructor with each thread
//!   that called it, and a thread that ends after `dlclose` would jump into nothing.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libcuda.so.1");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
