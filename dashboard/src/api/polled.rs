//! An answer that is kept up to date: asked for again and again while the page is in sight.
//!
//! What was known stays when an answer fails or the question changes, until there is something newer to show.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use yew::prelude::*;

use super::Fault;
use crate::browser;
use crate::shell::use_shell;

pub struct Polled<T> {
    /// The last answer. It may belong to an earlier question: see `is_current`.
    pub value: Option<Rc<T>>,
    /// Why the last question was not answered.
    pub fault: Option<Fault>,
    /// Whether `value` answers the present question.
    pub is_current: bool,
    /// Asks at once.
    pub refresh: Callback<()>,
}

/// What is known, and to which question the answer belongs.
struct Known<D, T> {
    value: Option<(D, Rc<T>)>,
    fault: Option<(D, Fault)>,
}

impl<D, T> Default for Known<D, T> {
    fn default() -> Self {
        Self {
            value: None,
            fault: None,
        }
    }
}

/// Asks with `fetch` for what `question` means, at once and then every `every_ms`; also when the connection is back.
#[hook]
pub fn use_polled<D, T, F, A>(question: D, every_ms: u32, fetch: F) -> Polled<T>
where
    D: Clone + PartialEq + 'static,
    T: 'static,
    F: Fn(D) -> A + 'static,
    A: Future<Output = Result<T, Fault>> + 'static,
{
    let known = use_mut_ref(Known::<D, T>::default);
    let redraw = use_force_update();
    let asked = use_state_eq(|| 0_u32);
    let is_online = use_shell().connection.is_online();
    use_effect_with((question.clone(), *asked, is_online), {
        let known = Rc::clone(&known);
        move |(question, _, _)| {
            let question = question.clone();
            let is_wanted = Rc::new(Cell::new(true));
            let still_wanted = Rc::clone(&is_wanted);
            wasm_bindgen_futures::spawn_local(async move {
                loop {
                    let answer = fetch(question.clone()).await;
                    if !still_wanted.get() {
                        return;
                    }
                    {
                        let mut known = known.borrow_mut();
                        known.fault = None;
                        match answer {
                            Ok(value) => known.value = Some((question.clone(), Rc::new(value))),
                            Err(fault) => known.fault = Some((question.clone(), fault)),
                        }
                    }
                    redraw.force_update();
                    loop {
                        browser::sleep_ms(every_ms).await;
                        if !still_wanted.get() {
                            return;
                        }
                        if !browser::is_hidden() {
                            break;
                        }
                    }
                }
            });
            move || is_wanted.set(false)
        }
    });
    let refresh = Callback::from(move |()| asked.set(asked.wrapping_add(1)));
    let known = known.borrow();
    let value = known.value.as_ref();
    let fault = known.fault.as_ref();
    Polled {
        is_current: value.is_some_and(|(of, _)| *of == question),
        value: value.map(|(_, value)| Rc::clone(value)),
        fault: fault
            .filter(|(of, _)| *of == question)
            .map(|(_, fault)| fault.clone()),
        refresh,
    }
}
