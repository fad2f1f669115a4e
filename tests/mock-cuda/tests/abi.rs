//! The library through the crate that the probe calls it by, and what a program does wrong.
//!
//! The numbers and symbols are those of `cudarc`, which are made from NVIDIA's header.

#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

use std::ffi::{CStr, CString, c_void};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::ptr::null_mut;

use cudarc::driver::sys::{CUdevice_attribute as Attribute, CUresult};
use cudarc::driver::{DriverError, result, sys};
use lab_mock_cuda::{Status, VARIABLE};

const Z440: &str = include_str!("../../mock-nvml/cards/z440.toml");
const K2200: &str = "GPU-2e7b2200-2200-13ba-9b20-c0ffee000002";
const PTX: &CStr = c".version 5.0\n.target sm_50\n";

#[test]
fn errors_have_the_numbers_of_the_header() {
    for (ours, theirs) in [
        (Status::InvalidValue, CUresult::CUDA_ERROR_INVALID_VALUE),
        (Status::OutOfMemory, CUresult::CUDA_ERROR_OUT_OF_MEMORY),
        (Status::NotInitialized, CUresult::CUDA_ERROR_NOT_INITIALIZED),
        (Status::NoDevice, CUresult::CUDA_ERROR_NO_DEVICE),
        (Status::InvalidDevice, CUresult::CUDA_ERROR_INVALID_DEVICE),
        (Status::InvalidContext, CUresult::CUDA_ERROR_INVALID_CONTEXT),
        (
            Status::EccUncorrectable,
            CUresult::CUDA_ERROR_ECC_UNCORRECTABLE,
        ),
        (Status::InvalidPtx, CUresult::CUDA_ERROR_INVALID_PTX),
        (
            Status::OperatingSystem,
            CUresult::CUDA_ERROR_OPERATING_SYSTEM,
        ),
        (Status::InvalidHandle, CUresult::CUDA_ERROR_INVALID_HANDLE),
        (Status::NotFound, CUresult::CUDA_ERROR_NOT_FOUND),
        (Status::IllegalAddress, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS),
        (
            Status::SystemDriverMismatch,
            CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH,
        ),
        (Status::Unknown, CUresult::CUDA_ERROR_UNKNOWN),
    ] {
        assert_eq!(ours.code(), theirs as u32, "{ours:?}");
    }
}

/// Says to a test that it has its own process.
const INSIDE: &str = "LAB_MOCK_CUDA_INSIDE";

