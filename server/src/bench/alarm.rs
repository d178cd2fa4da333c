//! A moment to wait for, finer than the millisecond of the runtime's timer where the system has such a thing.

use std::{io, time::Instant};

#[cfg(target_os = "linux")]
pub use self::linux::Alarm;

#[cfg(target_os = "linux")]
mod linux {
    use std::{os::fd::OwnedFd, time::Duration};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::{Interest, unix::AsyncFd};

    use super::{Instant, io};

    /// A timer of the kernel that the runtime waits for as for a socket.
    pub struct Alarm(AsyncFd<OwnedFd>);

    impl Alarm {
        #[expect(
            deprecated,
            reason = "it is for descriptors that somebody else may close; this one is owned"
        )]
        pub fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            AsyncFd::with_interest(timer, Interest::READABLE).map(Self)
        }

        pub async fn wait_until(&mut self, at: Instant) -> io::Result<()> {
            // Zero would disarm it. What has passed already is waited for too: others have their turn meanwhile.
            let wait = at.saturating_duration_since(Instant::now());
            let wait = wait.max(Duration::from_nanos(1));
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec::try_from(wait).map_err(io::Error::other)?,
            };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
            // To set it again clears what it has counted, so that need not be read.
            self.0.readable().await?.clear_ready();
            Ok(())
        }
    }
}

/// The timer of the runtime.
#[cfg(not(target_os = "linux"))]
pub struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    pub fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub async fn wait_until(&mut self, at: Instant) -> io::Result<()> {
        tokio::time::sleep_until(at.into()).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_waits_until_the_moment_and_no_longer_for_one_that_has_passed() {
        let mut alarm = Alarm::new().expect("a timer");
        for _ in 0..3 {
            let at = Instant::now() + Duration::from_micros(300);
            alarm.wait_until(at).await.expect("it comes");
            assert!(Instant::now() >= at);
            alarm.wait_until(at).await.expect("it has come");
        }
    }
}
