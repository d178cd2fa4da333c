//! What the npm package has in place of the standard library's runtime, which would make every download a tenth larger:
//! an allocator, and what a panic does.
//!
//! A panic is a bug. It ends the call with a `WebAssembly.RuntimeError`, as the standard library's would; its message
//! would reach nobody, since a page has no standard error.

use core::arch::wasm32;
use core::panic::PanicInfo;

use rlsf::SmallGlobalTlsf;

#[global_allocator]
static ALLOCATOR: SmallGlobalTlsf = SmallGlobalTlsf::new();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    wasm32::unreachable()
}
