//! The client for Rust on wasm32: the core, and the host's `fetch`.
//!
//! ```no_run
//! # #[cfg(target_arch = "wasm32")]
//! # async fn example(key: String) -> Result<(), chatwire::Error> {
//! use chatwire::chat::{ChatCompletionRequest, Message};
//! use chatwire::{Client, Provider};
//!
//! let client = Client::builder(Provider::electron(key)).build()?;
//! let request = ChatCompletionRequest::new("electron", vec![Message::user("Why is the sky blue?")]);
//! let mut stream = client.stream(&request).await?;
//! let mut answer = String::new();
//! while let Some(chunk) = stream.next().await {
//!     answer.push_str(&chunk?.text());
//! }
//! let outcome = stream.outcome().expect("the stream has ended");
//! # Ok(())
//! # }
//! ```

pub(crate) mod accounts;
pub(crate) mod connection;
pub(crate) mod host;
mod stream;

use std::rc::Rc;

use js_sys::Function;
use web_sys::AbortSignal;

use crate::chat::view::View;
use crate::chat::{ChatCompletion, ChatCompletionRequest, StreamOptions};
use crate::error::{Error, ErrorKind};
use crate::policy::redact::{check_header, check_key};
use crate::policy::timeouts::{TimeoutOption, Timeouts};
use crate::policy::{Validation, cost, estimate};
use crate::provider::{BaseUrl, Limits, Provider, is_own_host};
use connection::{Call, Connection, Key};
pub use stream::ChatStream;

/// A client of one server. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Client {
    connection: Rc<Connection>,
}

/// Collects what a [`Client`] is made with.
pub struct ClientBuilder {
    provider: Provider,
    location: Option<String>,
    fetch: Option<Function>,
    headers: Vec<(String, Option<String>)>,
    query: Vec<(String, Option<String>)>,
    max_retries: u32,
    timeout: TimeoutOption,
    limits: Option<Limits>,
    validation: Validation,
    strict: bool,
}

/// How one call differs from what its client was made with.
#[derive(Default)]
pub struct CallOptions {
    /// Ends the call when it is aborted.
    pub signal: Option<AbortSignal>,
    /// Headers for this call, over the client's.
    pub headers: Vec<(String, String)>,
    /// Timeouts for this call, over the client's.
    pub timeout: TimeoutOption,
    /// How many attempts may follow the first.
    pub max_retries: Option<u32>,
}

impl Client {
    /// Starts to make a client of a provider.
    #[must_use]
    pub fn builder(provider: Provider) -> ClientBuilder {
        ClientBuilder {
            provider,
            location: None,
            fetch: None,
            headers: Vec::new(),
            query: Vec::new(),
            max_retries: 2,
            timeout: TimeoutOption::default(),
            limits: None,
            validation: Validation::default(),
            strict: false,
        }
    }

    /// Asks for a completion and waits for all of it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] before anything is sent; a refusal by its status; no connection, no answer in time;
    /// an answer that is no completion.
    pub async fn create(&self, request: &ChatCompletionRequest) -> Result<ChatCompletion, Error> {
        self.create_with(request, CallOptions::default()).await
    }

