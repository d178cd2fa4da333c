//! The present, told to all relative times at once. It moves twice a minute: they speak of minutes.

use gloo::timers::callback::Interval;
use yew::prelude::*;

use crate::browser;
use crate::model::clock;

const TICK_MS: u32 = 30_000;

#[derive(Clone, Copy, PartialEq)]
pub struct Now(i64);

#[derive(Properties, PartialEq)]
pub struct NowProviderProps {
    pub children: Html,
}

#[component]
pub fn NowProvider(props: &NowProviderProps) -> Html {
    let now = use_state_eq(|| Now(browser::now_ms()));
    use_effect_with((), {
        let now = now.clone();
        move |()| {
            let ticks = Interval::new(TICK_MS, move || now.set(Now(browser::now_ms())));
            move || drop(ticks)
        }
    });
    html! {
        <ContextProvider<Now> context={*now}>{ props.children.clone() }</ContextProvider<Now>>
    }
}

#[derive(Properties, PartialEq)]
pub struct RelativeTimeProps {
    pub at_ms: i64,
    /// How long it has been so, not when it began.
    #[prop_or_default]
    pub lasting: bool,
}

/// `5 min ago` or `for 5 min`, with the exact time on hover.
#[component]
pub fn RelativeTime(props: &RelativeTimeProps) -> Html {
    let Now(now_ms) = use_context::<Now>().unwrap_or(Now(props.at_ms));
    let words = if props.lasting {
        clock::lasting(now_ms, props.at_ms)
    } else {
        clock::relative(now_ms, props.at_ms)
    };
    // Worked out when it is asked for: a thousand localised times are slow.
    let hovered = use_state_eq(|| false);
    let onmouseover = {
        let hovered = hovered.clone();
        Callback::from(move |_: MouseEvent| hovered.set(true))
    };
    let title = hovered.then(|| browser::exact_time(props.at_ms));
    html! {
        <time datetime={browser::iso_time(props.at_ms)} {title} {onmouseover}>
            { words }
        </time>
    }
}
