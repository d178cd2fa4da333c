//! The few pictures, drawn as SVG. Decorative: what they mean is always said in words beside them.

use yew::prelude::*;

use crate::model::page::Page;

/// The sign of the product: the tide, going out.
pub fn brand() -> Html {
    html! {
        <svg class="brand-sign" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <rect width="32" height="32" rx="8" class="brand-sign-ground" />
            <path class="brand-sign-wave" d="M6 12c3.3-3 6.7-3 10 0s6.7 3 10 0" />
            <path class="brand-sign-wave brand-sign-wave-2" d="M6 17.5c3.3-3 6.7-3 10 0s6.7 3 10 0" />
            <path class="brand-sign-wave brand-sign-wave-3" d="M6 23c3.3-3 6.7-3 10 0s6.7 3 10 0" />
        </svg>
    }
}

pub fn search() -> Html {
    html! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <circle cx="7" cy="7" r="4.5" />
            <path d="m10.5 10.5 3.5 3.5" />
        </svg>
    }
}

pub fn person() -> Html {
    html! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path d="M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.5 14c0-2.5 2.5-4 5.5-4s5.5 1.5 5.5 4" />
        </svg>
    }
}

/// The sign of a page in the navigation.
pub fn page(page: Page) -> Html {
    let path = match page {
        Page::Overview => "M3 3h6v7H3zM11 3h6v4h-6zM11 9h6v8h-6zM3 12h6v5H3z",
        Page::Presence => {
            "M7 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM1.5 17c0-3 2.5-4.5 5.5-4.5s5.5 1.5 5.5 4.5M13 4.3a3 3 0 0 1 0 5.4M15 12.8c2 .6 3.5 2 3.5 4.2"
        }
        Page::Config => {
            "M3 5.5h7M14 5.5h3M3 14.5h3M10 14.5h7M12 7.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM8 16.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z"
        }
        Page::Topics => {
            "M4 3.5v11a2 2 0 0 0 2 2h3M4 8.5h5M11 6h6M11 8.5V6a1 1 0 0 1 1-1M9 16.5h8M9 8.5h8"
        }
        Page::Publish => "M17 3 9 11M17 3l-5 14-3-6-6-3Z",
        Page::Access => {
            "M7 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM10.5 10h7M17.5 10v3M14.5 10v2.5"
        }
        Page::Sessions => "M3 5h14M3 10h14M3 15h8M15 13v4M13 15h4",
    };
    html! {
        <svg class="icon icon-page" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d={path} /></svg>
    }
}