    /// [`create`](Self::create), with options for this call.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn create_with(
        &self,
        request: &ChatCompletionRequest,
        options: CallOptions,
    ) -> Result<ChatCompletion, Error> {
        let mut request = request.clone();
        request.stream = None;
        let mut stream = self.open(&request, options).await?;
        stream.drain().await?;
        stream.completion()
    }

    /// Asks for a completion and gives it in chunks as they arrive. Dropping the stream cancels the request.
    ///
    /// # Errors
    /// As [`create`](Self::create), up to the response headers; later ones come from the stream.
    pub async fn stream(&self, request: &ChatCompletionRequest) -> Result<ChatStream, Error> {
        self.stream_with(request, CallOptions::default()).await
    }

    /// [`stream`](Self::stream), with options for this call.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub async fn stream_with(
        &self,
        request: &ChatCompletionRequest,
        options: CallOptions,
    ) -> Result<ChatStream, Error> {
        let mut request = request.clone();
        request.stream = Some(true);
        // Without it nobody knows what the answer cost.
        request.stream_options.get_or_insert_with(|| StreamOptions {
            include_usage: Some(true),
            ..StreamOptions::default()
        });
        self.open(&request, options).await
    }

    async fn open(&self, request: &ChatCompletionRequest, options: CallOptions) -> Result<ChatStream, Error> {
        let body = serde_json::to_string(request).map_err(|error| {
            Error::new(
                ErrorKind::Configuration,
                ["The request cannot be JSON: ", &error.to_string()].concat(),
            )
        })?;
        let started = host::now();
        let call = Call {
            path: "chat/completions".to_owned(),
            view: Some(View::from(request)),
            body: Some(body),
            headers: options
                .headers
                .into_iter()
                .map(|(name, value)| (name, Some(value)))
                .collect(),
            timeout: options.timeout,
            max_retries: options.max_retries,
            stream: request.stream == Some(true),
            started,
            ..Call::default()
        };
        let prompt_tokens = call.view.as_ref().map(estimate::prompt_tokens);
        let mut opened = Rc::clone(&self.connection).open(call, options.signal.clone()).await?;
        opened.decoder.prompt_tokens = prompt_tokens;
        ChatStream::new(opened, options.signal)
    }
}

impl ClientBuilder {
    /// The `fetch` to call in place of the host's own, as `fetch(url: string, init)`.
    #[must_use]
    pub fn fetch(self, fetch: Function) -> Self {
        Self {
            fetch: Some(fetch),
            ..self
        }
    }

    /// What a relative base URL is relative to: the page's address.
    #[must_use]
    pub fn location(self, location: impl Into<String>) -> Self {
        Self {
            location: Some(location.into()),
            ..self
        }
    }

    /// A header for every request.
    #[must_use]
    pub fn default_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// A query parameter for every request.
    #[must_use]
    pub fn default_query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), Some(value.into())));
        self
    }

    /// How many attempts may follow the first; 2 unless set.
    #[must_use]
    pub fn max_retries(self, max_retries: u32) -> Self {
        Self { max_retries, ..self }
    }

    /// How long to wait for what.
    #[must_use]
    pub fn timeout(self, timeout: TimeoutOption) -> Self {
        Self { timeout, ..self }
    }

    /// Limits to keep within, shared by all clients of the same key at the same server.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self {
            limits: Some(limits),
            ..self
        }
    }

    /// How strictly requests are judged before they are sent.
    #[must_use]
    pub fn validation(self, validation: Validation) -> Self {
        Self { validation, ..self }
    }

    /// Refuses answers that would have to be repaired.
    #[must_use]
    pub fn strict_decoding(self) -> Self {
        Self { strict: true, ..self }
    }

    /// The client.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] with every option that cannot be meant: a base URL that is none, a key with a line
    /// break, a header that could become two, a negative price or timeout.
    pub fn build(self) -> Result<Client, Error> {
        let base = BaseUrl::parse(&self.provider.base_url, self.location.as_deref())?;
        let key = match &self.provider.api_key {
            Some(key) => {
                check_key(key.expose())?;
                Key::Value(key.expose().to_owned())
            }
            None if is_own_host(base.host()) => {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    "This server needs a key: give the provider one.",
                ));
            }
            None => Key::None,
        };
        for (name, value) in &self.headers {
            check_header("default_header", name, value.as_deref().unwrap_or_default())?;
        }
        Timeouts::new(self.timeout, &self.provider, true)?;
        let prices = self.provider.prices.as_ref().map(cost::token_prices).transpose()?;
        Ok(Client {
            connection: Rc::new(Connection {
                base,
                key,
                fetch: self.fetch,
                headers: self.headers,
                query: self.query,
                max_retries: self.max_retries,
                timeout: self.timeout,
                limits: self.limits,
                validation: self.validation,
                strict: self.strict,
                prices,
                observer: None,
                provider: self.provider,
            }),
        })
    }
}
