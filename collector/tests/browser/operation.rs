//! Faults, refusals, checks, keys and the connection.

use reconify_collector::Collector;
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::samples::{self, Talk, assistant, user};

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn a_fault_of_two_503_shows_three_attempts_of_one_report() {
    let browser = Browser::start(Collector::builder().strict(true)).await;
    browser.open("#/faults").await;
    browser.sees("#detail", "None is armed").await;
    browser.run("[...document.querySelectorAll('#detail button')].find(el => el.innerText.includes('503')).click()").await;
    browser.sees("#notice", "1 fault armed").await;
    let report = &samples::order()[0];
    for status in [503, 503, 200] {
        assert_eq!(browser.post("/track", Some("key-1"), report).await, status);
    }
    browser.until("!document.querySelector('#notice').innerText").await;
    browser.visit("#/interactions").await;
    browser.sees("#rows .row", "×3").await;
    browser.visit("#/interactions/1?tab=delivery").await;
    browser.sees("#detail", "3 attempts").await;
    let rows = browser
        .run("return [...document.querySelectorAll('#detail td:nth-child(3)')].map(el => el.innerText)")
        .await;
    assert_eq!(rows, json!(["503", "503", "200"]));
    assert_eq!(browser.run("return document.querySelectorAll('#rows .row').length").await, 1);
    browser.finish().await;
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn a_refused_report_names_every_field() {
    let browser = Browser::start(Collector::builder().strict(true)).await;
    let mut report = samples::order().remove(0);
    report["reconify"]["version"] = json!("3.0.0");
    report["session"] = json!("");
    report["user"] = json!({"name": "Bob"});
    browser.open("").await;
    assert_eq!(browser.post("/track", None, &report).await, 400);
    browser.sees("#rows", "1 came, all refused").await;
    browser.run("document.querySelector('#rows a').click()").await;
    browser.sees("#detail .card", "\"3.0.0\"").await;
    let fields = browser
        .run("return [...document.querySelectorAll('#detail td:first-child')].map(el => el.innerText)")
        .await;
    assert_eq!(fields, json!(["/reconify/version", "/session", "/user/name", "/user"]));
    assert_eq!(browser.post("/track", None, &json!([])).await, 400);
    browser.sees("#detail", "2 answered 4xx").await;
    let texts = browser
        .run("return document.querySelector('#detail').innerText.split('answered 4xx').length - 1")
        .await;
    assert_eq!(texts, 1);
    assert_eq!(browser.run("return document.querySelectorAll('#detail .card').length").await, 2);
    browser.finish().await;
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn two_users_in_one_session_are_found() {
    let browser = Browser::start(Collector::builder().strict(true)).await;
    browser.open("#/problems").await;
    browser.sees("#detail", "No problem found").await;
    for (id, name) in [("u-1", "Eve"), ("u-2", "Bob")] {
        browser.send(&Talk::new("shared", id, name, "Moe").say(&[user("Hello?")], assistant("Hello."))).await;
    }
    browser.sees("#detail .row", "two users in one session").await;
    browser.run("[...document.querySelectorAll('#detail .row')].find(el => el.innerText.includes('two users')).click()").await;
    browser.until("location.hash.includes('has%3Atwo-users')").await;
    browser.sees("#rows .row", "Hello?").await;
    browser.visit("#/sessions/shared").await;
    browser.sees("#detail .banner", "2 users in one session").await;
    browser.finish().await;
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn a_paused_page_counts_what_waits_and_a_lost_connection_is_told() {
    let browser = Browser::start(Collector::builder().strict(true)).await;
    let order = samples::order();
    browser.send(&order[0]).await;
    browser.open("#/interactions").await;
    browser.sees("#rows .row", "58213").await;
    browser.press("p").await;
    browser.send(&order[1]).await;
    browser.send(&order[2]).await;
    browser.sees("#new button", "2 new").await;
    browser.sees("#live", "paused, 2 waiting").await;
    assert_eq!(browser.run("return document.querySelectorAll('#rows .row').length").await, 1);
    browser.press("p").await;
    browser
        .until(
            "document.querySelectorAll('#rows .row').length === 3 && !document.querySelector('#new button')",
        )
        .await;
    // To follow is to open what comes.
    browser.press("1f").await;
    browser.send(&samples::chain()[0]).await;
    browser.sees("#detail h2", "chat-81c0").await;
    browser.collector.stop();
    browser.sees("#notice", "Not connected since").await;
    browser.sees("#rows .row", "58213").await;
    browser.finish_with(&["net::ERR_"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn what_is_gone_is_told_with_the_limit() {
    let browser = Browser::start(
        Collector::builder()
            .strict(true)
            .capacity(reconify_collector::Capacity { reports: 2, bytes: 1 << 20 }),
    )
    .await;
    for report in samples::order() {
        browser.send(&report).await;
    }
    browser.open("#/interactions/1").await;
    browser.sees("#detail", "report 1 is gone").await;
    browser.sees("#detail", "The newest 2 reports").await;
    browser.finish_with(&["404 (Not Found)"]).await;
}

/// The keys of WebDriver that have no letter.
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const TAB: &str = "\u{e004}";

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn the_keyboard_alone_does_all() {
    let browser = Browser::start(Collector::builder().strict(true)).await;
    for report in [samples::order(), samples::chain(), samples::others()].concat() {
        browser.send(&report).await;
    }
    browser.open("").await;
    browser.until("document.querySelectorAll('#rows .row').length === 5").await;
    browser.press("jjk").await;
    browser.until("document.activeElement === document.querySelectorAll('#rows .row')[0]").await;
    browser.press("jjjjjjj").await;
    browser.press(ENTER).await;
    browser.sees("#detail h2", "chat-7f31").await;
    browser.until("document.activeElement.closest('#detail')").await;
    browser.press("]").await;
    browser.press("]").await;
    browser.until("document.activeElement === document.querySelectorAll('.turn')[1]").await;
    browser.press("r").await;
    browser.sees(".tabs [aria-current]", "report").await;
    browser.sees("#detail .json", "chatcmpl-").await;
    browser.until("location.hash.startsWith('#/sessions/chat-7f31/2')").await;
    for (key, tab) in [("d", "difference"), ("c", "checks"), ("r", "report")] {
        browser.press(key).await;
        browser.sees(".tabs [aria-current]", tab).await;
    }
    browser.press(ESCAPE).await;
    browser.until("document.querySelectorAll('#detail .turn').length === 4").await;
    browser.press(ESCAPE).await;
    browser
        .until("location.hash === '#/sessions' && document.activeElement.dataset.key === 'chat-7f31'")
        .await;
    for (key, view) in [("2", "interactions"), ("3", "users"), ("1", "sessions")] {
        browser.press(key).await;
        browser.sees("#views [aria-current]", view).await;
    }
    browser.press("?").await;
    browser.sees("#help", "previous").await;
    browser.press(ESCAPE).await;
    browser.until("!document.querySelector('#help').open").await;
    browser.press("y").await;
    browser.until("document.querySelector('#toast').innerText").await;

    // Whatever can be clicked can be reached by Tab, on every view.
    for place in [
        "sessions/chat-7f31",
        "interactions/5",
        "interactions/5?tab=request",
        "interactions/5?tab=report",
        "users/u-2041",
        "figures",
        "problems",
        "refused",
        "faults",
        "accounting",
        "start",
    ] {
        browser.visit(&format!("#/{place}")).await;
        browser.until("document.querySelector('#list').ariaBusy === 'false' && document.querySelector('#detail').children.length").await;
        if place.contains('/') {
            // What was chosen takes the focus.
            browser.until("document.activeElement.closest('#detail')").await;
        }

        let count = browser
            .run("document.activeElement.blur(); getSelection().removeAllRanges(); document.querySelector('#name').focus();
                window.meant = [...document.querySelectorAll('a[href], button, input, textarea, summary')].filter(el => el.checkVisibility({contentVisibilityAuto: false}) && !el.closest('.plot') && !el.closest('details:not([open]) > :not(summary)'));
                return meant.length")
            .await;
        let count = count.as_u64().unwrap();
        browser.run("window.reached = new Set([document.activeElement]); window.unseen = new Set();
            document.addEventListener('focusin', e => { reached.add(e.target); if (getComputedStyle(e.target).outlineStyle === 'none') unseen.add(e.target.outerHTML.slice(0, 200)); })").await;
        browser.press(&TAB.repeat(usize::try_from(count).unwrap() + 12)).await;
        let missed = browser.run("return meant.filter(el => el.isConnected && !reached.has(el)).map(el => el.outerHTML.slice(0, 200))").await;
        let none = Value::Array(Vec::new());
        assert_eq!(missed, none, "{place}");
        assert_eq!(browser.run("return [...unseen]").await, none, "{place}: the focus is not seen");
        let unnamed = browser.run("return [...document.querySelectorAll('a[href], button, input, textarea, summary, img')].filter(el => !el.closest('[hidden]') && !(el.textContent || el.alt || el.ariaLabel || el.title || el.labels?.[0]?.innerText || el.querySelector('img')?.alt)?.trim()).map(el => el.outerHTML.slice(0, 200))").await;
        assert_eq!(unnamed, none, "{place}: a control has no name");
    }
    browser.finish().await;
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn the_figures_above_a_list_obey_the_search_and_a_bar_narrows_it_to_its_time() {
    let browser = Browser::start(Collector::builder().strict(true)).await;
    for report in [samples::order(), samples::chain(), samples::others()].concat() {
        browser.send(&report).await;
    }
    browser.open("#/interactions").await;
    for text in ["interactions 9", "sessions 5", "users 4", "first token p50", "time p50", "p99", "failed 2"]
    {
        browser.sees("#strip", text).await;
    }
    browser.visit("#/interactions?q=session:chat-7f31").await;
    browser.sees("#strip", "interactions 4").await;
    browser.until("!document.querySelector('#strip').innerText.includes('failed')").await;
    browser.visit("#/interactions").await;
    browser.sees("#strip", "interactions 9").await;
    browser.run("document.querySelector('#strip .plot a').click()").await;
    browser.sees("#head h2", "2 of 9").await;
    browser.sees("#strip", "interactions 2").await;
    browser.until("location.hash.startsWith('#/interactions?q=after%3A')").await;
    browser.visit("#/figures").await;
    browser.sees("#detail", "failed in red").await;
    browser.sees("#strip", "interactions 9").await;
    browser.run("document.querySelector('#detail .bars a').click()").await;
    browser.sees("#strip", "interactions 2").await;
    browser.finish().await;
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn an_export_is_imported_by_a_button() {
    let browser = Browser::start(Collector::builder().strict(true)).await;
    for report in samples::order() {
        browser.send(&report).await;
    }
    browser.open("").await;
    browser.sees("#rows .row", "58213").await;
    let folder = tempfile::tempdir().unwrap();
    for format in ["json", "jsonl"] {
        let script = format!("return fetch('/api/reports?format={format}').then(answer => answer.text())");
        let text = browser.run(&script).await;
        let file = folder.path().join(format!("export.{format}"));
        std::fs::write(&file, text.as_str().unwrap()).unwrap();
        browser.run("return fetch('/api/reports?q=*', {method: 'DELETE', headers: {'content-type': 'application/json'}}).then(() => 1)").await;
        browser.sees("#rows", "Nothing has come yet").await;
        browser.choose("#file", &file).await;
        browser.sees("#toast", "4 imported").await;
        browser.sees("#rows .row", "58213").await;
        browser.choose("#file", &file).await;
        browser.sees("#toast", "4 known already").await;
    }
    let other = folder.path().join("other.json");
    std::fs::write(&other, "{}").unwrap();
    browser.choose("#file", &other).await;
    browser.sees("#toast", "this is no export").await;
    browser.finish_with(&["400 (Bad Request)"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn an_empty_page_says_what_to_set_and_has_an_example() {
    let browser = Browser::start(Collector::builder()).await;
    browser.open("").await;
    let endpoint = format!("RECONIFY_ENDPOINT={}/track", browser.base);
    for text in [&endpoint, "RECONIFY_APP_KEY", "RECONIFY_API_KEY", "curl"] {
        browser.sees("#rows pre", text).await;
    }
    browser.run("[...document.querySelectorAll('#rows button')].find(el => el.innerText.includes('example')).click()").await;
    browser.sees("#detail .turn", "assistant").await;
    browser.sees("#rows .row", "turn").await;
    browser.finish().await;
}
