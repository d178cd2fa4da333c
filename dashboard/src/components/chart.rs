//! Curves over time, with the exact values of the moment that is pointed at, and a table of all of them.
//!
//! The moment is chosen with the pointer or with the arrow keys. All places are attributes of SVG: no styles.

use std::rc::Rc;

use web_sys::Element;
use yew::prelude::*;

use crate::browser;
use crate::model::format::{duration_s, fixed};
use crate::model::plot::{Data, HEIGHT, WIDTH, y};

/// What a chart shows; its values come in the order of `curves`.
#[derive(Debug)]
pub struct Kind {
    pub id: &'static str,
    pub title: &'static str,
    pub curves: &'static [&'static str],
    pub unit: fn(f64) -> String,
    /// The least that the upper edge stands for.
    pub least_max: f64,
}

#[derive(Properties)]
pub struct ChartProps {
    pub kind: &'static Kind,
    pub data: Rc<Data>,
    /// The moment that is pointed at, as an index; one for all charts of a page.
    pub pointed: Option<usize>,
    pub on_point: Callback<Option<usize>>,
}

impl PartialEq for ChartProps {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.kind, other.kind)
            && self.data == other.data
            && self.pointed == other.pointed
    }
}

#[component]
pub fn Chart(props: &ChartProps) -> Html {
    let kind = props.kind;
    let data = &props.data;
    let plot = use_memo(Rc::clone(data), |data| data.plot(kind.least_max));
    let is_open = use_state_eq(|| false);
    let last = data.times_ms.len().checked_sub(1);
    let pointed = props.pointed.filter(|at| *at < data.times_ms.len());
    // Where nothing is pointed at, what was known last says more than that there is nothing now.
    let at = pointed.or_else(|| data.last_known()).or(last);
    let plot_ref = use_node_ref();
    let title_id = format!("chart-{}", kind.id);
    let onpointermove = {
        let (data, on_point, place) = (Rc::clone(data), props.on_point.clone(), plot_ref.clone());
        Callback::from(move |event: PointerEvent| {
            let Some(place) = place.cast::<Element>() else {
                return;
            };
            let place = place.get_bounding_client_rect();
            let fraction = (f64::from(event.client_x()) - place.left()) / place.width().max(1.0);
            on_point.emit(data.nearest(fraction));
        })
    };
    let onpointerleave = props.on_point.reform(|_: PointerEvent| None);
    let onblur = props.on_point.reform(|_: FocusEvent| None);
    let onkeydown = {
        let on_point = props.on_point.clone();
        Callback::from(move |event: KeyboardEvent| {
            let (Some(at), Some(last)) = (at, last) else {
                return;
            };
            let to = match &*event.key() {
                "ArrowLeft" | "ArrowDown" => at.saturating_sub(1),
                "ArrowRight" | "ArrowUp" => (at + 1).min(last),
                "PageUp" => at.saturating_sub(30),
                "PageDown" => (at + 30).min(last),
                "Home" => 0,
                "End" => last,
                "Escape" => return on_point.emit(None),
                _ => return,
            };
            event.prevent_default();
            on_point.emit(Some(to));
        })
    };
    let ontoggle = {
        let is_open = is_open.clone();
        Callback::from(move |event: Event| {
            let details = event.target_dyn_into::<Element>();
            is_open.set(details.is_some_and(|details| details.has_attribute("open")));
        })
    };
    let when = at.map(|at| browser::time_of_day(data.times_ms[at] as i64));
    let value = |curve: usize, at: usize| data.values[curve][at];
    let words = |curve: usize| {
        let value = at.and_then(|at| value(curve, at));
        value.map_or_else(|| "–".to_owned(), kind.unit)
    };
    let legend = kind.curves.iter().enumerate().map(|(curve, name)| {
        html! {
            <div class="chart-value" data-curve={curve.to_string()}>
                <dt>{ *name }</dt><dd>{ words(curve) }</dd>
            </div>
        }
    });
    let said = kind.curves.iter().enumerate();
    let said: Vec<String> = said
        .map(|(curve, name)| format!("{name} {}", words(curve)))
        .collect();
    let lines = plot.lines.iter().enumerate().map(|(curve, path)| {
        html! { <path class="chart-line" data-curve={curve.to_string()} d={path.clone()} /> }
    });
    let moment = match &when {
        Some(when) if pointed.is_some() => when.clone(),
        Some(when) if at != last => format!("last at {when}"),
        _ => "now".to_owned(),
    };
    let pointed = pointed.map(|at| pointer(data, at, plot.max));
    html! {
        <figure class="panel chart" data-chart={kind.id}>
            <figcaption>
                <h2 id={title_id.clone()}>{ kind.title }</h2>
                <p class="chart-when">{ moment }</p>
            </figcaption>
            <dl class="chart-legend">{ for legend }</dl>
            <div class="chart-body">
                <div class="chart-scale" aria-hidden="true">
                    <span>{ (kind.unit)(plot.max) }</span>
                    <span>{ (kind.unit)(plot.max / 2.0) }</span>
                    <span>{ (kind.unit)(0.0) }</span>
                </div>
                <div class="chart-plot" ref={plot_ref} tabindex="0" role="slider" aria-labelledby={title_id}
                    aria-valuemin="0" aria-valuemax={last.unwrap_or_default().to_string()}
                    aria-valuenow={at.unwrap_or_default().to_string()}
                    aria-valuetext={format!("{}: {}", when.unwrap_or_default(), said.join(", "))}
                    {onpointermove} {onpointerleave} {onkeydown} {onblur}>
                    <svg viewBox={format!("0 0 {} {}", fixed(WIDTH, 0), fixed(HEIGHT, 0))} preserveAspectRatio="none" aria-hidden="true" focusable="false">
                        <path class="chart-grid" d={grid()} />
                        <path class="chart-area" d={plot.area.clone()} />
                        { for lines }
                        { pointed }
                    </svg>
                </div>
                <div class="chart-times" aria-hidden="true">
                    <span>{ if data.is_from_start { format!("start, {}", ago(data.length_ms)) } else { ago(data.length_ms) } }</span>
                    <span>{ ago(data.length_ms / 2) }</span>
                    <span>{ "now" }</span>
                </div>
            </div>
            <details class="chart-table" {ontoggle}>
                <summary>{ "Table" }<span class="visually-hidden">{ format!(" of {}", kind.title) }</span></summary>
                if *is_open {
                    { table(kind, data) }
                }
            </details>
        </figure>
    }
}

