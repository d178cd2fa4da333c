//! A link to a place in the dashboard: an address like any other, followed without loading the page anew.

use yew::prelude::*;

use crate::model::location::Location;
use crate::shell::{Step, use_shell};

#[derive(Properties, PartialEq)]
pub struct PageLinkProps {
    pub to: Location,
    #[prop_or_default]
    pub class: Classes,
    /// For `aria-current`: `page` where the link leads to the page that is shown.
    #[prop_or_default]
    pub current: Option<&'static str>,
    #[prop_or_default]
    pub title: Option<AttrValue>,
    pub children: Html,
}

#[component]
pub fn PageLink(props: &PageLinkProps) -> Html {
    let shell = use_shell();
    let onclick = {
        let to = props.to.clone();
        Callback::from(move |event: MouseEvent| {
            // A new tab or window, or something to save: the browser's own business.
            let is_plain = event.button() == 0
                && !(event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key());
            if is_plain {
                event.prevent_default();
                shell.go.emit((to.clone(), Step::Push));
            }
        })
    };
    html! {
        <a href={props.to.url()} class={props.class.clone()} aria-current={props.current} title={props.title.clone()} {onclick}>
            { props.children.clone() }
        </a>
    }
}
