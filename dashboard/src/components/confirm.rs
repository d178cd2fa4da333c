//! A button for what has consequences: it asks once.

use yew::prelude::*;

use super::dialog::Dialog;

#[derive(Properties, PartialEq)]
pub struct ConfirmButtonProps {
    /// Unique in the page.
    pub id: AttrValue,
    /// On the button.
    pub label: AttrValue,
    /// What will be done and what is lost by it.
    pub question: AttrValue,
    /// What says yes: a verb.
    pub yes: AttrValue,
    /// What becomes of it afterwards: whether it can be taken back.
    pub outlook: AttrValue,
    /// Something is lost by it.
    #[prop_or_default]
    pub is_dangerous: bool,
    /// Whom it is about, for those who do not see where it stands.
    #[prop_or_default]
    pub about: AttrValue,
    #[prop_or_default]
    pub is_small: bool,
    #[prop_or_default]
    pub disabled: bool,
    pub on_yes: Callback<()>,
}

#[component]
pub fn ConfirmButton(props: &ConfirmButtonProps) -> Html {
    let is_asking = use_state_eq(|| false);
    let set = |is: bool| {
        let is_asking = is_asking.clone();
        Callback::from(move |()| is_asking.set(is))
    };
    let close = set(false);
    let yes = {
        let (close, on_yes) = (close.clone(), props.on_yes.clone());
        Callback::from(move |_: MouseEvent| {
            close.emit(());
            on_yes.emit(());
        })
    };
    let open = set(true).reform(|_: MouseEvent| ());
    let no = close.reform(|_: MouseEvent| ());
    let danger = props.is_dangerous.then_some("button-danger");
    html! {
        <>
            <button type="button" class={classes!("button", danger, props.is_small.then_some("button-small"))} disabled={props.disabled} onclick={open}>
                { props.label.clone() }
                if !props.about.is_empty() {
                    <span class="visually-hidden">{ format!(" {}", props.about) }</span>
                }
            </button>
            if *is_asking {
                <Dialog id={props.id.clone()} title={props.label.clone()} on_close={close}>
                    <p class="dialog-text">{ props.question.clone() }</p>
                    <p class="note">{ props.outlook.clone() }</p>
                    <div class="dialog-actions">
                        <button type="button" class="button" onclick={no}>{ "Cancel" }</button>
                        <button type="button" class={classes!("button", "button-primary", danger)} onclick={yes}>{ props.yes.clone() }</button>
                    </div>
                </Dialog>
            }
        </>
    }
}
