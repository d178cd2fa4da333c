//! Says that the connection is lost: since when, why, what happens next. Floats, so that nothing jumps.

use gloo::timers::callback::Interval;
use yew::prelude::*;

use crate::browser;
use crate::model::connection::{Connection, Link};

const COUNTDOWN_TICK_MS: u32 = 500;

#[derive(Properties, PartialEq)]
pub struct BannerProps {
    pub connection: Connection,
    pub on_retry: Callback<()>,
}

#[component]
pub fn Banner(props: &BannerProps) -> Html {
    let now_ms = use_state_eq(browser::now_ms);
    let lost_at_ms = props.connection.lost_at_ms;
    use_effect_with(lost_at_ms.is_some(), {
        let now_ms = now_ms.clone();
        move |lost| {
            let ticks = lost.then(|| {
                now_ms.set(browser::now_ms());
                Interval::new(COUNTDOWN_TICK_MS, move || now_ms.set(browser::now_ms()))
            });
            move || drop(ticks)
        }
    });
    let Some(lost_at_ms) = lost_at_ms else {
        return Html::default();
    };
    let (title, button) = match props.connection.link {
        Link::NeedsAuth { .. } => ("Sign-in needed", "Try again"),
        _ => ("Not connected", "Try now"),
    };
    let reason = props.connection.last_reason.as_deref().unwrap_or_default();
    let retry = props.on_retry.reform(|_: MouseEvent| ());
    html! {
        <section class="banner" aria-label="Connection lost" data-state={props.connection.name()}>
            <div class="banner-text">
                <p>
                    <strong>{ title }</strong>
                    { " since " }
                    <time datetime={browser::iso_time(lost_at_ms)} title={browser::exact_time(lost_at_ms)}>
                        { browser::time_of_day(lost_at_ms) }
                    </time>
                    if !reason.is_empty() {
                        { ": " }<span class="banner-reason">{ reason.to_owned() }</span>
                    }
                </p>
                <p class="banner-outlook">{ props.connection.outlook((*now_ms).max(lost_at_ms)) }</p>
            </div>
            <button type="button" class="button" onclick={retry}>{ button }</button>
        </section>
    }
}
