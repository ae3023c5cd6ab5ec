//! Columns over time for a chart: a stretch of the account or of a symbol's bars, with as many points as the chart has
//! columns of pixels.

use super::decimate::{buckets, curve_rows, extreme_rows};
use super::sessions::{SessionClose, session_closes};
use crate::backtest::EquityCurve;
use crate::backtest::store::drawdowns;
use crate::market::{Bars, Nanos, SECOND};
use serde::Serialize;
use serde_json::{Value, json};
use std::ops::Range;

/// Which stretch, and how many columns of pixels there are for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stretch {
    /// From this instant on.
    pub from: Option<Nanos>,
    /// Up to this instant, included.
    pub to: Option<Nanos>,
    /// Columns of pixels; `None`: every point.
    pub pixels: Option<usize>,
}

impl Stretch {
    /// The rows of ascending times that lie in it.
    fn rows(&self, times: &[Nanos]) -> Range<usize> {
        let from = self.from.map_or(0, |from| times.partition_point(|&t| t < from));
        let to = self.to.map_or(times.len(), |to| times.partition_point(|&t| t <= to));
        from..to.max(from)
    }
}

/// A line of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Dollars.
    Equity,
    /// Fraction of the highest equity so far, at or below 0.
    Drawdown,
    /// Gross market value of positions over equity.
    Exposure,
}

/// Columns of numbers of one length; the first is the time in seconds since 1970, UTC.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Columns {
    /// Points of the stretch before any were left out.
    pub points: usize,
    /// Names and numbers.
    pub columns: Vec<(&'static str, Vec<f64>)>,
}

impl Columns {
    /// Points that are left.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As an object: `points`, and each column by its name. What is no number is `null`.
    pub fn to_json(&self) -> Value {
        let mut all = json!({ "points": self.points });
        for (name, column) in &self.columns {
            all[*name] = json!(column);
        }
        all
    }

    /// As bytes: one column after the other, each number as a little-endian `f64`.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.columns.iter().flat_map(|(_, column)| column).flat_map(|number| number.to_le_bytes()).collect()
    }
}

fn seconds(t: Nanos) -> f64 {
    t as f64 / SECOND as f64
}

/// A line of an account over a stretch. With fewer pixels than points, of each pixel the first, lowest, highest and
/// last point are left.
pub fn account_line(curve: &EquityCurve, start_equity: f64, line: Line, stretch: &Stretch) -> Columns {
    let (name, all) = match line {
        Line::Equity => ("equity", curve.equity.as_slice()),
        Line::Drawdown => ("drawdown", &*drawdowns(&curve.equity, start_equity)),
        Line::Exposure => ("exposure", curve.exposure.as_slice()),
    };
    let range = stretch.rows(&curve.time);
    let values = &all[range.clone()];
    let rows = extreme_rows(values, stretch.pixels.unwrap_or(usize::MAX));
    let time = rows.iter().map(|&row| seconds(curve.time[range.start + row])).collect();
    let line = rows.iter().map(|&row| values[row]).collect();
    Columns { points: values.len(), columns: vec![("t", time), (name, line)] }
}

/// Equity, drawdown and exposure over a stretch, with the same points in each. With fewer pixels than points, of each
/// pixel the first point, the lowest and the highest equity, the deepest drawdown and the largest exposure are left.
pub fn account(curve: &EquityCurve, start_equity: f64, stretch: &Stretch) -> Columns {
    let drawdown = drawdowns(&curve.equity, start_equity);
    let range = stretch.rows(&curve.time);
    // A stitched account has no exposure.
    let exposure =
        if curve.exposure.is_empty() { vec![0.0; range.len()] } else { curve.exposure[range.clone()].to_vec() };
    let (equity, drawdown) = (&curve.equity[range.clone()], &drawdown[range.clone()]);
    let most = stretch.pixels.map_or(usize::MAX, |pixels| pixels.saturating_mul(5).max(8));
    let rows = curve_rows(equity, drawdown, &exposure, most);
    let of = |values: &[f64]| rows.iter().map(|&row| values[row]).collect();
    let mut columns = vec![
        ("t", rows.iter().map(|&row| seconds(curve.time[range.start + row])).collect()),
        ("equity", of(equity)),
        ("drawdown", of(drawdown)),
    ];
    if !curve.exposure.is_empty() {
        columns.push(("exposure", of(&exposure)));
    }
    Columns { points: range.len(), columns }
}

/// Equity at the close of each session of a stretch, and its change against the session before; NaN where there is
/// none.
pub fn sessions(curve: &EquityCurve, start_equity: f64, stretch: &Stretch) -> Columns {
    let mut closes = session_closes(&curve.time, &curve.equity, start_equity);
    closes.retain(|close| {
        stretch.from.is_none_or(|from| close.time >= from) && stretch.to.is_none_or(|to| close.time <= to)
    });
    let column = |of: fn(&SessionClose) -> f64| closes.iter().map(of).collect();
    Columns {
        points: closes.len(),
        columns: vec![
            ("t", column(|close| seconds(close.time))),
            ("equity", column(|close| close.equity)),
            ("change", column(|close| close.change.unwrap_or(f64::NAN))),
        ],
    }
}

