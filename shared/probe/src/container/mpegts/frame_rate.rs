//! Frame rates that are in use: what a stream says or shows is taken for the nearest of them, as `ffprobe` does.

/// Standard rates are whole numbers in these units: twelfths of a frame and the 1000/1001 of television.
const UNITS: f64 = 12.0 * 1001.0;
const TWELFTHS: u32 = 30 * 12;
/// Rates beyond are ticks of a clock, not frames.
pub(super) const MAX_RATE: f64 = 1000.0;
const MAX_ERROR: f64 = 0.01;

/// `rate` itself when no standard rate is within a hundredth of it.
pub(super) fn nearest_standard(rate: f64) -> f64 {
    let twelfths = (1..=TWELFTHS).map(|twelfth| twelfth * 1001);
    let whole = (31..=60).chain([80, 120, 240]).map(|rate| rate * 12 * 1001);
    let television = [24, 30, 60, 12, 15, 48].into_iter().map(|rate| rate * 12 * 1000);
    let mut best = (MAX_ERROR, rate);
    for standard in twelfths.chain(whole).chain(television) {
        let standard = f64::from(standard) / UNITS;
        let error = (rate / standard - 1.0).abs();
        if error < best.0 {
            best = (error, standard);
        }
    }
    best.1
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
            assert!((nearest_standard(rate) - expected).abs() < 1e-9, "{rate}");
        }
    }
}