/// Lines at the top, in the middle and at the foot.
fn grid() -> String {
    let width = fixed(WIDTH, 0);
    let line = |y: f64| format!("M0 {}H{width}", fixed(y, 0));
    line(0.0) + &line(HEIGHT / 2.0) + &line(HEIGHT)
}

fn ago(ms: u64) -> String {
    format!("{} ago", duration_s(ms / 1_000))
}

/// The moment that is pointed at: a line through all, and a dot on each curve.
fn pointer(data: &Data, at: usize, max: f64) -> Html {
    let x = data.x(at);
    let dots = data
        .values
        .iter()
        .enumerate()
        .filter_map(|(curve, values)| {
            let y = y(values[at]?, max);
            // A line without length and with round ends stays round however the box is stretched.
            let d = format!("M{} {}h0", fixed(x, 1), fixed(y, 2));
            Some(html! { <path class="chart-dot" data-curve={curve.to_string()} {d} /> })
        });
    html! {
        <>
            <path class="chart-pointer" d={format!("M{} 0V{}", fixed(x, 1), fixed(HEIGHT, 0))} />
            { for dots }
        </>
    }
}

fn table(kind: &Kind, data: &Data) -> Html {
    let heads = kind
        .curves
        .iter()
        .map(|name| html! { <th scope="col" class="number">{ *name }</th> });
    let rows = data.times_ms.iter().enumerate().rev().map(|(at, at_ms)| {
        let values = data.values.iter().map(|values| {
            let text = values[at].map_or_else(|| "–".to_owned(), kind.unit);
            html! { <td class="number">{ text }</td> }
        });
        html! {
            <tr key={*at_ms}><th scope="row">{ browser::time_of_day(*at_ms as i64) }</th>{ for values }</tr>
        }
    });
    html! {
        <div class="table-scroll" tabindex="0" role="region" aria-label={format!("Table of {}", kind.title)}>
            <table class="table">
                <caption class="visually-hidden">{ kind.title }</caption>
                <thead><tr><th scope="col">{ "Time" }</th>{ for heads }</tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </div>
    }
}
