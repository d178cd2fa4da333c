//! One of a few choices, as buttons that belong together. Radio buttons underneath: arrow keys work as everywhere.

use yew::prelude::*;

pub struct Segmented {
    /// Unique in the page.
    pub name: String,
    /// What is chosen here.
    pub label: &'static str,
    /// Whether the label is seen, not only heard.
    pub show_label: bool,
    /// Value and words of each.
    pub choices: Vec<(&'static str, &'static str)>,
    pub chosen: String,
    pub on_choose: Callback<&'static str>,
}

pub fn segmented(of: Segmented) -> Html {
    let choices = of.choices.iter().map(|(value, words)| {
        let value = *value;
        let checked = of.chosen == value;
        let onchange = of.on_choose.reform(move |_: Event| value);
        html! {
            <label class="segment" key={value}>
                <input type="radio" name={of.name.clone()} {value} {checked} {onchange} />
                <span>{ *words }</span>
            </label>
        }
    });
    let legend = if of.show_label {
        "segmented-label"
    } else {
        "visually-hidden"
    };
    html! {
        <fieldset class="segmented">
            <legend class={legend}>{ of.label }</legend>
            <div class="segments">{ for choices }</div>
        </fieldset>
    }
}
