//! Snapshots of the dashboards: an SVG file per dashboard with a chart per panel.
#![expect(clippy::float_arithmetic, reason = "points of a picture")]

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use testkit::servers::Prometheus;
use tokio::time::Instant;

use super::expressions::{asked, dashboards, panels};

/// Charted seconds, and the seconds between two points.
const SPAN: i64 = 120;
const STEP: i64 = 3;
/// Size of a panel, number of columns, and maximum lines of a panel.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 140.0;
const COLUMNS: usize = 3;
const LINES: usize = 8;
const COLOURS: [&str; LINES] = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf"];

type Line = (String, Vec<(f64, f64)>);

/// Waits until there is enough data and draws each dashboard into a folder.
pub(crate) async fn draw(prometheus: &Prometheus, folder: &Path) {
    let started = Instant::now();
    let enough = Duration::from_secs(SPAN.unsigned_abs());
    while started.elapsed() < enough {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    std::fs::create_dir_all(folder).unwrap();
    for board in dashboards() {
        let mut drawn = Vec::new();
        for panel in panels(&board) {
            drawn.push((panel["title"].as_str().unwrap(), unit(panel), lines(prometheus, panel).await));
        }
        let name = board["uid"].as_str().unwrap().trim_start_matches("shopfleet-");
        std::fs::write(folder.join(format!("{name}.svg")), picture(board["title"].as_str().unwrap(), &drawn)).unwrap();
    }
}

fn unit(panel: &Value) -> &str {
    match panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap() {
        "none" => "",
        "reqps" | "ops" => "1/s",
        "cpm" => "1/min",
        "percentunit" => "of 1",
        "bytes" => "B",
        "Bps" => "B/s",
        other => other,
    }
}

/// Returns the lines of a panel, largest values first.
async fn lines(prometheus: &Prometheus, panel: &Value) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for target in panel["targets"].as_array().unwrap() {
        // Of the services, the order service is drawn, or the first with data.
        let mut variants = asked(target["expr"].as_str().unwrap());
        variants.sort_by_key(|expression| !expression.contains("order-service"));
        for expression in variants {
            let series = prometheus.query_range(&expression, SPAN, STEP).await.unwrap();
            lines.extend(series.iter().map(|series| (legend(target, &series["metric"]), points(series))));
            if !series.is_empty() {
                break;
            }
        }
    }
    lines.retain(|(_, points)| !points.is_empty());
    let most = |line: &Line| line.1.iter().map(|(_, value)| *value).fold(f64::MIN, f64::max);
    lines.sort_by(|one, other| most(other).total_cmp(&most(one)));
    lines.truncate(LINES);
    lines
}

fn legend(target: &Value, labels: &Value) -> String {
    let mut text = target["legendFormat"].as_str().unwrap_or_default().to_owned();
    for (name, value) in labels.as_object().unwrap() {
        text = text.replace(&format!("{{{{{name}}}}}"), value.as_str().unwrap());
    }
    // A label that the series lacks is omitted, as in Grafana.
    text.split("{{").map(|part| part.split_once("}}").map_or(part, |(_, rest)| rest)).collect()
}

fn points(series: &Value) -> Vec<(f64, f64)> {
    let values = series["values"].as_array().unwrap().iter();
    let points = values.map(|sample| (sample[0].as_f64().unwrap(), sample[1].as_str().unwrap().parse().unwrap()));
    points.filter(|(_, value): &(f64, f64)| value.is_finite()).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Formats a number in few characters.
fn short(value: f64) -> String {
    let size = value.abs();
    let (value, letter) = match size {
        _ if size >= 1e9 => (value / 1e9, "G"),
        _ if size >= 1e6 => (value / 1e6, "M"),
        _ if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    if value == value.trunc() || value.abs() >= 100.0 {
        format!("{value:.0}{letter}")
    } else {
        format!("{value:.3}{letter}")
    }
}

fn picture(title: &str, drawn: &[(&str, &str, Vec<Line>)]) -> String {
    let rows = u32::try_from(drawn.len().div_ceil(COLUMNS)).unwrap();
    let (width, height) = (WIDTH * 3.0, HEIGHT.mul_add(f64::from(rows), 30.0));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"9\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"20\" font-size=\"15\">{}</text>\n",
        escape(title)
    );
    for (index, (title, unit, lines)) in drawn.iter().enumerate() {
        let (row, column) = (index / COLUMNS, index % COLUMNS);
        let (x, y) =
            (WIDTH * u32::try_from(column).map(f64::from).unwrap(), u32::try_from(row).map(f64::from).unwrap());
        panel(&mut svg, (x, HEIGHT.mul_add(y, 30.0)), (title, unit), lines);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, (x, y): (f64, f64), (title, unit): (&str, &str), lines: &[Line]) {
    let all = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let most = all().map(|(_, value)| value).fold(0.0, f64::max);
    let bottom = all().map(|(_, value)| value).fold(0.0, f64::min);
    let top = if most > bottom { most } else { bottom + 1.0 };
    let first = all().map(|(time, _)| time).fold(f64::MAX, f64::min);
    let last = all().map(|(time, _)| time).fold(first + 1.0, f64::max);
    writeln!(
        svg,
        "<g transform=\"translate({x} {y})\"><text x=\"8\" y=\"12\" font-weight=\"bold\">{}</text>",
        escape(title)
    )
    .unwrap();
    if lines.is_empty() {
        svg.push_str("<text x=\"8\" y=\"60\" fill=\"#888\">no data in this run</text></g>\n");
        return;
    }
    writeln!(svg, "<text x=\"8\" y=\"24\" fill=\"#666\">{} {unit}</text>", short(most)).unwrap();
    writeln!(svg, "<path d=\"M8 98H290\" stroke=\"#ccc\"/>").unwrap();
    for (index, (name, points)) in lines.iter().enumerate() {
        let mut path = String::new();
        for (time, value) in points {
            let across = (time - first) / (last - first);
            let up = (value - bottom) / (top - bottom);
            let begin = if path.is_empty() { 'M' } else { 'L' };
            write!(path, "{begin}{:.0} {:.1}", 282.0f64.mul_add(across, 8.0), (-70.0f64).mul_add(up, 98.0)).unwrap();
        }
        let colour = COLOURS[index];
        writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\"/>").unwrap();
        let (left, down) = (8 + 142 * (index % 2), 108 + 9 * (index / 2));
        let name: String = name.chars().take(30).collect();
        writeln!(svg, "<text x=\"{left}\" y=\"{down}\" font-size=\"7\" fill=\"{colour}\">{}</text>", escape(&name))
            .unwrap();
    }
    svg.push_str("</g>\n");
}
