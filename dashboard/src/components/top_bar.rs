//! The bar at the top: name, search, and the state of the connection in words.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::icon;
use super::link::PageLink;
use crate::model::connection::Connection;
use crate::model::location::Location;
use crate::model::page::Page;

pub const SEARCH_ID: &str = "search";

/// `search_hint` says what the search looks through; `None`: nothing here. `end` stands last.
pub fn top_bar(
    connection: &Connection,
    search_hint: Option<&'static str>,
    search: &str,
    on_search: Callback<String>,
    end: Html,
) -> Html {
    let oninput = on_search.reform(|event: InputEvent| {
        let input = event.target_dyn_into::<HtmlInputElement>();
        input.map(|input| input.value()).unwrap_or_default()
    });
    let onkeydown = Callback::from(move |event: KeyboardEvent| {
        if event.key() == "Escape" {
            on_search.emit(String::new());
        }
    });
    html! {
        <header class="top">
            <PageLink to={Location::new(Page::HOME)} class="brand">{ icon::brand() }<span>{ "Ebbtide" }</span></PageLink>
            if let Some(hint) = search_hint {
                <search class="search">
                    { icon::search() }
                    <input id={SEARCH_ID} type="search" placeholder={hint}
                        aria-label={hint} aria-keyshortcuts="/"
                        autocomplete="off" spellcheck="false"
                        value={search.to_owned()} {oninput} {onkeydown} />
                    <kbd aria-hidden="true">{ "/" }</kbd>
                </search>
            }
            <div class="top-end">
            <p class="connection" role="status" data-testid="connection" data-state={connection.name()}>
                <span class="connection-dot" aria-hidden="true"></span>
                <span class="visually-hidden">{ "Connection: " }</span>
                { connection.words() }
            </p>
            { end }
            </div>
        </header>
    }
}