/// The environment is one for a whole process, and the loader reads its search path once:
/// so a test that calls the library runs itself again, over its own cards.
fn in_a_process(test: &str, cards: &str, visible: Option<&str>, inside: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let folder = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    let library = exe.parent().unwrap().join("liblab_mock_cuda.so");
    assert!(library.exists(), "{} was not built", library.display());
    symlink(library, folder.path().join("libcuda.so.1")).unwrap();
    let file = folder.path().join("cards.toml");
    std::fs::write(&file, cards).unwrap();
    let mut command = Command::new(exe);
    command
        .args(["--exact", test])
        .env(INSIDE, "1")
        .env("LD_LIBRARY_PATH", folder.path())
        .env(VARIABLE, &file)
        .env_remove("CUDA_VISIBLE_DEVICES");
    if let Some(visible) = visible {
        command.env("CUDA_VISIBLE_DEVICES", visible);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn cards_are_known_by_their_numbers() {
    in_a_process("cards_are_known_by_their_numbers", Z440, None, inside_cards);
}

#[test]
fn only_what_is_visible_is_seen_in_its_order() {
    let two = "GPU-9a431050,GPU-2e7b2200-2200-13ba-9b20-c0ffee000002,GPU-nowhere,0";
    let test = "only_what_is_visible_is_seen_in_its_order";
    in_a_process(test, Z440, Some(two), inside_visible);
}

#[test]
fn an_empty_list_shows_no_card() {
    in_a_process("an_empty_list_shows_no_card", Z440, Some(""), inside_none);
}

#[test]
fn a_uuid_that_is_not_there_shows_no_card() {
    let test = "a_uuid_that_is_not_there_shows_no_card";
    in_a_process(test, Z440, Some("GPU-00000000-0000"), inside_none);
}

#[test]
fn what_a_program_does_wrong_is_an_error() {
    let test = "what_a_program_does_wrong_is_an_error";
    in_a_process(test, Z440, Some(K2200), inside_wrong);
}

#[test]
fn a_file_that_is_ill_formed_is_an_unknown_error() {
    let test = "a_file_that_is_ill_formed_is_an_unknown_error";
    in_a_process(test, "what", None, inside_unknown);
}

fn inside_cards() {
    assert_eq!(
        result::device::get_count().unwrap_err().0,
        CUresult::CUDA_ERROR_NOT_INITIALIZED
    );
    result::init().unwrap();
    assert_eq!(result::device::get_count(), Ok(3));
    let second = result::device::get(1).unwrap();
    assert_eq!(result::device::get_name(second).unwrap(), "Quadro K2200");
    let uuid = result::device::get_uuid(second)
        .unwrap()
        .bytes
        .map(|byte| byte as u8);
    assert_eq!(uuid[..4], [0x2e, 0x7b, 0x22, 0x00]);
    assert_eq!(uuid[10..], [0xc0, 0xff, 0xee, 0, 0, 2]);
    for (attribute, value) in [
        (Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 5),
        (Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0),
        (Attribute::CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, 2),
        (Attribute::CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, 0),
        (Attribute::CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, 0),
        (Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 512 << 10),
        (Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1),
        (Attribute::CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32),
        (Attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024),
    ] {
        // SAFETY: the device was given out by the library.
        let known = unsafe { result::device::get_attribute(second, attribute) };
        assert_eq!(known, Ok(value), "{attribute:?}");
    }
    // SAFETY: the device was given out by the library.
    assert_eq!(unsafe { result::device::total_mem(second) }, Ok(4096 << 20));
    assert_eq!(
        result::device::get(3).unwrap_err().0,
        CUresult::CUDA_ERROR_INVALID_DEVICE
    );
}

fn inside_visible() {
    result::init().unwrap();
    assert_eq!(result::device::get_count(), Ok(2));
    let names = [0, 1].map(|ordinal| result::device::get_name(ordinal).unwrap());
    assert_eq!(names, ["NVIDIA GeForce GTX 1050 Ti", "Quadro K2200"]);
}

fn inside_none() {
    let error = result::init().unwrap_err();
    assert_eq!(error.0, CUresult::CUDA_ERROR_NO_DEVICE);
    assert_eq!(error.error_name().unwrap(), c"CUDA_ERROR_NO_DEVICE");
    assert_eq!(
        error.error_string().unwrap(),
        c"no CUDA-capable device is detected"
    );
}

fn inside_unknown() {
    assert_eq!(result::init().unwrap_err().0, CUresult::CUDA_ERROR_UNKNOWN);
}

fn inside_wrong() {
    result::init().unwrap();
    let code = |error: Result<(), DriverError>| error.unwrap_err().0;
    assert_eq!(
        code(result::mem_get_info().map(|_| ())),
        CUresult::CUDA_ERROR_INVALID_CONTEXT
    );
    // SAFETY: the device is there, the pointers are null or to local values, and what the
    // library must refuse is no address of the card's memory.
    unsafe {
        let context = result::primary_ctx::retain(0).unwrap();
        result::ctx::set_current(context).unwrap();
        let null = sys::cuMemGetInfo_v2(null_mut(), null_mut());
        assert_eq!(null, CUresult::CUDA_ERROR_INVALID_VALUE);
        let all = result::malloc_sync(96 << 20).unwrap();
        let more = result::malloc_sync(1).map(|_| ());
        assert_eq!(code(more), CUresult::CUDA_ERROR_OUT_OF_MEMORY);
        result::free_sync(all).unwrap();
        assert_eq!(
            code(result::free_sync(all)),
            CUresult::CUDA_ERROR_INVALID_VALUE
        );

        let bad = result::module::load_data(c"no such text".as_ptr().cast()).map(|_| ());
        assert_eq!(code(bad), CUresult::CUDA_ERROR_INVALID_PTX);
        let module = result::module::load_data(PTX.as_ptr().cast()).unwrap();
        let named = |name: &str| result::module::get_function(module, CString::new(name).unwrap());
        assert_eq!(
            code(named("other").map(|_| ())),
            CUresult::CUDA_ERROR_NOT_FOUND
        );
        let hash = named("lab_hash").unwrap();

        // One block of 32 threads for 64 numbers: half of them nobody computes.
        let (mut out, mut count, mut seed) = (result::malloc_sync(256).unwrap(), 64_u32, 7_u32);
        let mut arguments: [*mut c_void; 3] = [
            (&raw mut out).cast(),
            (&raw mut count).cast(),
            (&raw mut seed).cast(),
        ];
        let mut launch = |threads| {
            let block = (threads, 1, 1);
            result::launch_kernel(hash, (1, 1, 1), block, 0, null_mut(), &mut arguments)
        };
        assert_eq!(code(launch(2048)), CUresult::CUDA_ERROR_INVALID_VALUE);
        launch(32).unwrap();
        let mut host = [0_u32; 64];
        result::memcpy_dtoh_async(&mut host, out, null_mut()).unwrap();
        assert!(host[..32].iter().all(|word| *word != 0) && host[32..] == [0; 32]);

        // A kernel past the end fails when somebody waits, and so does all after it.
        (&raw mut count).write(65);
        launch(65).unwrap();
        assert_eq!(
            code(result::ctx::synchronize()),
            CUresult::CUDA_ERROR_ILLEGAL_ADDRESS
        );
        let after = result::malloc_sync(4).map(|_| ());
        assert_eq!(code(after), CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
    }
}
