//! A headless Chromium, driven over plain WebDriver.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use reconify_collector::{Collector, CollectorBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The longest wait for something to appear on the page.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest wait for an answer of the driver.
const LONGEST_COMMAND: Duration = Duration::from_secs(60);

/// The driver and its browser are one process group. The shell ends the group and removes its files as soon as its
/// own input closes. The system closes it, too, if the test is killed: no browser outlives its test.
const KEEPER: &str = r#"
    trap '' INT TERM HUP
    set -m
    TMPDIR=$(mktemp -d) && export TMPDIR
    chromedriver --port=0 </dev/null &
    exec >/dev/null
    read -r
    kill -KILL -- "-$!"
    wait "$!"
    rm -rf "$TMPDIR" || rm -rf "$TMPDIR"
"#;

/// A `chromedriver` on a port of its own.
struct Driver {
    keeper: Child,
    address: String,
}

impl Driver {
    /// Starts one on a free port. Another process may take that port first: then it tries again.
    fn start() -> Self {
        (0..5).find_map(|_| Self::attempt()).expect("chromedriver does not listen: .ci/browser installs it")
    }

    fn attempt() -> Option<Self> {
        let mut keeper = Command::new("bash")
            .args(["-c", KEEPER])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(keeper.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut driver = Self { keeper, address: String::new() };
        let (found, port) = mpsc::channel();
        // Its output has to be read to the end, or it waits.
        std::thread::spawn(move || {
            for line in lines {
                if let Some((_, port)) = line.split_once("successfully on port ") {
                    let _ = found.send(port.trim_end_matches('.').to_owned());
                }
            }
        });
        driver.address = format!("http://127.0.0.1:{}", port.recv_timeout(PATIENCE).ok()?);
        Some(driver)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// A collector on a port of its own, and a browser that shows its page.
pub(crate) struct Browser {
    _driver: Driver,
    client: reqwest::Client,
    session: String,
    is_finished: bool,
    pub(crate) collector: Collector,
    /// The address of the page, without the last slash.
    pub(crate) base: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.collector.stop();
        assert!(self.is_finished || std::thread::panicking(), "the test does not end with `finish`");
    }
}

/// Serves a collector on a free port, and returns its address.
async fn serve(collector: &Collector) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let collector = collector.clone();
    tokio::spawn(async move { collector.serve(listener).await.unwrap() });
    format!("http://{address}")
}

impl Browser {
    /// A browser, not yet on any page.
    pub(crate) async fn start(builder: CollectorBuilder) -> Self {
        let collector = builder.build();
        let base = serve(&collector).await;
        let driver = Driver::start();
        // A host name that is not this machine is not even looked up.
        let arguments = [
            "--headless=new",
            // A browser whose driver is gone ends.
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1400,900",
            "--enable-precise-memory-info",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ];
        let capabilities = json!({
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"args": arguments},
            "timeouts": {"script": LONGEST_COMMAND.as_millis()},
        });
        let client = reqwest::Client::builder().no_proxy().timeout(LONGEST_COMMAND).build().unwrap();
        let address = driver.address.clone();
        let mut browser =
            Self { _driver: driver, client, session: address.clone(), is_finished: false, collector, base };
        let body = json!({"capabilities": {"alwaysMatch": capabilities}});
        let opened = browser.command("POST", "/session", &body).await;
        browser.session = format!("{address}/session/{}", opened["sessionId"].as_str().unwrap());
        browser
    }

