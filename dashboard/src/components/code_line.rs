//! A piece of code to take away: shown whole, copied with one click where the browser allows it.

use yew::prelude::*;

use super::copy_button::CopyButton;

/// `label` says what the code is, for those who do not see where it stands.
pub fn code_line(code: &str, label: &'static str) -> Html {
    let code = AttrValue::from(code.to_owned());
    html! {
        <div class="code">
            <pre translate="no" role="group" tabindex="0" aria-label={label}><code>{ code.clone() }</code></pre>
            <CopyButton text={code} {label} class="code-copy" />
        </div>
    }
}
