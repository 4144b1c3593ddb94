//! A page in Leptos: a question, and the answer as it arrives. The key of your server belongs into a worker in front of it, such
//! as `examples/rust-worker`; this page asks the worker and has none.

use chatwire::chat::{ChatCompletionRequest, Message};
use chatwire::{Client, Error, Provider};
use leptos::prelude::*;
use leptos::task::spawn_local;

fn main() {
    leptos::mount::mount_to_body(Page);
}

#[component]
fn Page() -> impl IntoView {
    let (question, set_question) = signal(String::from("Why is the sky blue?"));
    let (answer, set_answer) = signal(String::new());
    let ask = move |_| {
        let question = question.get_untracked();
        set_answer.set(String::new());
        spawn_local(async move {
            if let Err(error) = write_answer(question, |piece| set_answer.update(|text| text.push_str(piece))).await {
                set_answer.set(error.to_string());
            }
        });
    };
    view! {
        <input prop:value=question on:input:target=move |event| set_question.set(event.target().value()) />
        <button on:click=ask>"Ask"</button>
        <p aria-live="polite">{answer}</p>
    }
}

/// Gives each piece of the answer to `write` as it comes. Dropped, it cancels the request.
async fn write_answer(question: String, write: impl Fn(&str)) -> Result<(), Error> {
    let client = Client::builder(Provider::custom("http://localhost:8787/v1")).build()?;
    let request = ChatCompletionRequest::new("electron", vec![Message::user(question)]);
    let mut stream = client.stream(&request).await?;
    while let Some(chunk) = stream.next().await {
        write(&chunk?.text());
    }
    Ok(())
}
