//! The program. All of it is in the library beside it, so that the fuzz targets reach what they try out.

use std::process::ExitCode;

/// A message is made by one thread and freed by another, at every moment. The system's allocator has both take one lock for that
/// (docs/decisions/011-allocator.md).
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What is free goes back to the system within a fifth of a second, also when nothing happens any more: a thread of its own sees to it.
#[cfg(target_os = "linux")]
#[allow(
    unsafe_code,
    reason = "the allocator looks for a name, before the program begins"
)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static ALLOCATOR_SETTINGS: &[u8; 84] =
    b"background_thread:true,max_background_threads:1,dirty_decay_ms:200,muzzy_decay_ms:0\0";

fn main() -> ExitCode {
    ebbtide::main()
}
