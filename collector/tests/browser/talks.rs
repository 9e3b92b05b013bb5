//! Conversations on the page.

use reconify_collector::Collector;
use serde_json::json;

use crate::driver::Browser;
use crate::samples::{self, Talk, assistant, user};

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn conversations_of_three_users_arrive_while_the_page_is_open() {
    let browser = Browser::start(Collector::builder().strict(true)).await;
    browser.open("").await;
    browser.sees("#rows", "Nothing has come yet").await;
    let order = samples::order();
    browser.send(&order[0]).await;
    browser.sees("#rows .row", "Where is my order 58213?").await;
    browser.visit("#/sessions/chat-7f31").await;
    browser.sees("#detail .turn", "find_order").await;
    for report in &order[1..] {
        browser.send(report).await;
    }
    browser.sees("#detail .turn footer", "streamed").await;
    browser.until("document.querySelectorAll('#detail .turn').length === 4").await;
    for report in samples::chain().iter().chain(&samples::others()) {
        browser.send(report).await;
    }
    browser.until("document.querySelectorAll('#rows .row').length === 5").await;
    for name in ["Ingrid Solheim", "Mateo Ruiz", "Amélie Laurent"] {
        browser.sees("#rows .row", name).await;
    }
    // Each message is there once, however often it was sent, and a call has its result.
    let count = browser
        .run("return document.querySelector('#detail').innerText.split('Where is my order').length - 1")
        .await;
    assert_eq!(count, 1);
    browser.sees("#detail .call", "2026-12-02").await;
    browser.sees("#detail header .change", "0.4").await;
    // What was folded unfolds.
    browser.run("document.querySelectorAll('.folded summary')[1].click()").await;
    browser.sees("#detail details.folded", "It was meant to come on Tuesday").await;
    browser.finish().await;
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn a_session_is_opened_searched_exported_and_reached_again_by_its_link() {
    let browser = Browser::start(Collector::builder().strict(true)).await;
    let all = [samples::order(), samples::chain(), samples::others()].concat();
    for report in &all {
        browser.send(report).await;
    }
    browser.open("#/sessions/chat-81c0").await;
    browser.sees("#detail h2", "chat-81c0").await;
    browser.sees("#detail .torn", "cut off by the provider").await;
    browser.until("[...document.images].some(image => image.naturalWidth === 1)").await;
    browser.sees("#detail figure", "https://pictures.example.org/chain.jpg (not fetched)").await;
    browser.press("/").await;
    browser.press("tubeless").await;
    browser.sees("#head h2", "1 of 5").await;
    browser.until("location.hash.includes('q=tubeless')").await;
    browser.press("\u{e007}").await;
    browser.press("\u{e00c}").await;
    browser.run("document.querySelector('#rows .row').click()").await;
    browser.sees("#detail h2", "chat-7f31").await;
    let link = browser.run("return location.hash").await;

    let folder = tempfile::tempdir().unwrap();
    browser
        .devtools("Browser.setDownloadBehavior", json!({"behavior": "allow", "downloadPath": folder.path()}))
        .await;
    browser.press("e").await;
    browser.until("document.activeElement.innerText === 'Markdown'").await;
    browser.press("\u{e007}").await;
    let text = browser
        .until_found(|| {
            let mut files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
            let file = files.find(|path| path.extension().is_some_and(|extension| extension == "md"))?;
            Some(std::fs::read_to_string(file).unwrap()).filter(|text| !text.is_empty())
        })
        .await;
    assert_eq!(text.matches("Where is my order 58213?").count(), 1, "{text}");
    assert!(text.contains("You have a place on Thursday at 14:30"), "{text}");

    browser.open(link.as_str().unwrap()).await;
    browser.sees("#detail h2", "chat-7f31").await;
    browser.sees("#head h2", "1 of 5").await;
    assert_eq!(browser.run("return document.querySelector('#q').value").await, "tubeless");
    browser.finish().await;
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn a_search_that_finds_nothing_or_is_wrong_is_told() {
    let browser = Browser::start(Collector::builder().strict(true)).await;
    for report in samples::order() {
        browser.send(&report).await;
    }
    browser.open("#/interactions?q=tubeless%20-tubeless").await;
    browser.sees("#rows", "0 of 4").await;
    browser.run("[...document.querySelectorAll('#rows button')].find(el => el.innerText.includes('Clear')).click()").await;
    browser.until("document.querySelectorAll('#rows .row').length === 4").await;
    browser.run("document.querySelector('#q').focus()").await;
    browser.press("oslo is:wrong").await;
    browser.sees("#wrong", "there is no `is:wrong`").await;
    browser.sees("#wrong mark", "is:wrong").await;
    browser.visit("#/figures?q=has:wrong").await;
    browser.sees("#wrong", "there is no `has:wrong`").await;
    browser.visit("#/interactions?q=oslo%20is:wrong").await;
    // The rows of the last right search stay.
    browser.until("document.querySelectorAll('#rows .row').length > 0").await;
    browser.finish_with(&["400 (Bad Request)"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn markup_script_and_hidden_characters_of_a_prompt_are_text() {
    let browser = Browser::start(Collector::builder()).await;
    let hostile = "<img src=https://evil.example/x onerror=\"document.title='owned'\"><script>document.title='owned'</script> \u{202e}abc\u{7} ```<b>";
    let mut talk = Talk::new(hostile, "u-1", "<i>Eve</i>", "\u{202e}");
    let answer = samples::call("c1", "<b>tool</b>", "{\"<u>\":\"<s>\\u202e\"}");
    browser.send(&talk.say(&[user(hostile)], answer)).await;
    browser.send(&talk.say(&[samples::result("c1", hostile)], assistant(hostile))).await;
    browser
        .send(&talk.aside(&[user("x")], assistant("y"), |report| {
            report["reconify"]["format"] = json!("<b>odd</b>");
        }))
        .await;
    browser.open("").await;
    browser.sees("#rows .row", "<script>document.title='owned'</script> ⟨U+202E⟩abc␇").await;
    browser.run("document.querySelector('#rows .row').click()").await;
    browser.sees("#detail .turn", "<script>document.title='owned'</script> ⟨U+202E⟩abc␇").await;
    browser.sees("#detail .turn", "shown as JSON").await;
    // The report is fetched when the details are opened.
    assert_eq!(browser.run("return document.querySelectorAll('#detail .turn .json').length").await, 0);
    browser.run("[...document.querySelectorAll('#detail .call summary')].at(-1).click()").await;
    browser.sees("#detail .call .json", "reconify").await;
    for tab in ["conversation", "request", "response", "report", "checks", "delivery", "difference"] {
        browser.visit(&format!("#/interactions/2?tab={tab}")).await;
        browser.sees(".tabs [aria-current]", &tab[1..]).await;
        let made = "document.querySelectorAll('main script, main b > b, main u, main s, main i, img').length";
        assert_eq!(browser.run(&format!("return {made}")).await, 0, "{tab}");
        let text = browser.run("return document.body.innerText + document.title").await;
        let text = text.as_str().unwrap();
        assert!(!text.contains('\u{202e}') && !text.contains('\u{7}'), "{tab}: {text}");
    }
    for view in ["users", "figures", "problems", "accounting", "start", "faults", "refused"] {
        browser.visit(&format!("#/{view}")).await;
        browser.sees("#views [aria-current]", &view[1..]).await;
    }
    assert_eq!(browser.run("return document.title").await, "Collector");
    // The policy refuses strings as markup, even from the page itself.
    let refused = browser
        .run("try { document.body.innerHTML = '<p>'; return false; } catch (error) { return error.name; }")
        .await;
    assert_eq!(refused, "TypeError");
    // Nor does it let the page ask another host; and the console would tell.
    browser
        .run("new Image().src = 'https://evil.example/'; fetch('https://evil.example/').catch(() => {})")
        .await;
    browser.finish_with(&["TrustedHTML", "img-src", "connect-src", "Refused to connect"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium: run .ci/browser"]
async fn edits_and_branches_of_a_history_are_marked() {
    let browser = Browser::start(Collector::builder().strict(true)).await;
    let mut talk = Talk::new("s", "u-1", "Eve", "Moe");
    browser.send(&talk.say(&[user("Hello!")], assistant("Hello, Eve."))).await;
    browser.send(&talk.say(&[user("Which tyre is the fastest?")], assistant("The slick one."))).await;
    browser.send(&talk.aside(&[user("And in rain?")], assistant("The wide one."), |_| {})).await;
    browser.send(&talk.aside(&[user("And in snow?")], assistant("The one with spikes."), |_| {})).await;
    let edited = talk.aside(&[user("And on sand?")], assistant("None."), |report| {
        report["request"]["messages"][0]["content"] = json!("Good morning!");
    });
    browser.send(&edited).await;
    browser.open("#/sessions/s").await;
    browser.sees("#detail .badge", "branch of turn 2").await;
    browser.sees("#detail .badge", "history edited at message 1").await;
    browser.sees("#detail del", "Hello!").await;
    browser.sees("#detail ins", "Good morning!").await;
    browser.finish().await;
}
