//! rig with an HTTP client whose calls are reported, as in the chapter "Ways in".

use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest_middleware::ClientBuilder;
use rig_core::completion::CompletionRequest;
use rig_core::providers::openai::OpenAIConfig;
use rig_core::streaming::{Item, StreamEvent};
use rig_reqwest::ReqwestMiddlewareClient;
use tower_reconify::{Config, Identity, ReconifyLayer, Session, User};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let reconify = ReconifyLayer::new(Config::from_env()?);
    let _guard = reconify.reporter().guard(Duration::from_secs(5));

    let http = reqwest::Client::new();
    let config = OpenAIConfig::from_env()?; // OPENAI_API_KEY, OPENAI_BASE_URL
    let client = ClientBuilder::new(http).with(reconify.clone()).build();
    let openai = config.connect(ReqwestMiddlewareClient::from(client));
    let model = openai.chat("gpt-4o");
    let alice = Identity::from((User::new("alice"), Session::new("alice-1")));

    let answer = alice.clone().scope(model.call(CompletionRequest::new("Tell a cat joke"))).await?;
    println!("{}", answer.text());

    // A stream of rig calls the model when it is first polled, so it is polled in the scope.
    let printed = alice.scope(async {
        let mut events = model.stream(CompletionRequest::new("Tell a dog joke"))?;
        while let Some(event) = events.next().await {
            if let Item::Event(StreamEvent::Text { text, .. }) = event? {
                print!("{text}");
            }
        }
        println!();
        Ok::<_, Box<dyn Error>>(())
    });
    printed.await
}
