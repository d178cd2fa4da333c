//! Runs one client machine on the browser's events: socket, timer, wake-ups, and calls of the application.
//!
//! Whatever happens ends in `pump`, which empties the machine into the listeners. `pump` runs from the browser's event
//! loop only: calls of the application ask for it by a microtask. No borrow is held while a listener runs.

use alloc::rc::{Rc, Weak};
use alloc::string::String;
use core::cell::{Cell, RefCell, RefMut};

use bytes::BytesMut;
use ebbtide_protocol::ReasonCode;
use ebbtide_protocol::client::{Action, Client as Machine, State};
use js_sys::Function;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{CloseEvent, MessageEvent};

use crate::clock::Clock;
use crate::js;
use crate::listening::Listening;
use crate::socket::{Handlers, Socket, bytes_of};
use crate::wake::WakeUps;

/// The functions that the browser calls; they do nothing once the driver is gone.
#[derive(Debug)]
struct Callbacks {
    open: Closure<dyn FnMut()>,
    message: Closure<dyn FnMut(MessageEvent)>,
    close: Closure<dyn FnMut(CloseEvent)>,
    timer: Closure<dyn FnMut()>,
    microtask: Closure<dyn FnMut()>,
    wake: Closure<dyn FnMut()>,
}

/// Everything behind the clones of one client. Dropping it lets go of the connection without a farewell.
pub(crate) struct Driver {
    url: String,
    machine: RefCell<Machine>,
    socket: RefCell<Option<Socket>>,
    input: RefCell<BytesMut>,
    clock: Clock,
    callbacks: Callbacks,
    wake_ups: RefCell<Option<WakeUps>>,
    microtask_waits: Cell<bool>,
    /// Itself, while a microtask waits: one that was asked for cannot be taken back, and its function has to be there.
    kept: RefCell<Option<Rc<Self>>>,
    itself: Weak<Self>,
    pub(crate) listening: Listening,
}

impl Driver {
    /// Bytes that one call of `send` takes, about.
    const FRAME_BYTES: usize = 64 * 1024;
    /// Above this the socket gets nothing more until it has written.
    const BUFFERED_BYTES_MAX: u32 = 1024 * 1024;
    /// How soon to look again whether it has: browsers do not tell.
    const CONGESTED_WAIT_MS: u64 = 20;

    /// Does nothing until [`Driver::start`].
    pub(crate) fn new(url: String, machine: Machine) -> Rc<Self> {
        let driver = Rc::new_cyclic(|weak| Self {
            url,
            machine: RefCell::new(machine),
            socket: RefCell::new(None),
            input: RefCell::new(BytesMut::new()),
            clock: Clock::default(),
            callbacks: Callbacks::new(weak),
            wake_ups: RefCell::new(None),
            microtask_waits: Cell::new(false),
            kept: RefCell::new(None),
            itself: Weak::clone(weak),
            listening: Listening::default(),
        });
        let wake = driver.callbacks.wake.as_ref().unchecked_ref();
        *driver.wake_ups.borrow_mut() = Some(WakeUps::new(wake));
        driver
    }

    pub(crate) fn start(&self) {
        self.with(Machine::start);
    }

