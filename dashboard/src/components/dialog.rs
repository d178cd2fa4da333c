//! A question or a task in front of the page. The browser's own dialog: it keeps the focus inside, Escape leaves it, and the
//! focus goes back to where it was.

use web_sys::HtmlDialogElement;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct DialogProps {
    /// Unique in the page; the title's is made of it.
    pub id: AttrValue,
    pub title: AttrValue,
    /// Escape was pressed.
    pub on_close: Callback<()>,
    #[prop_or_default]
    pub class: Classes,
    pub children: Html,
}

#[component]
pub fn Dialog(props: &DialogProps) -> Html {
    let dialog = use_node_ref();
    use_effect_with((), {
        let dialog = dialog.clone();
        move |()| {
            let shown = dialog.cast::<HtmlDialogElement>();
            if let Some(shown) = &shown {
                // Refused only for one that is shown already.
                let _refused = shown.show_modal();
            }
            move || {
                if let Some(shown) = shown {
                    shown.close();
                }
            }
        }
    });
    let oncancel = {
        let on_close = props.on_close.clone();
        Callback::from(move |event: Event| {
            // Whether it goes is decided by who shows it.
            event.prevent_default();
            on_close.emit(());
        })
    };
    let title_id = format!("{}-title", props.id);
    html! {
        <dialog ref={dialog} id={props.id.clone()} class={classes!("dialog", props.class.clone())}
            aria-labelledby={title_id.clone()} {oncancel}>
            <h2 id={title_id} class="dialog-title">{ props.title.clone() }</h2>
            { props.children.clone() }
        </dialog>
    }
}
