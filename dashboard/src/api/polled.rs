//! An answer that is kept up to date: asked for again and again while the page is in sight.
//!
//! What was known stays when an answer fails or the question changes, until there is something newer to show.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
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

impl<D, T> Known<D, T> {
    fn take(&mut self, question: D, answer: Result<T, Fault>) {
        self.fault = None;
        match answer {
            Ok(value) => self.value = Some((question, Rc::new(value))),
            Err(fault) => self.fault = Some((question, fault)),
        }
    }
}

type Asked = Pin<Box<dyn Future<Output = ()>>>;

/// One for all types of answers: that keeps the page small.
async fn keep_asking(ask: Box<dyn Fn() -> Asked>, is_wanted: Rc<Cell<bool>>, every_ms: u32) {
    loop {
        ask().await;
        loop {
            if !is_wanted.get() {
                return;
            }
            browser::sleep_ms(every_ms).await;
            if is_wanted.get() && !browser::is_hidden() {
                break;
            }
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
            let ask = {
                let is_wanted = Rc::clone(&is_wanted);
                move || {
                    let (known, redraw) = (Rc::clone(&known), redraw.clone());
                    let (question, is_wanted) = (question.clone(), Rc::clone(&is_wanted));
                    let answer = fetch(question.clone());
                    let asked: Asked = Box::pin(async move {
                        let answer = answer.await;
                        if is_wanted.get() {
                            known.borrow_mut().take(question, answer);
                            redraw.force_update();
                        }
                    });
                    asked
                }
            };
            let kept = keep_asking(Box::new(ask), Rc::clone(&is_wanted), every_ms);
            wasm_bindgen_futures::spawn_local(kept);
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
