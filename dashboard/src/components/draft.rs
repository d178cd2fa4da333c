//! What is being typed into a field: begins as what is known, and anew when that is another. Until then it is the viewer's,
//! however often the page is drawn.

use yew::prelude::*;

#[hook]
pub fn use_draft(known: &str) -> UseStateHandle<String> {
    let draft = use_state_eq(|| known.to_owned());
    use_effect_with(known.to_owned(), {
        let draft = draft.clone();
        move |known: &String| draft.set(known.clone())
    });
    draft
}