    async fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.session));
        let request = if method == "POST" { request.json(body) } else { request };
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let value = answer["value"].clone();
        assert!(value["error"].is_null(), "{path} {body}: {value}");
        value
    }

    /// Opens a place of the page, like `#/sessions`, from another document.
    pub(crate) async fn open(&self, hash: &str) {
        self.command("POST", "/url", &json!({"url": "about:blank"})).await;
        self.command("POST", "/url", &json!({"url": format!("{}/{hash}", self.base)})).await;
    }

    /// Goes to another place within the page.
    pub(crate) async fn visit(&self, hash: &str) {
        self.run(&format!("location.hash = {}", json!(hash))).await;
    }

    /// Runs a script, and returns what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", &json!({"script": script, "args": []})).await
    }

    /// Waits until an expression is true, and returns its value.
    pub(crate) async fn until(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[0], end = performance.now() + {};
            const check = () => {{
                let value;
                try {{ value = ({expression}); }} catch {{ /* Not there yet. */ }}
                if (value) done(value);
                else if (performance.now() > end) done(null);
                else setTimeout(check, 5);
            }};
            check();",
            PATIENCE.as_millis()
        );
        let value = self.command("POST", "/execute/async", &json!({"script": script, "args": []})).await;
        if value.is_null() {
            let text = self.run("return location.hash + '\\n' + document.body.innerText").await;
            panic!("never true: {expression}\n{}", text.as_str().unwrap_or_default());
        }
        value
    }

    /// Waits until an element has a text.
    pub(crate) async fn sees(&self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.until(&format!("[...document.querySelectorAll({selector})].some(el => el.checkVisibility() && el.innerText.toLowerCase().includes({text}.toLowerCase()))")).await;
    }

    /// Presses keys, one after the other.
    pub(crate) async fn press(&self, keys: &str) {
        let steps = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()})));
        let actions =
            json!({"actions": [{"type": "key", "id": "keys", "actions": steps.collect::<Vec<_>>()}]});
        self.command("POST", "/actions", &actions).await;
    }

    /// Chooses a file, as a reader does in the dialog of an input.
    pub(crate) async fn choose(&self, selector: &str, file: &Path) {
        let found =
            self.command("POST", "/element", &json!({"using": "css selector", "value": selector})).await;
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        self.command("POST", &format!("/element/{id}/value"), &json!({"text": file})).await;
    }

    /// A command of the DevTools protocol.
    pub(crate) async fn devtools(&self, command: &str, params: Value) -> Value {
        self.command("POST", "/goog/cdp/execute", &json!({"cmd": command, "params": params})).await
    }

    /// Sets the size of the window; a narrow one is a phone.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let params = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700});
        self.devtools("Emulation.setDeviceMetricsOverride", params).await;
    }

    /// Sets what style sheets ask for, as `prefers-color-scheme`.
    pub(crate) async fn media(&self, features: &[(&str, &str)]) {
        let features: Vec<_> =
            features.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// A picture of the window, as PNG in base64.
    pub(crate) async fn screenshot(&self) -> String {
        self.command("GET", "/screenshot", &Value::Null).await.as_str().unwrap().to_owned()
    }

    async fn log(&self, kind: &str) -> Vec<String> {
        let entries = self.command("POST", "/se/log", &json!({"type": kind})).await;
        entries
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Ends a test: the console is empty, the policy was not violated, and every request went to the collector.
    pub(crate) async fn finish(self) {
        self.finish_with(&[]).await;
    }

    /// Ends a test whose console has to show these texts, and nothing else.
    pub(crate) async fn finish_with(mut self, expected: &[&str]) {
        self.is_finished = true;
        let (mut console, start) = (self.log("browser").await, Instant::now());
        // A log is emptied by reading it, and the last lines may not have come yet.
        while let Some(text) = expected.iter().find(|text| !console.iter().any(|line| line.contains(**text)))
        {
            assert!(start.elapsed() < PATIENCE, "no {text} in {console:#?}");
            console.extend(self.log("browser").await);
        }
        let is_expected = |line: &String| expected.iter().any(|text| line.contains(text));
        assert!(console.iter().all(is_expected), "{console:#?}");
        let (mut requests, mut count) = (HashMap::new(), 0);
        for message in self.log("performance").await {
            let message: Value = serde_json::from_str(&message).unwrap();
            let (method, params) = (&message["message"]["method"], &message["message"]["params"]);
            let id = params["requestId"].to_string();
            if method == "Network.requestWillBeSent" {
                requests.insert(id, params["request"]["url"].as_str().unwrap().to_owned());
                count += 1;
            } else if method == "Network.loadingFailed" && params["blockedReason"] == "csp" {
                // It was not sent, and the console tells.
                requests.remove(&id);
            }
        }
        assert!(count > 3, "only {count} requests were seen");
        let own = format!("{}/", self.base);
        let is_allowed =
            |url: &&String| url.starts_with(&own) || *url == "about:blank" || url.starts_with("data:image/");
        let others: Vec<_> = requests.values().filter(|url| !is_allowed(url)).collect();
        assert!(others.is_empty(), "requests to others: {others:?}");
    }

    /// Posts to the collector, as an application does; the status of the answer.
    pub(crate) async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> u16 {
        let request = self.client.post(format!("{}{path}", self.base)).json(body);
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        request.send().await.unwrap().status().as_u16()
    }

    /// Sends a report that is taken.
    pub(crate) async fn send(&self, report: &Value) {
        let sent = self.client.post(format!("{}/track", self.base)).json(report).send().await.unwrap();
        assert_eq!(sent.text().await.unwrap(), r#"{"status":"ok"}"#);
    }

    /// Waits until a condition outside the page is true; a request to the browser sets the pace.
    pub(crate) async fn until_found<T>(&self, mut find: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = find() {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "it never came");
            self.run("return 1").await;
        }
    }
}
