//! Who is signed in, with what, and the way out. A popover of the browser's own: it goes with Escape, and when something else
//! is pressed.

use yew::prelude::*;

use super::icon;
use crate::model::account::Account;

pub fn account(account: &Account, on_sign_out: &Callback<()>) -> Html {
    let onclick = on_sign_out.reform(|_: MouseEvent| ());
    html! {
        <>
            <button type="button" class="account" data-testid="account" popovertarget="account-menu" aria-label={format!("Signed in as {}", account.user)}>
                { icon::person() }<bdi class="account-name">{ account.user.clone() }</bdi>
            </button>
            <div id="account-menu" class="account-menu" popover="auto">
                <p class="account-line">{ "Signed in as " }<strong><bdi>{ account.user.clone() }</bdi></strong></p>
                <p class="note">{ format!("Scopes: {}", account.scopes_in_words()) }</p>
                <button type="button" class="button" {onclick}>{ "Sign out" }</button>
            </div>
        </>
    }
}
