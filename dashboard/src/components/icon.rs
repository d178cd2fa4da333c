//! The few pictures, drawn as SVG. Decorative: what they mean is always said in words beside them.

use yew::prelude::*;

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
