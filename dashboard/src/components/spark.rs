//! The numbers of a topic as a line that moves with them, with least, greatest and latest in words.

use yew::prelude::*;

use crate::browser;
use crate::model::format::fixed;
use crate::model::series;

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 72.0;
/// Room for the stroke and the last point.
const MARGIN: f64 = 5.0;

/// `points` are when and what, the oldest first; `label` says what the numbers are. Nothing with less than two.
pub fn spark(points: &[(i64, f64)], label: &str) -> Html {
    let Some(line) = series::line(points, WIDTH - 2.0 * MARGIN, HEIGHT - 2.0 * MARGIN) else {
        return Html::default();
    };
    let since = points
        .first()
        .map(|(at_ms, _)| browser::time_of_day(*at_ms));
    let (min, max, last) = (number(line.min), number(line.max), number(line.last));
    let count = points.len();
    let margin = fixed(MARGIN, 0);
    let words = format!("{label}: {count} values, least {min}, greatest {max}, latest {last}");
    html! {
        <figure class="spark" data-testid="spark">
            <svg viewBox={format!("0 0 {} {}", fixed(WIDTH, 0), fixed(HEIGHT, 0))} preserveAspectRatio="none" role="img" aria-label={words}>
                <g transform={format!("translate({margin} {margin})")}>
                    <path class="spark-line" d={line.path} />
                </g>
            </svg>
            <figcaption>
                <span>{ "Latest " }<strong>{ last }</strong></span>
                <span>{ "Least " }<strong>{ min }</strong></span>
                <span>{ "Greatest " }<strong>{ max }</strong></span>
                <span>{ format!("{count} values since {}", since.unwrap_or_default()) }</span>
            </figcaption>
        </figure>
    }
}

/// As short as it can be told.
fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e12).contains(&size) {
        // In two steps: a power as large as its number is no number.
        let exponent = size.log10().floor() as i32;
        let half = exponent / 2;
        let mantissa = value / 10_f64.powi(half) / 10_f64.powi(exponent - half);
        return format!("{}e{exponent}", fixed(mantissa, 3));
    }
    let text = fixed(value, 4);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_told_without_noise() {
        assert_eq!(number(21.5), "21.5");
        assert_eq!(number(-3.0), "-3");
        assert_eq!(number(0.0), "0");
        assert_eq!(number(1.0 / 3.0), "0.3333");
        assert_eq!(number(1.5e300), "1.500e300");
    }
}
