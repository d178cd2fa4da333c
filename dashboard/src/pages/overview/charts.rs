//! The charts of the last hour, and how they are made of the broker's points.

use std::rc::Rc;

use ebbtide_api::StatsPoint;
use yew::prelude::*;

use crate::components::chart::{Chart, Kind};
use crate::model::format::{amount, milliseconds};
use crate::model::past::{Series, Span};
use crate::model::plot::Data;

type Values = fn(&StatsPoint) -> Vec<Option<f64>>;

const CHARTS: [(Kind, Values); 6] = [
    (
        Kind {
            id: "messages",
            title: "Messages per second",
            curves: &["in", "out"],
            unit: amount,
            least_max: 1.0,
        },
        |point| {
            vec![
                Some(point.received_messages_per_s),
                Some(point.sent_messages_per_s),
            ]
        },
    ),
    (
        Kind {
            id: "traffic",
            title: "Traffic per second",
            curves: &["in", "out"],
            unit: traffic,
            least_max: 1_000.0,
        },
        |point| {
            vec![
                Some(point.received_bytes_per_s),
                Some(point.sent_bytes_per_s),
            ]
        },
    ),
    (
        Kind {
            id: "connections",
            title: "Connections",
            curves: &["connected", "sessions"],
            unit: amount,
            least_max: 4.0,
        },
        |point| vec![Some(point.connections as f64), Some(point.sessions as f64)],
    ),
    (
        Kind {
            id: "backlog",
            title: "Backlog",
            curves: &["messages waiting"],
            unit: amount,
            least_max: 4.0,
        },
        |point| vec![Some(point.queue_messages as f64)],
    ),
    (
        Kind {
            id: "commits",
            title: "Commit latency",
            curves: &["p99", "p50"],
            unit: milliseconds,
            least_max: 1.0,
        },
        |point| {
            let commits = point.commits.as_ref();
            vec![commits.map(|c| c.p99_ms), commits.map(|c| c.p50_ms)]
        },
    ),
    (
        Kind {
            id: "drops",
            title: "Messages dropped",
            curves: &["in a step"],
            unit: amount,
            least_max: 4.0,
        },
        |point| vec![Some(point.dropped.values().sum::<u64>() as f64)],
    ),
];

#[derive(Properties, PartialEq)]
pub struct ChartsProps {
    pub series: Option<Rc<Series>>,
    pub span: Span,
}

#[component]
pub fn Charts(props: &ChartsProps) -> Html {
    let pointed = use_state_eq(|| None::<usize>);
    let datas = use_memo((props.series.clone(), props.span), |(series, span)| {
        let datas = CHARTS
            .iter()
            .map(|(_, values)| Rc::new(data(series.as_deref(), *span, *values)));
        datas.collect::<Vec<_>>()
    });
    let on_point = {
        let pointed = pointed.clone();
        Callback::from(move |at| pointed.set(at))
    };
    let charts = CHARTS.iter().zip(datas.iter()).map(|((kind, _), data)| {
        html! { <Chart key={kind.id} {kind} data={Rc::clone(data)} pointed={*pointed} on_point={on_point.clone()} /> }
    });
    html! { <div class="charts"><div class="charts-grid">{ for charts }</div></div> }
}

fn data(series: Option<&Series>, span: Span, values: Values) -> Data {
    let mut data = Data {
        step_ms: u64::from(span.step_s()) * 1_000,
        length_ms: span.length_ms(),
        ..Data::default()
    };
    data.values = values(&StatsPoint::default())
        .iter()
        .map(|_| Vec::new())
        .collect();
    for point in series.into_iter().flat_map(Series::points) {
        data.times_ms.push(point.at_ms);
        for (curve, value) in data.values.iter_mut().zip(values(point)) {
            curve.push(value);
        }
    }
    data.fit();
    data
}

/// In powers of ten, as the scale is.
fn traffic(bytes: f64) -> String {
    match bytes {
        ..1_000.0 => format!("{} B", amount(bytes)),
        ..1_000_000.0 => format!("{} kB", amount(bytes / 1e3)),
        ..1_000_000_000.0 => format!("{} MB", amount(bytes / 1e6)),
        _ => format!("{} GB", amount(bytes / 1e9)),
    }
}
