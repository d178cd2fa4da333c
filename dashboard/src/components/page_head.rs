//! The head of a page: its title, marks beside it, and what belongs to the page as a whole at the other end.

use yew::prelude::*;

use crate::model::page::Page;

#[derive(Properties, PartialEq)]
pub struct PageHeadProps {
    pub page: Page,
    /// Beside the title.
    #[prop_or_default]
    pub mark: Html,
    /// At the other end.
    #[prop_or_default]
    pub children: Html,
}

#[component]
pub fn PageHead(props: &PageHeadProps) -> Html {
    html! {
        <div class="page-head">
            <div class="page-title">
                <h1>{ props.page.title() }</h1>
                { props.mark.clone() }
            </div>
            { props.children.clone() }
        </div>
    }
}
