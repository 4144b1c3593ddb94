//! A JavaScript client's part of the engine: its settings, read once, and the way to open responses with them.

use std::cell::RefCell;
use std::rc::Rc;

use super::decoder::Decoder;
use super::descriptor::describe;
use super::memory;
use super::options::{Options, value};
use super::settings::{self, WANTS_VARIABLE};
use crate::chat::view::{Value, View};
use crate::error::Error;
use crate::json::Writer;
use crate::policy::accounts::Slot;
use crate::policy::hedge::Latencies;
use crate::policy::opening::{self, Action, Broken, Event, Moment, Settings};
use crate::usage::{self, Counts, TokenPrices, charged};

/// The reason why no client was made.
pub(super) enum Refused {
    Error(Error),
    /// The value of this environment variable is wanted as `env`.
    Wants(String),
}

/// The settings of one client, and what its calls have used so far.
pub(super) struct Connection(Rc<Shared>);

struct Shared {
    settings: Rc<Settings>,
    totals: RefCell<usage::Totals>,
    /// How long first tokens took.
    latencies: RefCell<Latencies>,
    /// The calls under way that hold a slot or have prices of their own, each at its number less one.
    held: RefCell<Vec<Option<Held>>>,
}

/// A call under way: its slot within a plan's limits, and the prices of its model.
struct Held {
    _slot: Option<Slot>,
    prices: Option<TokenPrices>,
}

impl Connection {
    /// A client by the JSON text of `options` as its user gave them, and of `host` for where it is.
    pub(super) fn make(given: &[u8]) -> Result<Connection, Refused> {
        let given = value(given);
        let problems = RefCell::default();
        let given = Options::new(&given, &problems);
        let settings = settings::connect(&given.own("options"), &given.own("host"));
        let problems = problems.take();
        if let Some(wanted) = problems.iter().find(|problem| problem.code == WANTS_VARIABLE) {
            return Err(Refused::Wants(wanted.message.clone()));
        }
        match settings.filter(|_| problems.is_empty()) {
            Some(settings) => Ok(Connection(Rc::new(Shared {
                settings: Rc::new(settings),
                totals: RefCell::default(),
                latencies: RefCell::default(),
                held: RefCell::default(),
            }))),
            None => Err(Refused::Error(problems.into())),
        }
    }

    /// Begins to open a response. In the input are the JSON text of the call, and of the request's body if it has one.
    pub(super) fn open(&self, length: usize) -> Opening {
        let mut texts = memory::input(length, View::sequence).into_iter();
        let options = texts.next().unwrap_or(Value::Deep);
        let problems = RefCell::default();
        let call = settings::call(&Options::new(&options, &problems), texts.next());
        Opening {
            shared: Rc::clone(&self.0),
            opening: opening::Opening::new(Rc::clone(&self.0.settings), call, problems.take()),
            decoder: None,
        }
    }

    /// Puts out what its user's side has to know of the server, as the JSON text of `ProviderFacts` in
    /// `npm/engine/boundary.ts`.
    pub(super) fn provider(&self) {
        let provider = &self.0.settings.provider;
        memory::write(|out| {
            out.raw(b"{");
            out.key("baseURL").string(&provider.base_url);
            out.key("jsonSchema").bool(provider.capabilities.json_schema);
            out.key("streamUsage").bool(provider.capabilities.stream_usage);
            out.key("hedgeAfter").milliseconds(self.0.latencies.borrow().p95());
            out.raw(b"}");
        });
    }

    /// Puts out what all calls have used so far, as the JSON text of `UsageTotals` in `npm/types/outcome.ts`.
    pub(super) fn usage(&self) {
        let totals = self.0.totals.borrow();
        memory::write(|out| {
            out.raw(b"{");
            for (name, number) in [
                ("requests", totals.requests),
                ("prompt_tokens", totals.prompt),
                ("completion_tokens", totals.completion),
                ("total_tokens", totals.prompt.saturating_add(totals.completion)),
                ("uncounted", totals.uncounted),
                ("estimated", totals.estimated),
            ] {
                out.key(name).integer(number);
            }
            out.key("prompt_tokens_details")
                .raw(b"{")
                .key("cached_tokens")
                .integer(totals.cached)
                .raw(b"}")
                .key("cost");
            // The totals are in pico-dollars, the output is in dollars.
            match totals.unpriced {
                0 => out.decimal(totals.cost, 12),
                _ => out.raw(b"null"),
            };
            out.key("saved").decimal(totals.saved, 12).raw(b"}");
        });
    }

    /// Adds a call that is over to the totals, by the `usage` of its outcome in the input, and frees its slot. Remembers how many
    /// milliseconds its first token took, unless that is 0.
    pub(super) fn account(&self, length: usize, id: usize, first_token: f64) {
        if first_token > 0.0 {
            self.0.latencies.borrow_mut().add(first_token);
        }
        let held = self
            .0
            .held
            .borrow_mut()
            .get_mut(id.wrapping_sub(1))
            .and_then(Option::take);
        // A resumed answer is no call of its own.
        if length == 0 {
            return;
        }
        let (tokens, estimated, charged) = memory::input(length, |usage| {
            let is_estimate = usage.ends_with(b"\"estimated\":true}");
            let counts = Counts::read(usage);
            let cost = if counts.names_cost { charged(usage) } else { None };
            (counts.tokens(), is_estimate, cost)
        });
        let prices = held.map_or(self.0.settings.prices, |held| held.prices);
        let mut totals = self.0.totals.borrow_mut();
        totals.add_charged(&tokens, estimated, prices.as_ref(), charged);
    }
}

