//! Frame rates that are in use: what a stream says or shows is taken for the nearest of them, as `ffprobe` does.

use crate::container::frame_rate::usual_rates;

/// Rates beyond are ticks of a clock, not frames.
pub(super) const MAX_RATE: f64 = 1000.0;
/// As a share of the rate.
const MAX_ERROR: f64 = 0.01;

/// `rate` itself when no usual rate is within a hundredth of it.
pub(super) fn nearest_usual(rate: f64) -> f64 {
    let errors = usual_rates().map(|usual| (usual, (rate / usual - 1.0).abs()));
    let near = errors.filter(|(_, error)| *error < MAX_ERROR).min_by(|(_, a), (_, b)| a.total_cmp(b));
    near.map_or(rate, |(usual, _)| usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_snap_to_standards() {
        for (rate, expected) in [
            (25.0, 25.0),
            (29.97, 30_000.0 / 1001.0),
            (23.9744, 24_000.0 / 1001.0),
            (12.5, 12.5),
            (50.0, 50.0),
            (119.88, 120.0),
            (100.0, 100.0),
            (0.02, 0.02),
        ] {
            assert!((nearest_usual(rate) - expected).abs() < 1e-9, "{rate}");
        }
    }
}
