//! Prints how fast the page is with 10,000 reports. It asserts nothing: machines differ.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    reason = "shares the driver and the samples of the browser's tests"
)]

#[path = "../tests/browser/driver.rs"]
mod driver;
#[path = "../tests/browser/samples.rs"]
mod samples;

use std::time::{SystemTime, UNIX_EPOCH};

use reconify_collector::Collector;

use driver::Browser;
use samples::{Talk, assistant, user};

const REPORTS: u64 = 10_000;
const ROUNDS: usize = 5;

fn print(name: &str, unit: &str, target: u64, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let middle = values[values.len() / 2];
    println!(
        "{name:<28} {middle:>8.0} {unit:<3} (of {} rounds: {:.0} to {:.0}; target {target} {unit})",
        values.len(),
        values[0],
        values[values.len() - 1]
    );
}

async fn fill(browser: &Browser) {
    let text = "The chain, the cassette and the chainrings wear together; measure the chain every 500 km. "
        .repeat(8);
    for number in 0..REPORTS / 4 {
        let mut talk = Talk::new(&format!("chat-{number}"), &format!("u-{}", number % 300), "Eve", "Moe")
            .system(samples::SYSTEM);
        for turn in 0..4 {
            talk.ago = (REPORTS - number * 4 - turn) * 300;
            let question = format!("Question {turn} of {number}: when do I change the chain?");
            browser.send(&talk.say(&[user(&question)], assistant(&format!("{text}{number}")))).await;
        }
    }
}

async fn number(browser: &Browser, script: &str) -> f64 {
    browser.run(script).await.as_f64().unwrap_or(f64::NAN)
}

#[tokio::main]
async fn main() {
    let browser = Browser::start(Collector::builder()).await;
    fill(&browser).await;
    let (mut paint, mut ready, mut search, mut arrival) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        browser.open("#/interactions").await;
        browser.until("document.querySelectorAll('#rows .row').length === 200").await;
        ready.push(number(&browser, "return performance.now()").await);
        browser.until("performance.getEntriesByName('first-contentful-paint').length").await;
        paint.push(
            number(&browser, "return performance.getEntriesByName('first-contentful-paint')[0].startTime")
                .await,
        );

        browser.until("document.querySelector('#rows .row')").await;
        let wanted = format!("Question 3 of {}:", 1000 + round * 7);
        let script = format!(
            "const q = document.querySelector('#q'), start = performance.now();
            window.found = null;
            q.value = '\"{wanted}\"';
            q.dispatchEvent(new Event('input'));
            const check = () => document.querySelector('#head h2').innerText.startsWith('1 of') ? window.found = performance.now() - start : requestAnimationFrame(check);
            check();"
        );
        browser.run(&script).await;
        search.push(browser.until("window.found").await.as_f64().unwrap());

        browser.open("#/interactions").await;
        browser.until("document.querySelector('#rows .row')").await;
        let mark = format!("New {round}");
        browser
            .run(&format!(
                "window.seen = null;
            new MutationObserver(() => {{
                if (!window.seen && document.querySelector('#rows').textContent.includes('{mark}'))
                    requestAnimationFrame(() => requestAnimationFrame(() => window.seen ??= Date.now()));
            }}).observe(document.querySelector('#rows'), {{childList: true, subtree: true}})"
            ))
            .await;
        let report = Talk::new("new", "u-1", "Eve", "Moe").say(&[user(&mark)], assistant("Yes."));
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1000.0;
        browser.send(&report).await;
        arrival.push(browser.until("window.seen").await.as_f64().unwrap() - start);
    }
    browser.devtools("HeapProfiler.collectGarbage", serde_json::json!({})).await;
    let heap = number(&browser, "return performance.memory.usedJSHeapSize / 1048576").await;
    print("first paint", "ms", 500, paint);
    print("200 rows shown", "ms", 500, ready);
    print("search, from the last key", "ms", 200, search);
    print("new report, from its POST", "ms", 300, arrival);
    print("heap of the page", "MB", 100, vec![heap]);
    browser.finish().await;
}
