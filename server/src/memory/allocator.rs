//! What the allocator of the system keeps of what was freed, for next time. It gives back what lies at the end of its heaps, and keeps what lies
//! before something that is still in use, however much it is.

/// Gives back to the system whatever is free. It may take a while, with much memory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "a function of glibc that nobody has wrapped")]
pub fn give_back() {
    // SAFETY: malloc_trim(3) may be called at any time by any thread, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Others are not told.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use crate::memory::usage::Resident;

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
