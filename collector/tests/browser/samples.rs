//! Reports of invented conversations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

pub(crate) fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

pub(crate) fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

pub(crate) fn call(id: &str, name: &str, arguments: &str) -> Value {
    let function = json!({"name": name, "arguments": arguments});
    json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function", "function": function}]})
}

pub(crate) fn result(id: &str, text: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": text})
}

/// A conversation, of which each exchange is one report.
pub(crate) struct Talk {
    session: String,
    user: Value,
    history: Vec<Value>,
    tools: Vec<&'static str>,
    /// How long ago the next exchange began, in milliseconds.
    pub(crate) ago: u64,
    pub(crate) model: &'static str,
    pub(crate) temperature: f64,
}

impl Talk {
    pub(crate) fn new(session: &str, id: &str, first: &str, last: &str) -> Self {
        let user = json!({
            "userId": id, "firstName": first, "lastName": last,
            "email": format!("{}@example.org", first.to_lowercase()), "isAuthenticated": 1
        });
        Self {
            session: session.to_owned(),
            user,
            history: Vec::new(),
            tools: Vec::new(),
            ago: 5000,
            model: "gpt-4o",
            temperature: 0.2,
        }
    }

    pub(crate) fn system(mut self, text: &str) -> Self {
        self.history.push(json!({"role": "system", "content": text}));
        self
    }

    pub(crate) fn tool(&mut self, name: &'static str) {
        self.tools.push(name);
    }

    /// The report of a request with these messages more, and of its answer.
    pub(crate) fn say(&mut self, messages: &[Value], answer: Value) -> Value {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        self.history.extend_from_slice(messages);
        let length = |messages: &[Value]| {
            messages.iter().map(|message| message.to_string().len() as u64 / 4).sum::<u64>()
        };
        let (asked, out) = (length(&self.history), length(std::slice::from_ref(&answer)));
        let took = 400 + out * 23;
        let finish = if answer["tool_calls"].is_null() { "stop" } else { "tool_calls" };
        let tools: Vec<_> = self
            .tools
            .iter()
            .map(|name| json!({"type": "function", "function": {"name": name, "parameters": {}}}))
            .collect();
        let begin = now() - self.ago;
        let mut request = json!({"model": self.model, "temperature": self.temperature, "stream": true, "messages": self.history});
        if !tools.is_empty() {
            request["tools"] = json!(tools);
        }
        let report = json!({
            "reconify": {"format": "openai", "type": "chat", "version": "1.0.0", "appKey": "app-key-of-a-test", "apiKey": "api-key-of-a-test"},
            "timestamps": {"request": begin, "response": begin + took},
            "session": self.session, "sessionTimeout": 15, "user": self.user,
            "request": request,
            "response": {
                "id": format!("chatcmpl-{count}"), "model": self.model,
                "choices": [{"index": 0, "message": answer, "finish_reason": finish}],
                "usage": {"prompt_tokens": asked, "completion_tokens": out, "total_tokens": asked + out}
            },
            "metadata": {
                "id": format!("report-{count}"), "outcome": "answered", "endpoint": "chat", "status": 200, "streamed": true,
                "chunks": out + 2, "timeToFirstTokenMs": 180 + count * 37 % 160, "durationMs": took, "truncated": false, "skipped": 0,
                "tags": {}, "reporter": {"process": "4f2a91c07be0", "captured": count, "dropped": 0, "withheld": 0}
            }
        });
        self.history.push(answer);
        report
    }

    /// A report like the next one, but changed; it is not part of the history.
    pub(crate) fn aside(
        &mut self,
        messages: &[Value],
        answer: Value,
        change: impl FnOnce(&mut Value),
    ) -> Value {
        let length = self.history.len();
        let mut report = self.say(messages, answer);
        self.history.truncate(length);
        change(&mut report);
        report
    }
}

pub(crate) const SYSTEM: &str = "You help customers of Fjord Bikes, a shop in Bergen. Answer in the customer's language, in at most three sentences. Look orders up before you talk about them.";

