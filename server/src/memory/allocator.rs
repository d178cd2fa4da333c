//! What the allocator keeps of what was freed, for next time. It gives it back by and by, and at once when it is told to.

/// Gives back to the system whatever is free. It may take a while, with much memory.
#[cfg(unix)]
#[allow(unsafe_code, reason = "a command of jemalloc that nobody has wrapped")]
pub fn give_back() {
    use std::ptr::null_mut;
    // 4,096 stands for all arenas.
    let purge = c"arena.4096.purge".as_ptr();
    // SAFETY: the name ends with a zero, the command takes and gives nothing, and moves nothing that is in use.
    unsafe {
        tikv_jemalloc_sys::mallctl(purge, null_mut(), null_mut(), null_mut(), 0);
    }
}

/// Others are not told.
#[cfg(not(unix))]
pub fn give_back() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::memory::usage::Resident;

    /// As in the program.
    #[global_allocator]
    static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

    #[test]
    fn what_is_free_between_what_is_in_use_is_given_back() {
        const BLOCK: usize = 32 * 1024;
        const COUNT: usize = 8_000;
        let blocks: Vec<_> = (0..COUNT)
            .map(|_| (vec![1_u8; BLOCK], Box::new([1_u8; 64])))
            .collect();
        let in_use: Vec<_> = blocks.into_iter().map(|(_, small)| small).collect();
        let mut resident = Resident::open().expect("it is in /proc");
        let before = resident.bytes().expect("it is in /proc");
        give_back();
        let after = resident.bytes().expect("it is in /proc");
        let freed = (BLOCK * COUNT) as u64;
        assert!(before - after > freed / 2, "{before} {after}");
        drop(in_use);
    }
}
