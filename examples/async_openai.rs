//! async-openai inside an Axum handler: what it asks OpenAI is reported, with the user of the request that is handled.
//!
//! ```text
//! cargo run --example async_openai
//! ```
//!
//! It brings its own simulated OpenAI and its own collector, which prints a line for each report.

mod simulated;

use std::error::Error;
use std::time::Duration;

use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::middleware::retry::OpenAIRetryLayer;
use async_openai::types::chat::{ChatCompletionRequestUserMessage, CreateChatCompletionRequest};
use async_openai::types::responses::CreateResponse;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::{StatusCode, header, request::Parts};
use axum::{Router, routing::post};
use futures_util::StreamExt;
use simulated::{collector, openai};
use tower::{BoxError, ServiceBuilder};
use tower_reconify::{Config, Identity, ReconifyLayer, Session, User, identify};

type OpenAI = async_openai::Client<OpenAIConfig>;
type Answer<T> = Result<T, (StatusCode, String)>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let openai = openai::start().await?;
    let collector = collector::start().await?;
    // An application writes Config::from_env()?, which takes RECONIFY_APP_KEY and RECONIFY_API_KEY.
    let config = Config::builder(collector::APP_KEY, collector::API_KEY)
        .endpoint(format!("http://{collector}/track"))
        .build()?;
    let reconify = ReconifyLayer::new(config);

    // No proxy, since everything here is on this machine.
    let http = reqwest::Client::builder().no_proxy().build()?;
    // A service replaces async-openai's own retries, so they are added again. The layer inside of them reports every
    // attempt (failed ones only if asked to); to have it outside, see the chapter Ways in.
    let service = ServiceBuilder::new()
        .layer(OpenAIRetryLayer::default())
        .map_err(openai_error)
        .filter_async(|factory: HttpRequestFactory| async move { factory.build().await })
        .layer(reconify.clone())
        .service(http.clone());
    let config = OpenAIConfig::new().with_api_key("sk-demo").with_api_base(format!("http://{openai}/v1"));
    let client = OpenAI::with_config(config).with_http_service(service);

    // The layer `identify` opens a scope around every handler: the calls that it makes have the user of the request.
    let app = Router::new()
        .route("/chat", post(chat))
        .route("/streamed", post(streamed))
        .route("/responses", post(responses))
        .layer(identify::<Claims>())
        .with_state(client);
    let app = simulated::serve(app).await?;

    for (user, path) in [("alice", "chat"), ("bob", "streamed"), ("carol", "responses")] {
        let request = http.post(format!("http://{app}/{path}")).bearer_auth(user).body("Tell a cat joke");
        let answer = request.send().await?.error_for_status()?.text().await?;
        println!("answer    {answer}");
    }
    reconify.reporter().shutdown(Duration::from_secs(5)).await;
    println!("counts    {}", reconify.reporter().stats());
    Ok(())
}

async fn chat(State(openai): State<OpenAI>, question: String) -> Answer<String> {
    let answer = openai.chat().create(request(question)).await.map_err(bad_gateway)?;
    Ok(answer.choices.into_iter().filter_map(|choice| choice.message.content).collect())
}

async fn streamed(State(openai): State<OpenAI>, question: String) -> Answer<Body> {
    let chunks = openai.chat().create_stream(request(question)).await.map_err(bad_gateway)?;
    Ok(Body::from_stream(chunks.map(|chunk| {
        chunk.map(|chunk| {
            chunk.choices.into_iter().filter_map(|choice| choice.delta.content).collect::<String>()
        })
    })))
}

async fn responses(State(openai): State<OpenAI>, question: String) -> Answer<String> {
    let model = Some("gpt-4o".to_owned());
    let request = CreateResponse { model, input: question.into(), ..CreateResponse::default() };
    let answer = openai.responses().create(request).await.map_err(bad_gateway)?;
    Ok(answer.output_text().unwrap_or_default())
}

fn request(question: String) -> CreateChatCompletionRequest {
    let messages = vec![ChatCompletionRequestUserMessage::from(question).into()];
    CreateChatCompletionRequest {
        model: "gpt-4o".to_owned(),
        messages,
        ..CreateChatCompletionRequest::default()
    }
}

fn bad_gateway(error: OpenAIError) -> (StatusCode, String) {
    (StatusCode::BAD_GATEWAY, error.to_string())
}

/// The filter boxes every error. The retries and the callers expect async-openai's own type.
fn openai_error(error: BoxError) -> OpenAIError {
    error.downcast().map(|error| *error).unwrap_or_else(|error| match error.downcast() {
        Ok(error) => OpenAIError::Reqwest(*error),
        Err(error) => error.into(),
    })
}

/// Who is logged in, by a token that here is just a name: a stand-in for what an application verifies.
struct Claims(String);

impl From<Claims> for Identity {
    fn from(Claims(name): Claims) -> Self {
        Identity::from((User::new(&name), Session::new(format!("{name}-1"))))
    }
}

impl<S: Sync> FromRequestParts<S> for Claims {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let name = token.and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Self(name.to_owned()))
    }
}
