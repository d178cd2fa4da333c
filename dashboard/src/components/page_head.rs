//! The head of a page: its title, marks beside it, and what belongs to the page as a whole at the other end.

use yew::prelude::*;

use crate::model::page::Page;

pub fn page_head(page: Page, mark: Html, other_end: Html) -> Html {
    html! {
        <div class="page-head">
            <div class="page-title">
                <h1>{ page.title() }</h1>
                { mark }
            </div>
            { other_end }
        </div>
    }
}
