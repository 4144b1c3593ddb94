//! The servers of one call: the one that is asked now, and those that may still be asked.

use std::rc::Rc;

use web_sys::AbortSignal;

use super::connection::{Connection, Opened};
use super::host;
use crate::attempt::Attempt;
use crate::chat::ChatCompletionRequest;
use crate::chat::view::View;
use crate::error::{Error, ErrorKind};
use crate::policy::opening::{Call, Event, Opening};
use crate::policy::timeouts::TimeoutOption;
use crate::usage;

/// How one call differs from what its client was made with.
#[derive(Clone, Default)]
pub struct CallOptions {
    /// Ends the call when it is aborted.
    pub signal: Option<AbortSignal>,
    /// Headers for this call, over the client's.
    pub headers: Vec<(String, String)>,
    /// Timeouts for this call, over the client's.
    pub timeout: TimeoutOption,
    /// How many attempts may follow the first, from 0 to 100.
    pub max_retries: Option<u32>,
}

/// Another server to ask, and what its request has that ours has not.
pub(super) struct Fallback {
    pub(super) connection: Rc<Connection>,
    pub(super) adapt: Box<dyn Fn(&mut ChatCompletionRequest)>,
    /// The troubles that this fallback is for; `None` for all.
    pub(super) on: Option<Vec<String>>,
}

/// The servers of one call of a client.
pub(super) struct FallbackChain {
    /// The client that makes the call.
    asked: Rc<Connection>,
    fallback: Rc<[Fallback]>,
    request: ChatCompletionRequest,
    pub(super) options: CallOptions,
    started: f64,
    /// How many of the fallbacks have been considered.
    others: usize,
    current: Option<Conversation>,
}

/// The attempts at one server.
struct Conversation {
    connection: Rc<Connection>,
    opening: Opening,
    body: String,
    prompt_tokens: u64,
}

impl FallbackChain {
    pub(super) fn new(
        asked: &Rc<Connection>,
        fallback: &Rc<[Fallback]>,
        request: ChatCompletionRequest,
        options: CallOptions,
    ) -> Self {
        FallbackChain {
            asked: Rc::clone(asked),
            fallback: Rc::clone(fallback),
            request,
            options,
            started: host::now(),
            others: 0,
            current: None,
        }
    }

    /// The server that answers now.
    pub(super) fn answering(&self) -> &Connection {
        self.current
            .as_ref()
            .map_or(&self.asked, |conversation| &conversation.connection)
    }

    /// The client that makes the call.
    pub(super) fn asked(&self) -> Rc<Connection> {
        Rc::clone(&self.asked)
    }

    /// Whether a retry or a fallback may follow, if this answer breaks before anything of it was handed out.
    pub(super) fn may_go_on(&self, opened: &Opened) -> bool {
        opened.again || self.others < self.fallback.len()
    }

    /// The next good response: of the server that is asked now, or of another.
    pub(super) async fn answer(&mut self, event: Event) -> Result<Opened, Error> {
        if self.current.is_none() {
            self.current = Some(self.begin(&self.asked, &self.request, &self.options, Vec::new())?);
        }
        let mut event = event;
        loop {
            let mut error = match &mut self.current {
                Some(conversation) => match conversation.advance(&self.options, event).await {
                    Ok(opened) => return Ok(opened),
                    Err(error) => error,
                },
                None => return Err(Error::aborted()),
            };
            let Some((connection, request)) = self.next_other(&error) else {
                return Err(error);
            };
            // Headers of the call may hold secrets that are for the first server only.
            let options = CallOptions {
                headers: Vec::new(),
                ..self.options.clone()
            };
            let attempts = std::mem::take(&mut error.attempts);
            self.current = Some(self.begin(&connection, &request, &options, attempts)?);
            event = Event::Due;
        }
    }

    /// The next fallback that may do better than this error, and the request for it.
    fn next_other(&mut self, error: &Error) -> Option<(Rc<Connection>, ChatCompletionRequest)> {
        let trouble = error.trouble.fallback()?;
        let fallback = Rc::clone(&self.fallback);
        while let Some(Fallback { connection, adapt, on }) = fallback.get(self.others) {
            self.others += 1;
            if on.as_ref().is_none_or(|on| on.iter().any(|word| word == trouble)) {
                let mut request = self.request.clone();
                adapt(&mut request);
                return Some((Rc::clone(connection), request));
            }
        }
        None
    }

    fn begin(
        &self,
        connection: &Rc<Connection>,
        request: &ChatCompletionRequest,
        options: &CallOptions,
        attempts: Vec<Attempt>,
    ) -> Result<Conversation, Error> {
        let body = serde_json::to_string(request).map_err(|error| {
            Error::new(
                ErrorKind::Configuration,
                ["The request cannot be JSON: ", &error.to_string()].concat(),
            )
        })?;
        let view = View::from(request);
        let prompt_tokens = usage::prompt_tokens(&view);
        let headers = options.headers.iter().cloned();
        let call = Call {
            path: "chat/completions".to_owned(),
            view: Some(view),
            headers: headers.map(|(name, value)| (name, Some(value))).collect(),
            timeout: options.timeout,
            max_retries: options.max_retries,
            stream: request.stream == Some(true),
            started: self.started,
            attempts,
            ..Call::default()
        };
        Ok(Conversation {
            opening: Opening::new(Rc::clone(&connection.settings), call, Vec::new()),
            connection: Rc::clone(connection),
            body,
            prompt_tokens,
        })
    }
}

impl Conversation {
    async fn advance(&mut self, options: &CallOptions, event: Event) -> Result<Opened, Error> {
        let connection = &self.connection;
        let signal = options.signal.as_ref();
        let mut opened = connection.advance(&mut self.opening, &self.body, signal, event).await?;
        opened.decoder.prompt_tokens = Some(self.prompt_tokens);
        Ok(opened)
    }
}