/// A conversation with two calls of tools.
pub(crate) fn order() -> Vec<Value> {
    let mut talk = Talk::new("chat-7f31", "u-2041", "Ingrid", "Solheim").system(SYSTEM);
    talk.tool("find_order");
    talk.ago = 320_000;
    let question = user("Hi! Where is my order 58213? It was meant to come on Tuesday.");
    let mut reports = vec![talk.say(&[question], call("call_Xk29", "find_order", r#"{"order":"58213"}"#))];
    talk.ago = 318_000;
    let found = result(
        "call_Xk29",
        r#"{"order":"58213","status":"in transit","carrier":"Bring","eta":"2026-12-02"}"#,
    );
    let answer = "Your order is with Bring and should arrive on 2 December. Sorry for the delay: the carrier missed a connection in Oslo.";
    reports.push(talk.say(&[found], assistant(answer)));
    talk.ago = 190_000;
    talk.tool("book_repair");
    talk.temperature = 0.4;
    let question =
        "Thanks! Can you fit the tyres too? My rim says:\n\n```\nETRTO 622x23 TSS\nmax 4.5 bar\n```";
    reports.push(talk.say(
        &[user(question)],
        call("call_b7Pa", "book_repair", r#"{"service":"tyre fitting","wheels":2,"day":"2026-12-03"}"#),
    ));
    talk.ago = 187_000;
    let booked =
        result("call_b7Pa", r#"{"slot":"2026-12-03T14:30","price":{"amount":450,"currency":"NOK"}}"#);
    let answer = "Yes: TSS means that your rim is ready for tubeless, and 23 mm inside suit a 40 mm tyre. You have a place on Thursday at 14:30, 450 kr for both wheels.";
    reports.push(talk.say(&[booked], assistant(answer)));
    reports
}

/// A small picture.
pub(crate) const PICTURE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A conversation with a picture, whose first answer was cut off.
pub(crate) fn chain() -> Vec<Value> {
    let mut talk = Talk::new("chat-81c0", "u-1187", "Mateo", "Ruiz").system(SYSTEM);
    talk.model = "gpt-4o-mini";
    talk.ago = 130_000;
    let question = json!({"role": "user", "content": [
        {"type": "text", "text": "¿Qué le pasa a esta cadena? ¿Hay que cambiarla?"},
        {"type": "image_url", "image_url": {"url": PICTURE}},
        {"type": "image_url", "image_url": {"url": "https://pictures.example.org/chain.jpg"}}
    ]});
    let cut = talk.aside(
        std::slice::from_ref(&question),
        assistant("La cadena está seca y tiene óxido en los"),
        |report| {
            report["metadata"]["outcome"] = json!("interrupted");
            report["response"]["choices"][0]["finish_reason"] = Value::Null;
        },
    );
    talk.ago = 121_000;
    vec![
        cut,
        talk.say(
            &[question],
            assistant("Está oxidada: conviene cambiarla junto con el casete si tiene más de 3000 km."),
        ),
    ]
}

/// Short conversations of others.
pub(crate) fn others() -> Vec<Value> {
    let mut brake = Talk::new("chat-90aa", "u-3320", "Amélie", "Laurent").system(SYSTEM);
    brake.ago = 80_000;
    let mut reports = vec![brake.say(&[user("Mes freins arrière grincent depuis hier, que faire ?")], assistant("Nettoyez le disque et les plaquettes à l'alcool, puis vérifiez l'usure. Sinon, passez au magasin : le contrôle est gratuit."))];
    let mut stock = Talk::new("report-week-48", "u-0007", "Jonas", "Berg")
        .system("Write the weekly report of the stock.");
    stock.ago = 60_000;
    reports.push(stock.aside(&[user("Summarise the stock of week 48.")], Value::Null, |report| {
        report["metadata"]["outcome"] = json!("refused");
        report["metadata"]["status"] = json!(429);
        report["response"] = json!({"error": {"type": "rate_limit_error", "message": "Rate limit reached for gpt-4o: 30000 tokens per minute."}});
        report["metadata"]["timeToFirstTokenMs"] = Value::Null;
    }));
    let mut pads = Talk::new("chat-a2f0", "u-2041", "Ingrid", "Solheim");
    pads.ago = 30_000;
    reports.push(pads.aside(&[], Value::Null, |report| {
        report["reconify"]["format"] = json!("anthropic");
        report["reconify"]["version"] = json!("3.0.0");
        report["request"] = json!({"model": "claude-sonnet-4-5", "max_tokens": 1024, "messages": [user("Which pads fit a Shimano M8100 caliper?")]});
        report["response"] = json!({
            "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_reason": "end_turn",
            "content": [
                {"type": "thinking", "thinking": "The M8100 has two pistons. It takes the shapes G03A, G04S, K03S and K05S.", "signature": "c2ln"},
                {"type": "text", "text": "Resin K05S or metal K04S. The older J shape does not fit."}
            ],
            "usage": {"input_tokens": 41, "output_tokens": 66}
        });
    }));
    reports
}
