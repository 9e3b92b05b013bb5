//! Figures of several rounds, and how they are printed.

use std::time::Duration;

/// The middle one, or the mean of the two in the middle; 0 of none.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => 0.0,
        length => (figures[(length - 1) / 2] + figures[length / 2]) / 2.0,
    }
}

/// The median, and between which figures it lies.
pub(crate) fn with_range(figures: &[f64]) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(0.0, f64::max);
    format!("{:.2} ({least:.2}–{most:.2})", median(figures.iter().copied()))
}

pub(crate) fn heading(columns: &[&str]) {
    row(columns.iter().map(|column| (*column).to_owned()));
    row(columns.iter().map(|_| "---".to_owned()));
}

pub(crate) fn row(cells: impl IntoIterator<Item = String>) {
    println!("| {} |", cells.into_iter().collect::<Vec<_>>().join(" | "));
}

pub(crate) fn micros(time: Duration, among: u64) -> f64 {
    time.as_secs_f64() * 1e6 / among.max(1) as f64
}
