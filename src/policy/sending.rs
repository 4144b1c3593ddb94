//! The request that is sent: a client's settings and one call, made into a request. Pure.

use std::cell::Cell;

use super::keys::Key;
use super::quota::Quota;
use super::timeouts::TimeoutOption;
use super::validate::Validation;
use crate::attempt::Attempt;
use crate::chat::view::View;
use crate::error::Error;
use crate::json::Writer;
use crate::provider::{BaseUrl, PlanLimits, Provider, authorization, is_own_host};
use crate::redact::{check_header, scrub};
use crate::stream::PartialValues;
use crate::text::{find, joined};
use crate::usage::TokenPrices;

/// A header or query parameter; without a value it takes one away that the client would send.
pub(crate) type Pair = (String, Option<String>);

/// The settings of a client.
pub(crate) struct Settings {
    pub(crate) provider: Provider,
    pub(crate) base: BaseUrl,
    pub(crate) key: Key,
    pub(crate) headers: Vec<Pair>,
    pub(crate) query: Vec<Pair>,
    pub(crate) max_retries: u32,
    pub(crate) timeout: TimeoutOption,
    pub(crate) limits: Option<PlanLimits>,
    pub(crate) validation: Validation,
    pub(crate) strict: bool,
    pub(crate) partial: PartialValues,
    pub(crate) prices: Option<TokenPrices>,
    /// The host is a page, whose `fetch` chooses the content encoding.
    pub(crate) page: bool,
    /// Somebody hears of each request and response.
    pub(crate) has_hooks: bool,
    /// How often all calls together may retry.
    pub(crate) quota: Cell<Quota>,
}

/// One request, and how it differs from what its client was made with.
#[derive(Default)]
pub(crate) struct Call {
    pub(crate) path: String,
    /// The request as validation sees it; `None` where there is no body.
    pub(crate) view: Option<View>,
    pub(crate) headers: Vec<Pair>,
    pub(crate) query: Vec<Pair>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) timeout: TimeoutOption,
    pub(crate) strict: Option<bool>,
    /// Hand out the answer without keeping it.
    pub(crate) discard: bool,
    pub(crate) stream: bool,
    /// When the caller asked, on the clock of [`Moment::now`](super::opening::Moment::now).
    pub(crate) started: f64,
    /// The attempts made before, when this is a fallback.
    pub(crate) attempts: Vec<Attempt>,
    /// The prices of the model that is asked for, where the client has one for each.
    pub(crate) prices: Option<TokenPrices>,
}

/// The request to send.
pub(crate) struct Request {
    /// Without a query.
    pub(crate) url: String,
    pub(crate) query: Vec<Pair>,
    pub(crate) method: &'static str,
    /// To be set in this order; without a value, to be deleted.
    pub(crate) headers: Vec<Pair>,
    /// The replacement of the body's first byte, where that has to change.
    pub(crate) start: Option<String>,
    /// Milliseconds to wait for the response headers.
    pub(crate) timeout: Option<f64>,
}

impl Call {
    /// One attempt, which waits so many milliseconds for its response headers.
    ///
    /// # Errors
    /// A header that cannot be sent.
    pub(super) fn request(
        &self,
        settings: &Settings,
        key: Option<&str>,
        timeout: Option<f64>,
    ) -> Result<Request, Error> {
        Ok(Request {
            url: self.url(settings),
            query: self.query(settings),
            method: if self.view.is_some() { "POST" } else { "GET" },
            headers: self.headers(settings, key)?,
            start: self.start(settings),
            timeout,
        })
    }

    /// Where the request went when it was redirected `to` an address, and what to do about it.
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn redirection(&self, settings: &Settings, key: Option<&str>, to: &str) -> String {
        let to = to
            .get(
                ..to.bytes()
                    .position(|byte| matches!(byte, b'?' | b'#'))
                    .unwrap_or(to.len()),
            )
            .unwrap_or(to);
        // `Location: /v2/chat/completions` is on the server that named it.
        let start = match to.as_bytes() {
            [b'/', b'/', ..] => "",
            [b'/', ..] => settings.base.origin(),
            _ => "",
        };
        let to = scrub(joined(&[start, to]), key);
        let path = joined(&["/", self.path.trim_start_matches('/')]);
        let base = to.strip_suffix(&*path).unwrap_or(&to);
        let is_elsewhere = find(&to, "://").is_some() && !to.starts_with(settings.base.origin());
        let lost = match (is_elsewhere, key.is_some()) {
            (true, true) => "the key is not sent on to another origin, and a POST may have become a GET",
            _ => "a POST may have become a GET on the way",
        };
        joined(&[
            " The request was redirected to ",
            &to,
            ": ",
            lost,
            ". Set baseURL to ",
            base,
            " if that is the server you mean.",
        ])
    }

    pub(super) fn url(&self, settings: &Settings) -> String {
        settings.base.join(&self.path)
    }

    fn query(&self, settings: &Settings) -> Vec<Pair> {
        let mut query = Vec::new();
        for (pairs, is_own) in [(&settings.query, false), (&self.query, true)] {
            for (name, value) in pairs {
                // The call's query parameters take precedence over the client's.
                if value.is_some() && (is_own || !self.query.iter().any(|(own, _)| own == name)) {
                    query.push((name.clone(), value.clone()));
                }
            }
        }
        query
    }

    fn headers(&self, settings: &Settings, key: Option<&str>) -> Result<Vec<Pair>, Error> {
        let mut headers = Vec::new();
        let mut set = |name: &str, value: String| headers.push((name.to_owned(), Some(value)));
        let accept = match (self.stream, is_own_host(settings.base.host())) {
            (false, _) => "application/json",
            (true, true) => "text/event-stream",
            // This header asks a gateway of `chatwire/edge` for the usage, also where the request's parameters do not.
            (true, false) => "text/event-stream;usage=1",
        };
        set("accept", accept.to_owned());
        if self.stream && !settings.page {
            // Compressed event streams tend to arrive all at once.
            set("accept-encoding", "identity".to_owned());
        }
        if self.view.is_some() {
            set("content-type", "application/json".to_owned());
        }
        if let Some(key) = key {
            set("authorization", authorization(key));
        }
        for (option, pairs) in [("defaultHeaders", &settings.headers), ("headers", &self.headers)] {
            for (name, value) in pairs {
                check_header(option, name, value.as_deref().unwrap_or_default())?;
                headers.push((name.clone(), value.clone()));
            }
        }
        Ok(headers)
    }

    /// Names the provider's model where the request names none. The rest of the body stays as it was given.
    fn start(&self, settings: &Settings) -> Option<String> {
        let view = self.view.as_ref()?;
        let model = settings.provider.default_model.as_deref()?;
        let crate::chat::view::Value::Object(members) = view.root() else {
            return None;
        };
        if view.model().is_some() {
            return None;
        }
        let mut out = Writer::default();
        out.raw(b"{")
            .member("model", model)
            .raw(if members.is_empty() { b"" } else { b"," });
        Some(out.into_string())
    }
}
