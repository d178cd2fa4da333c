//! The way from page to page: at the side where there is room, else at the foot.

use std::rc::Rc;

use yew::prelude::*;

use super::icon;
use super::link::PageLink;
use crate::model::location::Location;
use crate::model::page::Page;

#[derive(Properties, PartialEq)]
pub struct NavigationProps {
    /// The one that is shown.
    pub page: Page,
    /// Where each page's link leads.
    pub places: Rc<[Location]>,
}

#[component]
pub fn Navigation(props: &NavigationProps) -> Html {
    let links = props.places.iter().map(|place| {
        let page = place.page;
        let current = (page == props.page).then_some("page");
        html! {
            <li key={page.path()}>
                <PageLink to={place.clone()} class="nav-link" {current}>
                    { icon::page(page) }<span>{ page.title() }</span>
                </PageLink>
            </li>
        }
    });
    html! {
        <nav class="nav" aria-label="Pages"><ul>{ for links }</ul></nav>
    }
}