    /// A short look at the machine, or a change to it; what follows from a change comes with a microtask.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Machine, u64) -> T) -> T {
        let (mut machine, now) = self.enter();
        change(&mut machine, now)
    }

    /// Kept out of its many callers: a browser downloads every byte.
    #[inline(never)]
    fn enter(&self) -> (RefMut<'_, Machine>, u64) {
        self.pump_soon();
        (self.machine.borrow_mut(), self.clock.now_ms())
    }

    pub(crate) fn state(&self) -> State {
        self.machine.borrow().state().clone()
    }

    fn pump_soon(&self) {
        if !self.microtask_waits.replace(true) {
            *self.kept.borrow_mut() = self.itself.upgrade();
            js::queue_microtask(self.callbacks.microtask.as_ref().unchecked_ref());
        }
    }

    /// Empties the machine: events, then packets, then what is to be done with the socket, until nothing is left.
    fn pump(&self) {
        self.deliver_events();
        let mut congested = self.write(false);
        loop {
            let action = self.machine.borrow_mut().poll_action();
            match action {
                Some(Action::Open) => self.open(),
                Some(Action::Close) => {
                    self.write(true);
                    self.let_go();
                }
                None => {
                    // Writing settles QoS 0 publishes and may tell of refusals.
                    if !self.deliver_events() {
                        break;
                    }
                    congested = self.write(false);
                }
            }
        }
        if self.state() == State::Closed {
            self.let_go();
            let wake_ups = self.wake_ups.borrow_mut().take();
            drop(wake_ups);
        }
        let mut timeout = self.machine.borrow().poll_timeout();
        if congested {
            let soon = self.clock.now_ms() + Self::CONGESTED_WAIT_MS;
            timeout = Some(timeout.map_or(soon, |at| at.min(soon)));
        }
        let timer: &Function = self.callbacks.timer.as_ref().unchecked_ref();
        self.clock.wake_at(timeout, timer);
    }

    /// Whether there was any.
    fn deliver_events(&self) -> bool {
        let mut any = false;
        loop {
            let event = self.machine.borrow_mut().poll_event();
            let Some(event) = event else { return any };
            any = true;
            self.listening.deliver(event);
        }
    }

    /// Writes what the machine has, as far as the socket keeps up. Whether it does not.
    fn write(&self, even_if_congested: bool) -> bool {
        let socket = self.socket.borrow();
        let Some(socket) = socket.as_ref() else {
            return false;
        };
        let mut output = BytesMut::new();
        loop {
            if !even_if_congested && socket.buffered_bytes() > Self::BUFFERED_BYTES_MAX {
                return true;
            }
            let now = self.clock.now_ms();
            self.machine
                .borrow_mut()
                .poll_output(now, &mut output, Self::FRAME_BYTES);
            if output.is_empty() {
                return false;
            }
            socket.send(&output);
            output.clear();
        }
    }

    fn open(&self) {
        self.let_go();
        let socket = Socket::open(
            &self.url,
            &Handlers {
                open: self.callbacks.open.as_ref().unchecked_ref(),
                message: self.callbacks.message.as_ref().unchecked_ref(),
                close: self.callbacks.close.as_ref().unchecked_ref(),
            },
        );
        if socket.is_none() {
            let now = self.clock.now_ms();
            self.machine
                .borrow_mut()
                .handle_closed(now, "the browser does not open this address");
        }
        *self.socket.borrow_mut() = socket;
    }

    fn let_go(&self) {
        self.socket.borrow_mut().take();
        self.input.borrow_mut().clear();
    }

    fn received(&self, event: &MessageEvent) {
        let now = self.clock.now_ms();
        let mut machine = self.machine.borrow_mut();
        let Some(bytes) = bytes_of(event) else {
            // [MQTT-6.0.0-1]
            machine.handle_violation(now, ReasonCode::ProtocolError);
            return;
        };
        let mut input = self.input.borrow_mut();
        let start = input.len();
        input.resize(start + bytes.length() as usize, 0);
        bytes.copy_to(&mut input[start..]);
        machine.handle_input(now, &mut input);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.clock.stop();
    }
}

impl Callbacks {
    fn new(driver: &Weak<Driver>) -> Self {
        Self {
            open: on_event(driver, |driver| {
                driver
                    .machine
                    .borrow_mut()
                    .handle_open(driver.clock.now_ms());
            }),
            message: on_event_with(driver, |driver, event: MessageEvent| {
                driver.received(&event);
            }),
            close: on_event_with(driver, |driver, event: CloseEvent| {
                let reason = if event.was_clean() {
                    "the server closed the connection"
                } else {
                    "the server cannot be reached"
                };
                let now = driver.clock.now_ms();
                driver.let_go();
                driver.machine.borrow_mut().handle_closed(now, reason);
            }),
            timer: on_event(driver, |driver| {
                driver.clock.fired();
                let now = driver.clock.now_ms();
                driver.machine.borrow_mut().handle_timeout(now);
            }),
            microtask: on_event(driver, |driver| {
                driver.microtask_waits.set(false);
                // It is held by who calls this, until that is done.
                driver.kept.borrow_mut().take();
            }),
            wake: on_event(driver, |driver| {
                if WakeUps::is_visible() {
                    let now = driver.clock.now_ms();
                    driver.machine.borrow_mut().probe(now);
                }
            }),
        }
    }
}

fn on_event(driver: &Weak<Driver>, act: fn(&Driver)) -> Closure<dyn FnMut()> {
    let driver = Weak::clone(driver);
    Closure::new(move || {
        if let Some(driver) = driver.upgrade() {
            act(&driver);
            driver.pump();
        }
    })
}

fn on_event_with<E: wasm_bindgen::convert::FromWasmAbi + 'static>(
    driver: &Weak<Driver>,
    act: fn(&Driver, E),
) -> Closure<dyn FnMut(E)> {
    let driver = Weak::clone(driver);
    Closure::new(move |event| {
        if let Some(driver) = driver.upgrade() {
            act(&driver, event);
            driver.pump();
        }
    })
}
