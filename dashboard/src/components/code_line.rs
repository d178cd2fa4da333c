//! A piece of code to take away: shown whole, copied with one click where the browser allows it.

use yew::prelude::*;

use super::copy_button::CopyButton;

/// `title` stands above it; `label` says what the code is, for those who do not see where it stands.
pub fn code_line(code: &str, title: &'static str, label: &'static str) -> Html {
    let code = AttrValue::from(code.to_owned());
    html! {
        <div class="code">
            <div class="code-head">
                <span aria-hidden="true">{ title }</span>
                <CopyButton text={code.clone()} {label} class="code-copy" />
            </div>
            <pre translate="no" role="group" aria-label={label}><code>{ code }</code></pre>
        </div>
    }
}
