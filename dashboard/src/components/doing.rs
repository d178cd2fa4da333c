//! Something that the broker is asked to do, and what came of it.

use std::future::Future;
use std::pin::Pin;

use yew::prelude::*;

use super::toast::Notice;
use crate::api::Fault;
use crate::shell::Shell;

/// What was done, in a sentence, or why it was not.
pub type Doing = Pin<Box<dyn Future<Output = Result<String, Fault>>>>;

/// Does it, tells what came of it, and then `done`.
pub fn doing(
    shell: &Shell,
    done: &Callback<()>,
    action: impl Fn() -> Doing + 'static,
) -> Callback<()> {
    let (notify, done) = (shell.notify.clone(), done.clone());
    Callback::from(move |()| tell(notify.clone(), done.clone(), action()))
}

fn tell(notify: Callback<Notice>, done: Callback<()>, action: Doing) {
    wasm_bindgen_futures::spawn_local(async move {
        let text = action
            .await
            .unwrap_or_else(|fault| format!("It was not done. {fault}"));
        notify.emit(Notice::new(text));
        done.emit(());
    });
}
