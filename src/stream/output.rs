//! The output that one push hands out: text, chunks or events, whichever the reader asked for.

use crate::json::Writer;

/// The kind of output that a reader wants of each network chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputKind {
    /// Nothing: only the outcome counts.
    #[default]
    None,
    /// The normalised text of choice 0, as UTF-8.
    Text,
    /// A JSON array of the server's own chunks.
    Chunks,
    /// The same for a host that makes objects out of them: a JSON array in which a chunk as it was sent comes after a `null`,
    /// and a list of strings is the JSON text around the holes of the chunks to come. All else are the values of such holes, in
    /// their order: a chunk has one fewer of them than that list has strings.
    ChunkParts,
    /// A JSON array of normalised events.
    Events,
    /// The same for a host that makes objects out of them: a string alone is a text event of choice 0.
    EventParts,
}

#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) kind: OutputKind,
    writer: Writer,
}

impl Output {
    pub(super) fn new(kind: OutputKind) -> Self {
        Output {
            kind,
            writer: Writer::default(),
        }
    }

    /// Starts the output of the next push.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.writer.bytes.clear();
        if self.is_list() {
            self.writer.raw(b"[");
        }
    }

    /// Closes the output.
    #[inline]
    pub(super) fn close(&mut self) {
        if self.is_list() {
            self.writer.raw(b"]");
        }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.writer.bytes
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.writer.bytes)
    }

    pub(super) fn lend(&mut self, buffer: Vec<u8>) {
        self.writer.bytes = buffer;
    }

    #[inline]
    pub(super) fn wants_events(&self) -> bool {
        matches!(self.kind, OutputKind::Events | OutputKind::EventParts)
    }

    /// Text of a choice, as text or as an event.
    #[inline]
    pub(super) fn text(&mut self, choice: u64, text: &str) {
        match self.kind {
            OutputKind::Text if choice == 0 => self.writer.bytes.extend_from_slice(text.as_bytes()),
            OutputKind::EventParts if choice == 0 && !text.is_empty() => drop(self.writer.comma().string(text)),
            _ => self.text_event("text", choice, text),
        }
    }

    /// Text or reasoning of a choice, of which there is a JSON string already.
    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub(super) fn quoted(&mut self, is_text: bool, choice: u64, text: &str, quoted: &[u8]) {
        match self.kind {
            OutputKind::Text if choice == 0 && is_text => self.writer.bytes.extend_from_slice(text.as_bytes()),
            OutputKind::EventParts if choice == 0 && is_text => self.writer.element(quoted),
            OutputKind::Events | OutputKind::EventParts => {
                let kind = if is_text { "text" } else { "reasoning" };
                let out = self.event(kind, choice);
                out.raw(b",\"text\":").raw(quoted).raw(b"}");
            }
            _ => {}
        }
    }

    /// A chunk, which is well-formed JSON.
    #[inline]
    pub(super) fn chunk(&mut self, raw: &[u8]) {
        match self.kind {
            OutputKind::Chunks => drop(self.writer.comma().raw(raw)),
            OutputKind::ChunkParts => drop(self.writer.comma().raw(b"null,").raw(raw)),
            _ => {}
        }
    }

    /// The writer of chunks in parts, where those are wanted.
    #[inline]
    pub(super) fn parts(&mut self) -> Option<&mut Writer> {
        (self.kind == OutputKind::ChunkParts).then_some(&mut self.writer)
    }

    #[inline]
    pub(super) fn wants_chunks(&self) -> bool {
        matches!(self.kind, OutputKind::Chunks | OutputKind::ChunkParts)
    }

    /// An event with a type, which needs no escapes, and a choice; the caller adds the rest and closes it.
    pub(super) fn event(&mut self, kind: &str, choice: u64) -> &mut Writer {
        self.writer
            .comma()
            .raw(b"{\"type\":\"")
            .raw(kind.as_bytes())
            .raw(b"\",\"choice\":")
            .integer(choice)
    }

    /// An event with `text`.
    pub(super) fn text_event(&mut self, kind: &str, choice: u64, text: &str) {
        if self.wants_events() && !text.is_empty() {
            self.event(kind, choice).member("text", text).raw(b"}");
        }
    }

    fn is_list(&self) -> bool {
        self.wants_chunks() || self.wants_events()
    }
}
