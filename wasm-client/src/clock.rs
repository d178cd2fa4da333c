//! Time for the machine: the wall clock, made to never go back, and one timer.
//!
//! The wall clock goes on while a laptop sleeps; the monotonic clocks of browsers may not. So after a long sleep the
//! machine sees at once that the connection is old.

use core::cell::{Cell, RefCell};

use js_sys::Function;
use wasm_bindgen::JsValue;

use crate::js;

/// One clock and one timer for each client.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last_ms: Cell<f64>,
    set_back_ms: Cell<f64>,
    timer: RefCell<Option<(u64, JsValue)>>,
}

impl Clock {
    /// Timers take no more than 31 bits; waking once a day for nothing costs nothing.
    const WAIT_MS_MAX: u64 = 86_400_000;

    /// Milliseconds; stands still rather than go back when somebody sets the wall clock back.
    pub(crate) fn now_ms(&self) -> u64 {
        let wall = js_sys::Date::now();
        if wall < self.last_ms.get() {
            let behind = self.last_ms.get() - wall;
            self.set_back_ms.set(self.set_back_ms.get() + behind);
        }
        self.last_ms.set(wall);
        (wall + self.set_back_ms.get()) as u64
    }

    /// Calls back at that time, and no more at the time asked for before.
    pub(crate) fn wake_at(&self, at_ms: Option<u64>, callback: &Function) {
        if self.timer.borrow().as_ref().map(|(at, _)| *at) == at_ms {
            return;
        }
        self.stop();
        if let Some(at_ms) = at_ms {
            let wait_ms = at_ms.saturating_sub(self.now_ms()).min(Self::WAIT_MS_MAX);
            let timer = js::set_timeout(callback, i32::try_from(wait_ms).unwrap_or(i32::MAX));
            *self.timer.borrow_mut() = Some((at_ms, timer));
        }
    }

    /// The timer has fired.
    pub(crate) fn fired(&self) {
        *self.timer.borrow_mut() = None;
    }

    pub(crate) fn stop(&self) {
        if let Some((_, timer)) = self.timer.borrow_mut().take() {
            js::clear_timeout(&timer);
        }
    }
}
