//! report.html in a real browser: headless Chromium lays it out at two widths, light and dark. Needs `chromium`.
//!
//! The page itself holds no script; here one is added that measures what was laid out and writes it into the document,
//! which Chromium then prints. The page stands in an iframe, because Chromium's own window has a least width. Pictures of
//! every variant are left in the target directory, to be looked at.

mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ab_bench::ab::schema::{Report, Run, Setting};
use ab_bench::report::html;
use sample::{full, report};
use serde::Deserialize;

const PHONE: u32 = 390;
const DESK: u32 = 1280;

/// What the script saw.
#[derive(Debug, Deserialize)]
struct Layout {
    /// Width of the content, and of the window.
    scroll_width: f64,
    client_width: f64,
    height: f64,
    /// Each plot's kind, size, and how many marks in it have a size.
    plots: Vec<Plot>,
    /// Text that is wider than what holds it, or that another text covers.
    overflowing: Vec<String>,
    background: String,
    /// Requests for anything outside the page.
    loaded: u32,
}

#[derive(Debug, Deserialize)]
struct Plot {
    kind: String,
    width: f64,
    height: f64,
    marks: u32,
}

const PROBE: &str = r#"<script>
addEventListener("load", () => {
  const frame = document.querySelector("iframe"), inner = frame.contentDocument, root = inner.documentElement;
  const size = (element) => element.getBoundingClientRect();
  const marks = ".part, .step, .frame, .bar, .mean, .curve, .area path, circle, rect";
  const plots = [...inner.querySelectorAll("[data-plot]")].map((plot) => ({
    kind: plot.dataset.plot, width: size(plot).width, height: size(plot).height,
    marks: [...plot.querySelectorAll(marks)].filter((mark) => size(mark).width > 0 || size(mark).height > 0).length,
  }));
  const texts = "h1, h2, h3, h4, p, li, dd, dt, .name, .figures, .tick, .big, summary";
  const overflowing = [...inner.querySelectorAll(texts)]
    .filter((element) => element.offsetParent && (size(element).right > root.clientWidth + 1 || size(element).left < -1))
    .map((element) => element.className + ": " + element.textContent.slice(0, 60));
  const result = document.createElement("pre");
  result.id = "layout";
  result.textContent = JSON.stringify({
    scroll_width: root.scrollWidth, client_width: root.clientWidth, height: root.scrollHeight, plots, overflowing,
    background: frame.contentWindow.getComputedStyle(inner.body).backgroundColor,
    loaded: frame.contentWindow.performance.getEntriesByType("resource").length,
  });
  document.body.replaceChildren(result);
});
</script>"#;

fn chromium(dir: &Path, arguments: &[&str], page: &Path) -> Vec<u8> {
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]);
    command.args(["--allow-file-access-from-files", "--disable-background-networking", "--no-first-run"]);
    command.arg(format!("--user-data-dir={}", dir.join("profile").display())).args(arguments);
    command.arg(format!("file://{}", page.display())).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot start chromium ({error}): install it with `apt install chromium`, as ./zigw does");
    });
    assert!(output.status.success(), "chromium failed: {}", output.status);
    output.stdout
}

