//! One installation of a tool at a time: two checkouts share the cache, and each would take away what the other has half done.

use std::fs::{self, File, TryLockError};

use std::path::Path;

use anyhow::{Context, Result};

/// Does `install` with nobody else at the same tool, and not at all if `is_there`: another one may have just done it. The
/// lock goes with the process, however it ends.
pub fn unless_there(
    tools: &Path,
    folder: &str,
    is_there: impl Fn() -> bool,
    install: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if is_there() {
        return Ok(());
    }
    fs::create_dir_all(tools).with_context(|| format!("creating {}", tools.display()))?;
    let path = tools.join(format!("{folder}.lock"));
    let lock = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("==> {folder}: another checkout installs it, waiting");
            lock.lock()
                .with_context(|| format!("locking {}", path.display()))?;
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("locking {}", path.display()));
        }
    }
    if is_there() {
        return Ok(());
    }
    install()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn of_many_at_once_one_installs_and_the_others_wait_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let marker = folder.path().join("there");
        let installed = AtomicUsize::new(0);
        let install = || {
            installed.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(50));
            Ok(fs::write(&marker, "")?)
        };
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    unless_there(folder.path(), "tool-1", || marker.exists(), install)
                        .expect("installed");
                    assert!(marker.exists());
                });
            }
        });
        assert_eq!(installed.load(Ordering::Relaxed), 1);
    }
}
