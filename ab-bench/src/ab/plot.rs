//! The report as a picture: for every row its paired ratios, their mean and its interval, on one logarithmic axis.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::report::{Row, Verdict};
use super::schema::{AGAIN, Report};
use super::table::who;

const WIDTH: u32 = 1000;
const LABELS: i32 = 300;
const NUMBERS: i32 = 190;
const TOP: i32 = 86;
const ROW: i32 = 34;
const BOTTOM: i32 = 64;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(31, 41, 55);
const FAINT: RGBColor = RGBColor(107, 114, 128);
const GRID: RGBColor = RGBColor(229, 231, 235);
const BETTER: RGBColor = RGBColor(13, 125, 94);
const WORSE: RGBColor = RGBColor(190, 60, 30);
const NEUTRAL: RGBColor = RGBColor(100, 110, 125);

type DrawError = DrawingAreaErrorKind<std::io::Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Writes the picture as SVG.
pub fn draw(report: &Report, path: &Path) -> Result<(), DrawError> {
    let rows: Vec<&Row> = report.rows.iter().filter(|row| row.ratio.is_some()).collect();
    let height = TOP + ROW * i32::try_from(rows.len()).unwrap_or(0) + BOTTOM;
    let area = SVGBackend::new(path, (WIDTH, height.unsigned_abs())).into_drawing_area();
    area.fill(&WHITE)?;
    title(&area, report)?;
    if rows.is_empty() {
        write(&area, "Too few pairs for a comparison.", (24, TOP + 20), 15.0, INK, HPos::Left)?;
        return area.present();
    }
    let axis = Axis::over(&rows);
    let bottom = TOP + ROW * i32::try_from(rows.len()).unwrap_or(0);
    grid(&area, &axis, bottom)?;
    for (row, top) in rows.iter().zip((TOP..).step_by(ROW as usize)) {
        draw_row(&area, &axis, row, top)?;
    }
    area.present()
}

/// Maps ratios to pixels.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// Wide enough for all pairs, for 1 and for the labels beside it.
    fn over(rows: &[&Row]) -> Self {
        let ratios = || rows.iter().flat_map(|row| &row.pair_ratios).copied().filter(|ratio| ratio.is_finite());
        let low = ratios().fold(0.8, f64::min) / 1.08;
        let high = ratios().fold(1.25, f64::max) * 1.08;
        Self { low: low.max(1e-3), high: high.min(1e3) }
    }

    fn x(&self, ratio: f64) -> i32 {
        let share = (ratio.clamp(self.low, self.high) / self.low).ln() / (self.high / self.low).ln();
        let width = f64::from(WIDTH as i32 - LABELS - NUMBERS);
        LABELS + (share * width).round() as i32
    }

    /// Round ratios inside the axis, at most about ten.
    fn ticks(&self) -> Vec<f64> {
        const FINE: [f64; 17] = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 0.4, 0.3, 0.2];
        const COARSE: [f64; 14] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0];
        let inside = |ticks: &[f64]| -> Vec<f64> {
            ticks.iter().copied().filter(|tick| self.low <= *tick && *tick <= self.high).collect()
        };
        if self.high / self.low < 2.6 { inside(&FINE) } else { inside(&COARSE) }
    }
}

fn title(area: &Area<'_>, report: &Report) -> Result<(), DrawError> {
    let names: Vec<&str> = report.contestants.iter().map(|contestant| contestant.name.as_str()).collect();
    write(area, &format!("Cutover A/B: {}", names.join(", ")), (24, 28), 20.0, INK, HPos::Left)?;
    let host = &report.host;
    let far_ends: Vec<&str> = report.rigs.iter().map(|rig| rig.far_end.as_str()).collect();
    let facts = format!(
        "Against {}. Linux {}, {} CPUs, {}. {} rounds of {:.1} s, one TCP stream.",
        far_ends.join(", "),
        host.kernel,
        host.cpus,
        host.cpu,
        report.effort.rounds,
        report.effort.seconds_per_run
    );
    write(area, &facts, (24, 54), 12.0, FAINT, HPos::Left)?;
    write(area, "ratio to the baseline (95 %)", (WIDTH as i32 - 24, TOP - 12), 12.0, FAINT, HPos::Right)
}

fn grid(area: &Area<'_>, axis: &Axis, bottom: i32) -> Result<(), DrawError> {
    for tick in axis.ticks() {
        let x = axis.x(tick);
        let is_one = (tick - 1.0).abs() < 1e-9;
        let style = if is_one { INK.stroke_width(2) } else { GRID.stroke_width(1) };
        area.draw(&PathElement::new([(x, TOP - 6), (x, bottom)], style))?;
        write(area, &format!("{tick}"), (x, bottom + 14), 12.0, FAINT, HPos::Center)?;
    }
    let legend = "Dots: pairs of runs. Bars: 95 % intervals of their geometric mean. Green: better, red: worse. Grey band: the noise.";
    write(area, legend, (24, bottom + 42), 12.0, FAINT, HPos::Left)
}

fn draw_row(area: &Area<'_>, axis: &Axis, row: &Row, top: i32) -> Result<(), DrawError> {
    let Some(ratio) = row.ratio else {
        return Ok(());
    };
    let middle = top + ROW / 2;
    let colour = match row.verdict {
        Verdict::Better => BETTER,
        Verdict::Worse => WORSE,
        Verdict::NoDifference | Verdict::Void | Verdict::Quiet => NEUTRAL,
    };
    if let Some(noise) = row.noise {
        let corners = [(axis.x(1.0 - noise), top), (axis.x(1.0 + noise), top + ROW)];
        area.draw(&Rectangle::new(corners, GRID.mix(0.7).filled()))?;
    }
    if row.contestant == AGAIN {
        area.draw(&PathElement::new([(24, top), (WIDTH as i32 - 24, top)], GRID.stroke_width(1)))?;
    }
    area.draw(&PathElement::new([(axis.x(1.0), top), (axis.x(1.0), top + ROW)], INK.stroke_width(2)))?;
    for pair in &row.pair_ratios {
        area.draw(&Circle::new((axis.x(*pair), middle + 8), 3, colour.mix(0.45).filled()))?;
    }
    let (low, high) = (axis.x(ratio.low), axis.x(ratio.high));
    area.draw(&PathElement::new([(low, middle - 4), (high, middle - 4)], colour.stroke_width(5)))?;
    area.draw(&Circle::new((axis.x(ratio.value), middle - 4), 6, colour.filled()))?;

    let label = format!("{} {}, {}", row.metric.title(), row.way.name(), who(row));
    write(area, &label, (LABELS - 14, middle), 13.0, INK, HPos::Right)?;
    let numbers = format!("{:.2} ({:.2} … {:.2})", ratio.value, ratio.low, ratio.high);
    write(area, &numbers, (WIDTH as i32 - 24, middle), 13.0, colour, HPos::Right)
}

fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: f64,
    colour: RGBColor,
    side: HPos,
) -> Result<(), DrawError> {
    let style = (FONT, size).into_text_style(area).color(&colour).pos(Pos::new(side, VPos::Center));
    area.draw_text(text, &style, at)
}
