//! How the page looks: on a phone, in the dark, without motion, with few colours; and its pictures.

use base64::Engine;
use reconify_collector::Collector;

use crate::driver::Browser;
use crate::samples;

async fn filled() -> Browser {
    let browser = Browser::start(Collector::builder().strict(true).name("Fjord Bikes")).await;
    for report in [samples::order(), samples::chain(), samples::others()].concat() {
        browser.send(&report).await;
    }
    browser
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn a_phone_shows_one_pane_and_the_styles_obey_the_reader() {
    let browser = filled().await;
    let seen = |selector: &str| format!("return document.querySelector('{selector}').checkVisibility()");
    browser.resize(390, 844).await;
    browser.open("#/sessions").await;
    browser.until("document.querySelectorAll('#rows .row').length === 5").await;
    assert_eq!(browser.run(&seen("#detail")).await, false);
    browser.run("document.querySelector('#rows .row').click()").await;
    browser.sees("#detail .turn", "K05S").await;
    assert_eq!(browser.run(&seen("#list")).await, false);
    for place in [
        "sessions",
        "sessions/chat-7f31",
        "interactions",
        "interactions/3?tab=report",
        "figures",
        "faults",
        "start",
        "accounting",
    ] {
        browser.visit(&format!("#/{place}")).await;
        browser.until("document.querySelector('#list').ariaBusy === 'false'").await;
        let wide = "[...document.querySelectorAll('body, #rows, #detail')].some(el => el.scrollWidth > el.clientWidth + 1)";
        assert_eq!(browser.run(&format!("return {wide}")).await, false, "{place} is wider than the screen");
    }
    browser.run("history.back()").await;
    let colour = "return getComputedStyle(document.querySelector('main')).backgroundColor";
    let light = browser.run(colour).await;
    browser.media(&[("prefers-color-scheme", "dark"), ("prefers-reduced-motion", "reduce")]).await;
    assert_ne!(browser.run(colour).await, light);
    let moving = "return [...document.querySelectorAll('*')].filter(el => { const style = getComputedStyle(el); return style.animationName !== 'none' || parseFloat(style.transitionDuration) > 0; }).length";
    assert_eq!(browser.run(moving).await, 0);
    browser.media(&[("forced-colors", "active")]).await;
    browser.resize(1400, 900).await;
    browser.visit("#/sessions/chat-7f31").await;
    let outline =
        browser.until("getComputedStyle(document.querySelector('#rows [aria-current]')).outlineStyle").await;
    assert_eq!(outline, "solid");
    browser.finish().await;
}

/// Writes pictures of the page to the folder that `COLLECTOR_PICTURES` names.
#[tokio::test]
#[ignore = "makes pictures: run .ci/browser pictures"]
async fn pictures() {
    let Some(folder) = std::env::var_os("COLLECTOR_PICTURES").map(std::path::PathBuf::from) else { return };
    let browser = filled().await;
    for (name, place) in [
        ("session", "sessions/chat-7f31"),
        ("sessions", "sessions"),
        ("interactions", "interactions"),
        ("report", "interactions/3?tab=report"),
        ("picture", "sessions/chat-81c0"),
        ("figures", "figures"),
        ("start", "start"),
        ("faults", "faults"),
    ] {
        for (size, width, height) in [("desktop", 1280, 800), ("phone", 390, 844)] {
            for scheme in ["light", "dark"] {
                browser.resize(width, height).await;
                browser.media(&[("prefers-color-scheme", scheme)]).await;
                browser.open(&format!("#/{place}")).await;
                browser.until("document.querySelector('#list').ariaBusy === 'false' && [...document.images].every(image => image.complete) && document.querySelector('.row, .pages')").await;
                let picture = browser.screenshot().await;
                let picture = base64::engine::general_purpose::STANDARD.decode(picture).unwrap();
                std::fs::write(folder.join(format!("{name}-{size}-{scheme}.png")), picture).unwrap();
            }
        }
    }
    browser.finish().await;
}