impl Shared {
    /// Keeps what a call has of its own under a number until the call is accounted for.
    fn keep(&self, call: Held) -> usize {
        let mut held = self.held.borrow_mut();
        let free = held.iter().position(Option::is_none).unwrap_or(held.len());
        if free == held.len() {
            held.push(None);
        }
        held[free] = Some(call);
        free + 1
    }
}

/// One response on its way.
pub(super) struct Opening {
    shared: Rc<Shared>,
    opening: opening::Opening,
    /// The decoder of the response that was opened last, until the host takes it. This decoder cuts no sentences.
    pub(super) decoder: Option<Box<Decoder>>,
}

impl Opening {
    /// Takes what came of the last action, and puts out the next, as JSON text both.
    #[inline(never)] // so that its caller stays short
    pub(super) fn step(&mut self, length: usize, now: f64, wall: f64, random: f64) {
        let at = Moment { now, wall, random };
        let event = read_event(&memory::input(length, value));
        memory::write(|out| {
            out.raw(b"{");
            let opening = &mut self.opening;
            let action = opening.step(event, at);
            if !opening.told.bytes.is_empty() {
                out.key("told").raw(b"[").raw(&opening.told.bytes).raw(b"]");
                opening.told.bytes.clear();
            }
            self.decoder = self.shared.write_action(action, out);
            out.raw(b"}");
        });
    }
}

fn read_event(event: &Value) -> Event {
    let text = |name| event.set(name).and_then(Value::as_str).map(str::to_owned);
    let texts = [text("key"), text("body"), text("failed")];
    if let Some(status) = event.set("status").and_then(Value::as_number) {
        let mut headers = Vec::new();
        for pair in event.set("headers").map(Value::elements).unwrap_or_default() {
            if let [Value::String(name), Value::String(value)] = pair.elements() {
                headers.push((name.clone(), value.clone()));
            }
        }
        return Event::Answered {
            status: status as u16,
            request_id: text("requestId"),
            headers,
            redirected: text("redirected"),
        };
    }
    if let Some(broken) = event.set("broken") {
        return Event::Broken(read_broken(broken));
    }
    match texts {
        [Some(key), ..] => Event::Key(key),
        [_, Some(body), _] => Event::Body(body),
        [.., Some(reason)] => Event::Failed(reason),
        _ if event.get("timedOut").is_some() => Event::TimedOut,
        _ if event.get("aborted").is_some() => Event::Aborted,
        _ => Event::Due,
    }
}

#[inline(never)] // a plain answer has no need of it
fn read_broken(broken: &Value) -> Box<Broken> {
    let text = |name| broken.set(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Box::new(Broken {
        name: text("name"),
        message: text("message"),
        code: text("code"),
        error_type: text("type"),
        status: broken
            .set("status")
            .and_then(Value::as_number)
            .map(|status| status as u16),
        body: text("body"),
    })
}

impl Shared {
    /// Writes an action; gives the decoder of a good response.
    fn write_action(&self, action: Action, out: &mut Writer) -> Option<Box<Decoder>> {
        match action {
            Action::Key(timeout) => drop(out.key("key").milliseconds(timeout)),
            Action::Wait(ms) => drop(out.key("wait").milliseconds(Some(ms.max(0.0)))),
            Action::Read(ms) => drop(out.key("read").milliseconds(Some(ms))),
            Action::Send(request) => {
                out.key("send").raw(b"{").member("url", &request.url);
                out.key("start").text(request.start.as_deref());
                out.key("timeout").milliseconds(request.timeout);
                for (key, pairs) in [("query", &request.query), ("headers", &request.headers)] {
                    out.key(key).raw(b"[");
                    for (name, value) in pairs {
                        out.comma().raw(b"[").string(name).raw(b",");
                        out.text(value.as_deref()).raw(b"]");
                    }
                    out.raw(b"]");
                }
                out.raw(b"}");
            }
            Action::Open(answer) => {
                let prices = answer.decoder.prices;
                let id = if answer.slot.is_some() || prices != self.settings.prices {
                    let _slot = answer.slot;
                    self.keep(Held { _slot, prices })
                } else {
                    0
                };
                out.key("open").raw(b"{").key("id").integer(id as u64);
                out.key("holds").bool(answer.again);
                out.key("decoder").raw(b"{");
                settings::write_decoder(&answer.decoder, out);
                out.raw(b"}}");
                return Some(Decoder::new(answer.decoder));
            }
            Action::Fail(error) => describe(&error, out.key("fail")),
        }
        None
    }
}
