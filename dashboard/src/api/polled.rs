//! An answer that is kept up to date: asked for again and again while the page is in sight.
//!
//! What was known stays when an answer fails or the question changes, until there is something newer to show.

use std::any::Any;
use std::cell::{Cell, RefCell};
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

/// What is known, and to which question the answer belongs: by its number.
///
/// Without the type of the answers: what does not depend on it is in the page once.
#[derive(Default)]
struct Known {
    value: Option<(u32, Rc<dyn Any>)>,
    fault: Option<(u32, Fault)>,
}

type Asked = Pin<Box<dyn Future<Output = Result<Rc<dyn Any>, Fault>>>>;
type Ask = Box<dyn Fn() -> Asked>;

async fn keep_asking(
    ask: Ask,
    is_wanted: Rc<Cell<bool>>,
    every_ms: u32,
    take: Callback<Result<Rc<dyn Any>, Fault>>,
) {
    loop {
        let answer = ask().await;
        if is_wanted.get() {
            take.emit(answer);
        }
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
    let last = use_mut_ref(|| (question.clone(), 0_u32));
    let number = {
        let (last, number) = &mut *last.borrow_mut();
        if *last != question {
            *last = question.clone();
            *number = number.wrapping_add(1);
        }
        *number
    };
    let ask: Ask = Box::new(move || {
        let answer = fetch(question.clone());
        Box::pin(async move { answer.await.map(|value| Rc::new(value) as Rc<dyn Any>) })
    });
    let (known, refresh) = use_asked(number, every_ms, ask);
    let known = known.borrow();
    Polled {
        is_current: known.value.as_ref().is_some_and(|(of, _)| *of == number),
        value: known.value.as_ref().map(|(_, value)| {
            let value = Rc::clone(value).downcast();
            value.expect("each component asks for one type of answer")
        }),
        fault: known
            .fault
            .as_ref()
            .filter(|(of, _)| *of == number)
            .map(|(_, fault)| fault.clone()),
        refresh,
    }
}

#[hook]
fn use_asked(number: u32, every_ms: u32, ask: Ask) -> (Rc<RefCell<Known>>, Callback<()>) {
    let known = use_mut_ref(Known::default);
    let redraw = use_force_update();
    let asked = use_state_eq(|| 0_u32);
    let is_online = use_shell().connection.is_online();
    use_effect_with((number, *asked, is_online), {
        let known = Rc::clone(&known);
        move |_| {
            let is_wanted = Rc::new(Cell::new(true));
            let take = Callback::from(move |answer| {
                let mut known = known.borrow_mut();
                known.fault = None;
                match answer {
                    Ok(value) => known.value = Some((number, value)),
                    Err(fault) => known.fault = Some((number, fault)),
                }
                drop(known);
                redraw.force_update();
            });
            let kept = keep_asking(ask, Rc::clone(&is_wanted), every_ms, take);
            wasm_bindgen_futures::spawn_local(kept);
            move || is_wanted.set(false)
        }
    });
    let refresh = Callback::from(move |()| asked.set(asked.wrapping_add(1)));
    (known, refresh)
}
