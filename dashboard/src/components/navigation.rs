//! The way from page to page: at the side where there is room, else at the foot.

use yew::prelude::*;

use super::icon;
use super::link::PageLink;
use crate::model::location::Location;
use crate::model::page::Page;

/// `shown` is where the viewer is, if it is on a page; `places` are where each page's link leads.
pub fn navigation(shown: Option<Page>, places: impl Iterator<Item = Location>) -> Html {
    let links = places.map(|place| {
        let page = place.page;
        let current = (Some(page) == shown).then_some("page");
        html! {
            <li key={page.path()}>
                <PageLink to={place} class="nav-link" {current}>
                    { icon::page(page) }<span>{ page.title() }</span>
                </PageLink>
            </li>
        }
    });
    html! {
        <nav class="nav" aria-label="Pages"><ul>{ for links }</ul></nav>
    }
}
