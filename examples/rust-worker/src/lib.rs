//! `POST` a question as text; the answer comes back as text, piece by piece as the model writes it.

use chatwire::chat::{ChatCompletionRequest, Message};
use chatwire::{Client, Error, Provider};
use futures_util::StreamExt;
use worker::{Context, Env, Request, Response, Result, event};

#[event(fetch)]
async fn fetch(mut request: Request, env: Env, _context: Context) -> Result<Response> {
    let key = env.secret("SMALLEST_API_KEY")?.to_string();
    let question = request.text().await?;
    let mut provider = Provider::electron(key);
    // Another server that speaks like Electron: the emulator, while you try this out.
    if let Ok(url) = env.var("BASE_URL") {
        provider.base_url = url.to_string().into();
    }
    let client = Client::builder(provider).build().map_err(in_words)?;
    let asked = ChatCompletionRequest::new("electron", vec![Message::user(question)]);
    match client.stream(&asked).await {
        // When the visitor leaves, the stream is dropped, and with it the request.
        Ok(chunks) => Response::from_stream(chunks.map(|chunk| match chunk {
            Ok(chunk) => Ok(chunk.text().into_bytes()),
            Err(error) => Err(in_words(error)),
        })),
        Err(error) => Response::error(error.to_string(), 502),
    }
}

fn in_words(error: Error) -> worker::Error {
    worker::Error::RustError(error.to_string())
}
