//! Who is signed in, with what, and the way out.

use yew::prelude::*;

use super::icon;
use crate::model::account::Account;

pub fn account(account: &Account, on_sign_out: &Callback<()>) -> Html {
    let onclick = on_sign_out.reform(|_: MouseEvent| ());
    html! {
        <details class="account" data-testid="account">
            <summary aria-label={format!("Signed in as {}", account.user)}>
                { icon::person() }<bdi class="account-name">{ account.user.clone() }</bdi>
            </summary>
            <div class="account-menu">
                <p class="account-line">{ "Signed in as " }<strong><bdi>{ account.user.clone() }</bdi></strong></p>
                <p class="note">{ format!("Scopes: {}", account.scopes_in_words()) }</p>
                <button type="button" class="button" {onclick}>{ "Sign out" }</button>
            </div>
        </details>
    }
}