/// The bars of a symbol over a stretch, by the starts of the bars. With fewer pixels than bars, those of a pixel become
/// one: first open, highest high, lowest low, last close, sum of the volumes.
pub fn bars(bars: &Bars, stretch: &Stretch) -> Columns {
    let range = stretch.rows(&bars.start);
    let count = stretch.pixels.unwrap_or(usize::MAX);
    let parts: Vec<Range<usize>> =
        buckets(range.len(), count).map(|part| part.start + range.start..part.end + range.start).collect();
    let column = |of: &dyn Fn(&Range<usize>) -> f64| parts.iter().map(of).collect();
    Columns {
        points: range.len(),
        columns: vec![
            ("t", column(&|part| seconds(bars.start[part.start]))),
            ("open", column(&|part| bars.open[part.start])),
            ("high", column(&|part| bars.high[part.clone()].iter().copied().fold(f64::MIN, f64::max))),
            ("low", column(&|part| bars.low[part.clone()].iter().copied().fold(f64::MAX, f64::min))),
            ("close", column(&|part| bars.close[part.end - 1])),
            ("volume", column(&|part| bars.volume[part.clone()].iter().sum())),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(equity: Vec<f64>) -> EquityCurve {
        let time = (0..equity.len() as i64).map(|k| k * SECOND).collect();
        EquityCurve { time, cash: equity.clone(), exposure: vec![0.5; equity.len()], equity }
    }

    #[test]
    fn a_stretch_has_the_points_from_its_start_to_its_end() {
        let curve = curve(vec![100.0, 101.0, 99.0, 103.0, 102.0]);
        let stretch = Stretch { from: Some(SECOND), to: Some(3 * SECOND), pixels: None };
        let line = account_line(&curve, 100.0, Line::Equity, &stretch);
        assert_eq!(line.to_json(), json!({"points": 3, "t": [1.0, 2.0, 3.0], "equity": [101.0, 99.0, 103.0]}));
        let drawdown = account_line(&curve, 100.0, Line::Drawdown, &stretch);
        assert_eq!(drawdown.columns[1].1, [0.0, 99.0 / 101.0 - 1.0, 0.0], "the peak lies before the stretch");
        let none = account_line(&curve, 100.0, Line::Exposure, &Stretch { from: Some(9 * SECOND), ..stretch });
        assert!(none.is_empty() && none.to_bytes().is_empty());
    }

    #[test]
    fn whatever_the_pixels_the_extremes_of_a_line_stay() {
        let wave = |k: usize| 100.0 + ((k * 7919) % 1000) as f64;
        let curve = curve((0..10_000).map(wave).collect());
        let (low, high) = (100.0, 1099.0);
        for pixels in [1, 2, 7, 100, 2_500, 20_000] {
            let line =
                account_line(&curve, 100.0, Line::Equity, &Stretch { pixels: Some(pixels), ..Stretch::default() });
            let values = &line.columns[1].1;
            assert!(line.len() <= (4 * pixels).min(10_000), "{pixels}: {}", line.len());
            assert_eq!(values.iter().copied().fold(f64::MAX, f64::min), low, "{pixels}");
            assert_eq!(values.iter().copied().fold(f64::MIN, f64::max), high, "{pixels}");
            assert_eq!((values[0], values[values.len() - 1]), (wave(0), wave(9_999)), "{pixels}");
            assert!(line.columns[0].1.is_sorted_by(|a, b| a < b), "{pixels}");
        }
    }

    #[test]
    fn bars_of_a_pixel_become_one() {
        let series = Bars {
            start: vec![0, SECOND, 2 * SECOND].into(),
            open: vec![10.0, 11.0, 12.0],
            high: vec![10.5, 14.0, 12.5],
            low: vec![9.5, 10.0, 8.0],
            close: vec![11.0, 12.0, 9.0],
            volume: vec![100.0, 200.0, 300.0],
            ..Bars::default()
        };
        let one = bars(&series, &Stretch { pixels: Some(1), ..Stretch::default() });
        let expected = [0.0, 10.0, 14.0, 8.0, 9.0, 600.0];
        assert_eq!(one.columns.iter().map(|(_, column)| column[0]).collect::<Vec<_>>(), expected);
        assert_eq!((one.points, one.len()), (3, 1));
        let all = bars(&series, &Stretch { from: Some(SECOND), ..Stretch::default() });
        assert_eq!(all.columns[4], ("close", vec![12.0, 9.0]));
        let bytes = all.to_bytes();
        assert_eq!(bytes.len(), 6 * 2 * 8);
        assert_eq!(f64::from_le_bytes(bytes[16..24].try_into().unwrap()), 11.0, "the second column begins after two");
    }
}
