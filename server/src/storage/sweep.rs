//! What no session owns is removed when a store is opened. A transaction copies pages before it changes them, so on a full disk there may be
//! no room to remove all of it at once, however often it is tried, and room for parts ([`SweepPace`](ebbtide_store::redb::SweepPace)).

use ebbtide_store::StoreError;

use super::kept::Kept;

/// Recovers a store for a broker that is there.
pub(super) fn sweep(store: &Kept) -> Result<(), StoreError> {
    for row in &store.recover(&mut |_| {})?.put_aside {
        tracing::error!("a damaged row was put aside: {row}");
    }
    Ok(())
}