fn directory(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("html").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Lays a page out at a width, takes its picture, and returns what there was.
fn look(page: &str, name: &str, width: u32, dark: bool) -> Layout {
    let dir = directory(&format!("{name}-{width}-{}", if dark { "dark" } else { "light" }));
    let page_path = dir.join("report.html");
    fs::write(&page_path, page).unwrap();
    let scheme =
        if dark { "--blink-settings=preferredColorScheme=0" } else { "--blink-settings=preferredColorScheme=1" };
    let frame = |script: &str, height: f64| {
        let wrapper = dir.join("wrapper.html");
        let style = format!("border:0;display:block;width:{width}px;height:{height}px");
        let html = format!(
            "<!doctype html><meta charset=utf-8><body style=margin:0><iframe src=report.html style=\"{style}\"></iframe>{script}"
        );
        fs::write(&wrapper, html).unwrap();
        wrapper
    };
    let dom = chromium(&dir, &[scheme, "--dump-dom", "--window-size=1400,900"], &frame(PROBE, 900.0));
    let dom = String::from_utf8_lossy(&dom);
    let json =
        dom.split_once("<pre id=\"layout\">").and_then(|(_, rest)| rest.split_once("</pre>")).map(|(json, _)| json);
    let json = json
        .unwrap_or_else(|| panic!("the script wrote nothing: {dom}"))
        .replace("&amp;", "&")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    let layout: Layout = serde_json::from_str(&json).unwrap();
    let picture = format!("--screenshot={}", dir.join("picture.png").display());
    let window = format!("--window-size={},{}", width.max(500), layout.height.min(16_000.0));
    chromium(&dir, &[scheme, &picture, &window], &frame("", layout.height));
    assert!(fs::metadata(dir.join("picture.png")).unwrap().len() > 10_000, "an empty picture");
    let _ = fs::remove_dir_all(dir.join("profile"));
    layout
}

fn look_and_check(report: &Report, name: &str, plots: &[(&str, usize)]) {
    let page = html(report);
    for (width, dark) in [(PHONE, false), (DESK, false), (DESK, true), (PHONE, true)] {
        let layout = look(&page, name, width, dark);
        let where_ = format!("{name}, {width} px, {}: {layout:?}", if dark { "dark" } else { "light" });
        assert!(layout.scroll_width <= layout.client_width, "the page is wider than the window: {where_}");
        assert_eq!(layout.client_width, f64::from(width), "{where_}");
        assert_eq!(layout.overflowing, Vec::<String>::new(), "{where_}");
        assert_eq!(layout.loaded, 0, "something was loaded: {where_}");
        for (kind, least) in plots {
            let of: Vec<&Plot> = layout.plots.iter().filter(|plot| plot.kind == *kind).collect();
            assert!(of.len() >= *least, "{} plots of {kind}: {where_}", of.len());
            assert!(
                of.iter().all(|plot| plot.marks > 0 && plot.width > 150.0 && plot.height > 15.0),
                "{kind}: {where_}"
            );
        }
        let channels: Vec<u32> =
            layout.background.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        let is_dark = channels.iter().take(3).sum::<u32>() < 200;
        assert_eq!(is_dark, dark, "{where_}");
    }
}

#[test]
fn a_full_report_is_laid_out_at_every_width_in_light_and_dark() {
    let plots = [("ratios", 2), ("cpu", 4), ("waterfall", 4), ("latency", 3), ("limit", 4), ("flame", 6), ("micro", 1)];
    look_and_check(&full(), "full", &plots);
}

/// Nothing but bulk, over two settings.
#[test]
fn a_small_report_is_laid_out_too() {
    let mut small = report(&[("c", 2.0, 2.0), ("rust", 0.8, 2.6)], 6, 0.05, 1);
    let id = "connections=8";
    let more: Vec<_> = small.runs.iter().map(|run| Run { setting: id.into(), ..run.clone() }).collect();
    small.runs.extend(more);
    small.settings.push(Setting { id: id.into(), connections: 8, ..small.settings[0].clone() });
    small.compare();
    look_and_check(&small, "small", &[("ratios", 1), ("cpu", 2), ("sweep", 4)]);
}

#[test]
fn a_report_of_nothing_is_a_page() {
    let mut empty = report(&[("c", 2.0, 2.0)], 1, 0.05, 1);
    empty.runs.clear();
    empty.complete = false;
    empty.compare();
    look_and_check(&empty, "empty", &[]);
}

#[test]
fn the_page_stands_alone() {
    let page = html(&full());
    assert!(
        !page.contains("<script") && !page.contains("<link") && !page.contains("url(") && !page.contains("@import")
    );
    assert!(!page.contains("src=") && !page.contains("NaN") && !page.contains("inf%"));
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}

/// Names come from the command line and from other programs' output.
#[test]
fn text_is_never_markup() {
    let mut report = full();
    let evil = "<img src=x onerror=alert(1)>\"'&";
    report.failures[0].reason = evil.into();
    report.contestants[1].version = evil.into();
    report.settings[0].id = evil.into();
    report.runs.iter_mut().for_each(|run| run.setting = evil.into());
    report.micro[0].bench = evil.into();
    report.profiles[0].inline = Some(format!("a;{evil} 10\n"));
    report.compare();
    let page = html(&report);
    assert!(!page.contains("<img") && page.contains("&lt;img"));
}
