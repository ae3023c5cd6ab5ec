//! Valleys other than that of the best point.

use super::gaussian_process::{GaussianProcess, Work};
use super::kernel::Kind;

/// Steps of the way between two points that are looked at.
const STEPS: usize = 8;
/// A rise of this much on the way, in units of the deviation of the losses, is a ridge.
const RIDGE: f64 = 0.1;

/// The lowest point of each valley, the deepest valley first, of the places in `order` (lowest first): a point
/// begins a valley of its own when the modelled loss rises on the straight way from it to the lowest point of
/// every deeper one. At most `most` valleys.
pub(super) fn valleys(model: &GaussianProcess, points: &[&[f64]], order: &[usize], most: usize) -> Vec<usize> {
    let mut work = Work::default();
    let mut lowest: Vec<usize> = Vec::new();
    for &place in order {
        if lowest.len() == most {
            break;
        }
        let mut ridge_to = |&other: &usize| {
            let here = model.predict(points[place], &mut work).0;
            (1..STEPS).any(|step| {
                let way = between(model, points[place], points[other], step as f64 / STEPS as f64);
                model.predict(&way, &mut work).0 > here + RIDGE
            })
        };
        if lowest.iter().all(&mut ridge_to) {
            lowest.push(place);
        }
    }
    lowest
}

/// The point at a share of the way; half-way the unordered features change over.
fn between(model: &GaussianProcess, from: &[f64], to: &[f64], share: f64) -> Vec<f64> {
    let feature = |(f, (a, b)): (usize, (&f64, &f64))| match model.kind(f) {
        Kind::Ordered => a + share * (b - a),
        Kind::Unordered if share < 0.5 => *a,
        Kind::Unordered => *b,
    };
    from.iter().zip(to).enumerate().map(feature).collect()
}

#[cfg(test)]
mod tests {
    use super::super::gaussian_process::Prior;
    use super::super::kernel::Axes;
    use super::*;

    #[test]
    fn a_valley_is_told_from_another_by_the_ridge_between_them() {
        let axes = Axes::new(vec![(0, Kind::Ordered)]);
        let points: Vec<Vec<f64>> = (0..=10).map(|k| vec![f64::from(k) / 10.0]).collect();
        // Valleys at 0.2 and 0.8, the second deeper; at 0.5 a ridge.
        let values = vec![1.0, 0.0, -1.0, 0.0, 1.0, 1.5, 1.0, -1.0, -2.0, -1.0, 0.0];
        let hyperparameters = vec![libm::log(0.2), 1.0, -12.0];
        let model =
            GaussianProcess::with(&axes, points.clone(), values.clone(), &Prior::new(1, false), hyperparameters)
                .unwrap();
        let mut order: Vec<usize> = (0..11).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        let points: Vec<&[f64]> = points.iter().map(Vec::as_slice).collect();
        assert_eq!(valleys(&model, &points, &order, 5), [8, 2]);
        assert_eq!(valleys(&model, &points, &order, 1), [8]);
    }
}
